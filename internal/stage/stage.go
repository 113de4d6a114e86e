// Package stage plays runs of the SOP on a simulated world in virtual time, for tests: inject, kill, resume, judge.
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
	"rekey/internal/sim"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
	"rekey/internal/wire"
)

// Stage is one world, one journal and one virtual clock. Calls are made one
// after the other, so that the n-th call of a run is the same in every repetition.
type Stage struct {
	World  *sim.World
	Clock  *Clock
	Config *sop.Config
	Keyer  secret.Keyer
	Log    *Log
	// Earlier are the events of runs before the one in Log.
	Earlier []rotation.Event
	Calls   int // requests made so far, over all processes of the run
	// Before is called before each request with its number from 1; it may answer
	// in the vendor's place, or panic with Crash. nil: the world answers.
	Before func(n int, req *http.Request, send func() (*http.Response, error)) (*http.Response, error)
	// Around puts something between the vendors' clients and this network, faults
	// included; nil: nothing.
	Around func(http.RoundTripper) http.RoundTripper
	// Confirm is what a person would do; default: confirms.
	Confirm func(context.Context, rotation.Ask) (string, error)
	// Person does by hand what is asked; default: does it in the simulated portal.
	Person provider.Person
	// Sources of secrets, over the world's own environment.
	Env map[string]string
	// Despite are places that the next run may leave with a dead credential.
	Despite []string
	// Resuming are such places as named by whoever resumes it.
	Resuming []string

	losing         int             // so many entries
	lostTail       bool            // it has lost it once
	setBack        bool            // the journal loses its tail before the next process
	procs          []*process      // that are alive, the newest last
	twinned        *runner.Result  // how a run came out that another process ended
	late, lateMade bool            // a late fault happened; it met a creation
	refused        map[string]bool // kinds of calls that are refused for ever
	damage         func(*rotation.Plan)
	strategy       string
	purpose        sop.Purpose
	target         string
	looked         int                      // calls made before the first plan
	copyAt         func(*http.Request) bool // somebody copies the credential before this call
	copied         map[string]string
}

// Crash is what a simulated kill panics with.
type Crash struct{}

// EndsProcess: nothing outlives it, whatever outlives a mistake in a driver.
func (Crash) EndsProcess() {}

var _ provider.EndOfProcess = Crash{}

// Clock is virtual: sleeping moves it.
type Clock struct{ now time.Time }

// Now returns the virtual time.
func (c *Clock) Now() time.Time { return c.now }

// Sleep moves the clock.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	if d > 0 {
		c.now = c.now.Add(d)
	}
	return ctx.Err()
}

func (c *Clock) pass(d time.Duration) { c.now = c.now.Add(d) }

// Start is when every stage begins.
var Start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// callTime is how long every simulated request takes.
const callTime = 20 * time.Millisecond

// example is the example, parsed once, and only where it is asked for: the program
// that tests the command line starts as rekey hundreds of times.
var example = parsed(sop.Example())

func parsed(text string) func() *sop.Config {
	return sync.OnceValue(func() *sop.Config {
		c, err := sop.Parse("rekey.yaml", []byte(text))
		if err != nil {
			panic(err)
		}
		return c
	})
}

// New returns a stage with the SOP's world.
func New(seed int64, knobs sim.Knobs) *Stage {
	s := &Stage{Clock: &Clock{now: Start}, Config: example(), Keyer: secret.NewKeyer(secret.New("stage")), Log: &Log{}}
	s.World = sim.Open(sim.New(sim.Options{Seed: seed, Now: Start, Knobs: knobs}), s.Clock.Now)
	s.World.Sleep = s.Clock.pass
	return s
}

// Knobs are those of a realistic Heroku.
var Knobs = sim.Knobs{BootDelay: sim.Duration(900 * time.Millisecond), Shutdown: sim.Duration(25 * time.Second), PrebootDelay: sim.Duration(3 * time.Minute)}

// RoundTrip is the network of the stage.
func (s *Stage) RoundTrip(req *http.Request) (*http.Response, error) {
	s.Calls++
	s.Clock.now = s.Clock.now.Add(callTime)
	if s.copyAt != nil && s.copyAt(req) {
		s.copyAt = nil
		s.World.Look(func(w *sim.State) { AddApp(w, Other, s.copied) })
	}
	send := func() (*http.Response, error) { return s.World.RoundTrip(req) }
	if s.Before != nil {
		return s.Before(s.Calls, req, send)
	}
	return send()
}

