// Package stage plays runs with any issuer, store and consumer in virtual time, for tests: inject, kill, resume, judge.
//
// It knows the vendors' doubles by internal/world's interfaces only, and drivers by
// their descriptors. A call reaches its double by HTTP (RoundTrip) or directly (Direct);
// both ways count it, suffer the same faults and let the same time pass.
package stage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
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
	deeds    []deed          // what somebody else did
	wrote    bool            // the last call changed something
	changes  []int           // calls that did
	died     int             // call at which the last process died
	before   int             // calls made before the run was opened
	begun    bool            // a process has begun the run
	losing   int             // so many entries
	asked    bool            // a person has asked to go back
	setBack  bool            // the journal loses its tail before the next process
	procs    []*process      // that are alive, the newest last
	twinned  *runner.Result  // how a run came out that another process ended
	refused  map[string]bool // kinds of calls that are refused for ever
	strategy string
	purpose  sop.Purpose
	target   string
}

// Crash is what a simulated kill panics with.
type Crash struct{}

// EndsProcess: nothing outlives it, whatever outlives a mistake in a driver.
func (Crash) EndsProcess() {}

var _ provider.EndOfProcess = Crash{}

// Clock is virtual: sleeping moves it. It may be used from several goroutines.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock begins at a moment.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now returns the virtual time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Sleep moves the clock.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	c.Pass(max(d, 0))
	return ctx.Err()
}

// Pass moves the clock.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Start is when every stage begins.
var Start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// most is how many calls a run may make: some ten times what the longest one makes that
// ends. One that makes more goes round in circles.
const most = 3000

// called counts a call.
func (s *Stage) called() {
	if s.Calls++; s.begun && s.Calls > s.before+most {
		panic(endless{})
	}
	s.Clock.Pass(callTime)
}

// endless is what a run that does not end is stopped with.
type endless struct{}

// EndsProcess: nothing goes on after it.
func (endless) EndsProcess() {}

// callTime is how long every simulated call takes.
const callTime = 20 * time.Millisecond

// New returns a stage in a world whose time is that of the clock.
func New(w *world.World, clock *Clock, config *sop.Config) *Stage {
	w.Sleep = clock.Pass
	return &Stage{World: w, Clock: clock, Config: config, Keyer: secret.NewKeyer(secret.New("stage")), Log: &Log{}}
}

// RoundTrip is the network of the stage.
func (s *Stage) RoundTrip(req *http.Request) (*http.Response, error) {
	s.called()
	if s.Sees != nil {
		s.Sees(req)
	}
	send := func() (*http.Response, error) { return s.World.RoundTrip(req) }
	if s.Before != nil {
		return s.Before(s.Calls, req, send)
	}
	return meet(s, request{s, req}, send)
}

// Direct is how a driver without a network asks its double: op names the kind of
// call, changes says whether it is meant to change something, and effect does it. The
// error is the double's, or what a fault makes of it.
func (s *Stage) Direct(vendor, op string, changes bool, effect func() error) error {
	s.called()
	if s.Hears != nil {
		s.Hears(vendor, op)
	}
	_, err := meet(s, direct{s, vendor, op, changes}, func() (struct{}, error) {
		var err error
		s.World.Do(func() { err = effect() })
		return struct{}{}, err
	})
	return err
}

// Driver is the environment that drivers get.
func (s *Stage) Driver() provider.Env {
	known := s.World.Env()
	for k, v := range s.Env {
		known[k] = v
	}
	lookup := func(ref string) (string, bool) {
		name, ok := strings.CutPrefix(ref, "env:")
		v, set := known[name]
		return v, ok && set && v != ""
	}
	ours := func(context.Context) error { return s.overtaken() }
	return provider.Env{
		Memory: s.Memory, Transport: vendorhttp.Fence{Next: s.around(), Ours: ours}, Ours: ours, Now: s.Clock.Now, Together: InOrder, Person: s.Person,
		Resolve: func(_ context.Context, refs sop.Refs) (secret.Value, provider.Source, error) {
			for i, r := range refs {
				if v, ok := lookup(string(r)); ok {
					src := provider.Source{Ref: r, Fallback: i > 0}
					for _, o := range refs[i+1:] {
						if _, set := lookup(string(o)); set {
							src.Others = append(src.Others, o)
						}
					}
					return secret.New(v), src, nil
				}
			}
			return secret.Value{}, provider.Source{}, fmt.Errorf("none of %v is set", refs)
		},
		Text: func(t sop.Text) (string, error) {
			for _, x := range t {
				if !strings.HasPrefix(x, "env:") {
					return x, nil
				}
				if v, ok := lookup(x); ok {
					return v, nil
				}
			}
			return "", fmt.Errorf("none of %v is set", t)
		},
	}
}

