// Package stage plays runs with any issuer, store and consumer in virtual time, for tests: inject, kill, resume, judge.
//
// It knows the vendors' doubles by internal/world's interfaces only, and drivers by
// their descriptors. A call reaches its double by HTTP (RoundTrip) or directly (Direct);
// both ways count it, suffer the same faults and let the same time pass.
package stage

import (
	"context"
	"net/http"
	"time"

	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/wire"
	"rekey/internal/world"
)

// Stage is one world, one journal and one virtual clock. Calls are made one
// after the other, so that the n-th call of a run is the same in every repetition.
type Stage struct {
	World  *world.World
	Clock  *Clock
	Config *sop.Config
	Keyer  secret.Keyer
	Log    *Log
	// Drivers finds a driver by its type; nil: those of the program.
	Drivers func(name string) (provider.Descriptor, bool)
	// Earlier are the events of runs before the one in Log.
	Earlier []rotation.Event
	Calls   int // made so far, over all processes of the run
	// Before is called before each request with its number from 1; it may answer
	// in the vendor's place, or panic with Crash. nil: the arranged faults, then the world.
	Before func(n int, req *http.Request, send func() (*http.Response, error)) (*http.Response, error)
	// Sees is told of every request before anything else; nil: nobody.
	Sees func(*http.Request)
	// Hears is told of every call that goes to its double directly; nil: nobody.
	Hears func(vendor, op string)
	// Around puts something between the vendors' clients and this network, faults
	// included; nil: nothing.
	Around func(http.RoundTripper) http.RoundTripper
	// Confirm is what a person would do; default: confirms.
	Confirm func(context.Context, rotation.Ask) (string, error)
	// Person does by hand what is asked; nil: nobody is there.
	Person provider.Person
	// Sources of secrets, over the world's own environment.
	Env map[string]string
	// Despite are places that the next run may leave with a dead credential.
	Despite []string
	// Resuming are such places as named by whoever resumes it.
	Resuming []string
	// Damage breaks the plan, to see whether a judge sees it; nil: the plan stays.
	Damage func(*rotation.Plan)
	// Memory is what the runs of one process share; nil: each has its own.
	Memory *provider.Memory

	// Notes: the store tells what is noted beside a value, so that a journal which was set
	// back is no excuse.
	Notes bool

	LostTail bool // the journal has lost its tail once
	Late     bool // a late fault happened
	LateMade bool // and it met a creation
	Looked   int  // calls made before the first plan

	then     truth // as the world was when the run was opened
	faults   []Fault
	deeds    []deed         // what somebody else did
	doubled  []deed         // what came of requests that were sent twice on their way, the second time
	wrote    bool           // the last call changed something
	changes  []int          // calls that did
	died     int            // call at which the last process died
	before   int            // calls made before the run was opened
	begun    bool           // a process has begun the run
	losing   int            // so many entries
	asked    bool           // a person has asked to go back
	setBack  bool           // the journal loses its tail before the next process
	procs    []*process     // that are alive, the newest last
	twinned  *runner.Result // how a run came out that another process ended
	refused  map[string]int // kinds of calls that are refused for ever, with the status
	stale    bool           // an older answer is among the faults
	staleFor string         // the next look at this vendor gets one
	astray   string         // this kind of call from now on, or the next look at this vendor, is answered for another account
	misled   bool           // for ever, at one kind of call
	was      [][]byte       // what the doubles remembered before the last change, of each
	coming   []arrival      // requests that arrive later

	strategy string
	purpose  sop.Purpose
	target   string
}

// Start is when every stage begins.
var Start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// New returns a stage in a world whose time is that of the clock.
func New(w *world.World, clock *Clock, config *sop.Config) *Stage {
	w.Sleep = clock.Pass
	return &Stage{World: w, Clock: clock, Config: config, Keyer: secret.NewKeyer(secret.New("stage")), Log: &Log{}}
}

// Purpose sets what the next run is for.
func (s *Stage) Purpose(p sop.Purpose) { s.purpose = p }

// Strategy sets by which strategy the next run rotates; "": the sheet decides.
func (s *Stage) Strategy(strategy string) { s.strategy = strategy }

// Target sets which generation the next run means.
func (s *Stage) Target(t string) { s.target = t }

// Open journals the beginning of a run of a credential.
func (s *Stage) Open(name, run string) error {
	spec, err := s.Config.Spec(name)
	if err != nil {
		return err
	}
	spec.Issuer.Strategy = s.strategy
	s.then, s.begun, s.deeds, s.before = s.truth(), false, nil, s.Calls
	switch s.purpose {
	case sop.ToRehearse:
		spec = spec.ForRehearsal()
	case sop.ToForget:
		spec = spec.WithoutName(s.target)
	default:
		spec.Purpose, spec.Target, spec.Despite = s.purpose, s.target, s.Despite
	}
	return s.Log.Append(context.Background(), rotation.Event{
		At: s.Clock.Now(), Run: run, Kind: rotation.KindOpened,
		Opened: &rotation.Opened{Credential: name, Spec: spec, Actor: "stage", Tool: "test"},
	})
}

// Crew opens the drivers of a spec.
func (s *Stage) Crew(spec sop.Spec) (*wire.Crew, error) {
	if s.Drivers != nil {
		return wire.OpenWith(s.Drivers, spec, s.Config.Vendors, s.Driver())
	}
	return wire.Open(spec, s.Config.Vendors, s.Driver())
}

// Past is what the events of a credential's runs tell of its generations.
func (s *Stage) Past(credential string) ([]rotation.Generation, error) {
	events, err := s.Log.Events()
	var own []rotation.Event
	of := map[string]bool{}
	for _, list := range [][]rotation.Event{s.Earlier, events} {
		for _, e := range list {
			if e.Opened != nil && e.Opened.Credential == credential {
				of[e.Run] = true
			}
			if of[e.Run] {
				own = append(own, e)
			}
		}
	}
	return rotation.Generations(own), err
}