// env is what vendors get.
func (s *Stage) env() provider.Env {
	known := s.World.Env()
	for k, v := range s.Env {
		known[k] = v
	}
	lookup := func(ref string) (string, bool) {
		name, ok := strings.CutPrefix(ref, "env:")
		v, set := known[name]
		return v, ok && set && v != ""
	}
	return provider.Env{
		Transport: s.network(), Now: s.Clock.Now, Together: InOrder, Person: s.person(),
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

func (s *Stage) network() http.RoundTripper {
	return vendorhttp.Fence{Next: s.around(), Ours: func(context.Context) error { return s.overtaken() }}
}

func (s *Stage) around() http.RoundTripper {
	if s.Around != nil {
		return s.Around(s)
	}
	return s
}

func (s *Stage) person() provider.Person {
	if s.Person != nil {
		return s.Person
	}
	return sim.Person(s, s.Clock.Now, nil)
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
		s.setBack, s.lostTail = false, true
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
	if s.damage != nil {
		s.Log.Damage = s.damage
	}
	if len(events) > 1 {
		e := rotation.Event{At: s.Clock.Now(), Run: state.Run, Kind: rotation.KindResumed, Resumed: &rotation.Resumed{Actor: "stage", Tool: "test", Despite: s.Resuming}}
		if err := me.Append(context.Background(), e); err != nil {
			return result, false, err
		}
		state.Apply(e)
	}
	crew, err := wire.Open(state.Opened.Spec, s.Config.Vendors, s.env())
	if err != nil {
		return result, false, err
	}
	r := &runner.Runner{
		Journal: me, Roles: crew.Roles, Can: crew.Can, Keyer: s.Keyer, Clock: s.Clock, Together: InOrder, Actor: "stage",
		Calls: func() int { return s.Calls }, Confirm: s.Confirm, Unguarded: s.damage != nil,
		Past: func(context.Context) ([]rotation.Generation, error) { return s.past(state.Opened.Credential) },
	}
	if r.Confirm == nil {
		r.Confirm = func(context.Context, rotation.Ask) (string, error) { return "typed", nil }
	}
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(Crash); !ok {
				panic(p)
			}
			crashed = true
		}
	}()
	result, err = r.Run(context.Background(), state)
	return result, false, err
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
		s.Clock.now = s.Clock.now.Add(3 * time.Second) // somebody notices
	}
	return runner.Result{}, errors.New("the run did not end within 50 processes")
}

// Log is a journal in memory. It keeps the bytes, so that what cannot be written
// and read back shows.
type Log struct {
	Lines []Line
	// Fail makes the next append fail.
	Fail error
	// Damage breaks a plan on its way into the journal.
	Damage func(*rotation.Plan)
	// Watch is told of every event; may be nil.
	Watch func(rotation.Event)
}

// Line is one entry.
type Line struct {
	At   time.Time
	Run  string
	Kind rotation.Kind
	Body []byte
}

// Append writes events.
func (l *Log) Append(_ context.Context, events ...rotation.Event) error {
	if l.Fail != nil {
		return l.Fail
	}
	for _, e := range events {
		if e.Planned != nil && l.Damage != nil {
			l.Damage(e.Planned)
		}
		if l.Watch != nil {
			l.Watch(e)
		}
		b, err := e.Body()
		if err != nil {
			return err
		}
		l.Lines = append(l.Lines, Line{e.At, e.Run, e.Kind, b})
	}
	return nil
}

// Events reads everything back.
func (l *Log) Events() ([]rotation.Event, error) {
	out := make([]rotation.Event, 0, len(l.Lines))
	for _, line := range l.Lines {
		e := rotation.Event{At: line.At, Run: line.Run, Kind: line.Kind}
		if err := e.Decode(line.Body); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// Text is the journal as one would read it.
func (l *Log) Text() string {
	var b strings.Builder
	for _, line := range l.Lines {
		_, _ = fmt.Fprintf(&b, "%s %-9s %s\n", line.At.Format("15:04:05.000"), line.Kind, line.Body)
	}
	return b.String()
}
