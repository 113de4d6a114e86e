// Package stage plays runs of the written procedure on its simulated world: what internal/stage does for any drivers, with worlds, deviations and judges of its own.
package stage

import (
	"net/http"
	"sync"
	"time"

	"rekey/internal/sim"
	"rekey/internal/sop"
	"rekey/internal/stage"
)

// Stage is one of internal/stage, in the world of the written procedure.
type Stage struct {
	*stage.Stage
	World *sim.World

	target string
	copyAt func(*http.Request) bool // somebody copies the credential before this call
	copied map[string]string
}

// The words of every stage.
type (
	Crash = stage.Crash
	Clock = stage.Clock
	Log   = stage.Log
	Line  = stage.Line
	Kind  = stage.Kind
	Fault = stage.Fault
)

// The kinds of faults; see internal/stage.
const (
	CrashBefore    = stage.CrashBefore
	CrashAfter     = stage.CrashAfter
	Lost           = stage.Lost
	Applied        = stage.Applied
	Page           = stage.Page
	Refused        = stage.Refused
	Limited        = stage.Limited
	Late           = stage.Late
	NotThere       = stage.NotThere
	NotThereHTML   = stage.NotThereHTML
	Applied400     = stage.Applied400
	Applied409     = stage.Applied409
	Applied422     = stage.Applied422
	Moved          = stage.Moved
	Nothing        = stage.Nothing
	SetBack        = stage.SetBack
	Twin           = stage.Twin
	TwinBefore     = stage.TwinBefore
	RefusedForEver = stage.RefusedForEver
)

// Kinds are all kinds that hit a single call, Rude those of a world that is less polite.
var (
	Kinds = stage.Kinds
	Rude  = stage.Rude
	Start = stage.Start
)

// InOrder runs calls one after the other and joins their errors.
func InOrder(calls ...func() error) error { return stage.InOrder(calls...) }

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
	return in(sim.New(sim.Options{Seed: seed, Now: Start, Knobs: knobs}))
}

// in returns a stage in a world with this state.
func in(state sim.State) *Stage {
	clock := stage.NewClock(Start)
	w := sim.Open(state, clock.Now)
	s := &Stage{Stage: stage.New(w.World, clock, example()), World: w}
	s.Person = sim.Person(s.Stage, clock.Now, nil)
	s.Sees = func(req *http.Request) {
		if s.copyAt != nil && s.copyAt(req) {
			s.copyAt = nil
			s.World.Look(func(w *sim.State) { AddApp(w, Other, s.copied) })
		}
	}
	return s
}

// Target sets which generation the next run means.
func (s *Stage) Target(t string) {
	s.target = t
	s.Stage.Target(t)
}

// Knobs are those of a realistic Heroku.
var Knobs = sim.Knobs{BootDelay: sim.Duration(900 * time.Millisecond), Shutdown: sim.Duration(25 * time.Second), PrebootDelay: sim.Duration(3 * time.Minute)}