func (s *Stage) around() http.RoundTripper {
	if s.Around != nil {
		return s.Around(s)
	}
	return s
}

// InOrder runs calls one after the other and joins their errors.
func InOrder(calls ...func() error) error {
	var errs []error
	for _, c := range calls {
		if err := c(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
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

// Process plays one process from its start to its end, which may be a crash.
// Each process but the first resumes. It knows nothing but the journal.
func (s *Stage) Process() (result runner.Result, crashed bool, err error) {
	if s.setBack {
		s.setBack, s.LostTail = false, true
		if s.losing == 0 {
			s.losing = 1 + s.Calls%9
		}
		s.Log.cut(s.losing)
		s.losing = 0
	}
	events, err := s.Log.Events()
	if err != nil {
		return result, false, err
	}
	me := &process{log: s.Log, seen: len(s.Log.Lines)}
	s.procs = append(s.procs, me)
	defer func() { s.procs = s.procs[:len(s.procs)-1] }()
	state := rotation.Fold(events)
	if s.Damage != nil {
		s.Log.Damage = s.Damage
	}
	if s.begun || len(events) > 1 { // also where the journal remembers nothing but that it was opened
		e := rotation.Event{At: s.Clock.Now(), Run: state.Run, Kind: rotation.KindResumed, Resumed: &rotation.Resumed{Actor: "stage", Tool: "test", Despite: s.Resuming}}
		if err := me.Append(context.Background(), e); err != nil {
			return result, false, err
		}
		state.Apply(e)
	}
	if s.asked {
		s.asked = false
		if state.Closed == nil && !state.Final {
			e := rotation.Event{At: s.Clock.Now(), Run: state.Run, Kind: rotation.KindAsked, Asked: &rotation.Asked{Actor: "stage", Reason: "it seems better"}}
			if err := me.Append(context.Background(), e); err != nil {
				return result, false, err
			}
			state.Apply(e)
		}
	}
	s.begun = true
	crew, err := s.Crew(state.Opened.Spec)
	if err != nil {
		return result, false, err
	}
	r := &runner.Runner{
		Journal: me, Roles: crew.Roles, Can: crew.Can, Keyer: s.Keyer, Clock: s.Clock, Together: InOrder, Actor: "stage",
		Calls: func() int { return s.Calls }, Confirm: s.Confirm, Unguarded: s.Damage != nil,
		Past: func(context.Context) ([]rotation.Generation, error) { return s.Past(state.Opened.Credential) },
	}
	if r.Confirm == nil {
		r.Confirm = func(context.Context, rotation.Ask) (string, error) { return "typed", nil }
	}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case Crash:
			crashed, s.died = true, s.Calls
		case endless:
			err = fmt.Errorf("the run made %d calls and did not end", most)
		default:
			panic(p)
		}
	}()
	result, err = r.Run(context.Background(), state)
	return result, false, err
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

// Play opens a run and goes on, process after process, until it neither crashes
// nor leaves the run open by itself.
func (s *Stage) Play(name string) (runner.Result, error) {
	if err := s.Open(name, "test01"); err != nil {
		return runner.Result{}, err
	}
	return s.Resume()
}

// Resume goes on with the run, process after process.
func (s *Stage) Resume() (runner.Result, error) {
	for range 50 {
		result, crashed, err := s.Process()
		if errors.Is(err, errOvertaken) && s.twinned != nil {
			return *s.twinned, nil
		}
		if err != nil || !crashed {
			return result, err
		}
		if s.asked {
			s.Clock.Pass(300 * time.Millisecond) // somebody stopped it, and says so at once
			continue
		}
		s.Clock.Pass(3 * time.Second) // somebody notices
	}
	return runner.Result{}, errors.New("the run did not end within 50 processes")
}
