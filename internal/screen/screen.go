// Package screen shows a run while it happens: live on a terminal, in calm lines elsewhere, or as JSON.
package screen

import (
	"strings"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/vendorhttp"
)

// Screen is told what happens. Its methods may be called from several
// goroutines.
type Screen interface {
	// Event is told after the event is on disk.
	Event(e rotation.Event)
	// Past is told what earlier processes of the run did. It is not shown again.
	Past(events []rotation.Event)
	// Starts is told before steps are tried.
	Starts(actions []rotation.Action)
	// Waits is told what is being waited for.
	Waits(w rotation.Wait)
	// Call is told after each request.
	Call(c vendorhttp.Call)
	// Hold stops drawing while a person is asked something, for which so many
	// lines are left free, and returns the function that goes on.
	Hold(lines int) (release func())
	// End draws the last picture.
	End()
}

// step is one line of the picture.
type step struct {
	id      string
	title   string
	verb    rotation.Verb
	final   bool
	status  rotation.Status
	active  bool
	started time.Time
	ended   time.Time
	note    string
	before  bool // an earlier process did it
}

// model is the picture's content, folded from events.
type model struct {
	head     string
	run      string
	before   int // steps that earlier processes did
	steps    []*step
	byID     map[string]*step
	back     []rotation.Step
	forward  []rotation.Step
	turned   string
	state    *rotation.State
	waiting  rotation.Wait
	lastCall vendorhttp.Call
	calls    int
}

func newModel() *model {
	return &model{byID: map[string]*step{}, state: rotation.NewState()}
}

func (m *model) add(id, title string, verb rotation.Verb, final bool) *step {
	s := m.byID[id]
	if s == nil {
		s = &step{id: id, title: title, verb: verb, final: final}
		m.byID[id] = s
		m.steps = append(m.steps, s)
	}
	return s
}

// event folds one event into the picture.
func (m *model) event(e rotation.Event) {
	m.state.Apply(e)
	m.waiting = rotation.Wait{}
	switch e.Kind {
	case rotation.KindOpened:
		m.run = e.Run
		m.head = e.Run + "  " + e.Opened.Credential
		m.add(rotation.ObserveStep, "observe everything, read-only", "", false)
		m.start(rotation.ObserveStep, e.At)
	case rotation.KindPlanned:
		m.forward, m.back = e.Planned.Steps, e.Planned.Back
		m.show(m.forward)
	case rotation.KindOutcome:
		m.outcome(e)
	case rotation.KindTurned:
		m.turn(e.Turned)
	case rotation.KindIntent:
		for _, id := range e.Intent.Steps {
			m.start(id, e.At)
		}
	}
}

// past folds what was done before this process; what is over of it is only counted.
func (m *model) past(events []rotation.Event) {
	for _, e := range events {
		m.event(e)
	}
	m.before = 0
	for _, s := range m.steps {
		s.active = false
		if s.before = s.status == rotation.Ended; s.before {
			m.before++
		}
	}
}

func (m *model) show(steps []rotation.Step) {
	for _, st := range steps {
		if !st.Strays {
			m.add(st.ID, st.Title, st.Verb, st.Final)
		}
	}
}

func (m *model) start(id string, at time.Time) {
	s := m.byID[id]
	if s == nil {
		if st, ok := m.planned(id); ok {
			s = m.add(id, st.Title, st.Verb, st.Final)
		} else {
			return
		}
	}
	s.active = true
	if s.started.IsZero() {
		s.started = at
	}
}

func (m *model) planned(id string) (rotation.Step, bool) {
	if m.state.Plan == nil {
		return rotation.Step{}, false
	}
	return m.state.Plan.Step(id)
}

func (m *model) outcome(e rotation.Event) {
	m.start(e.Outcome.Step, e.At)
	s := m.byID[e.Outcome.Step]
	if s == nil {
		return
	}
	s.active = false
	s.status = m.state.Step(s.id).Status
	if s.id == rotation.ObserveStep {
		s.status = m.state.Observing.Status
	}
	s.note = e.Outcome.Why
	if s.status == rotation.Ended {
		s.ended = e.At
		s.note = strings.Join(e.Outcome.Evidence, "; ")
	}
}

// turn shows the way back below what was done, or starts the list anew.
func (m *model) turn(t *rotation.Turned) {
	m.turned = t.Why
	if t.Mode == rotation.Forward {
		observed := m.byID[rotation.ObserveStep]
		m.steps, m.byID, m.turned, m.before = nil, map[string]*step{}, "", 0
		if observed != nil {
			m.steps, m.byID[observed.id] = []*step{observed}, observed
		}
		m.show(m.forward)
		return
	}
	for _, s := range m.steps {
		s.active = false
	}
	// What was never begun is not going to be; it would only be in the way.
	var kept []*step
	for _, s := range m.steps {
		if !s.started.IsZero() || s.status != rotation.Idle {
			kept = append(kept, s)
		} else {
			delete(m.byID, s.id)
		}
	}
	m.steps = kept
	for _, st := range m.state.Active() {
		if !st.Strays {
			m.add(st.ID, st.Title, st.Verb, st.Final)
		}
	}
}
