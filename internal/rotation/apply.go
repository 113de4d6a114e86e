package rotation

import (
	"time"
)

// Apply folds one event. It never fails: what the journal says has happened.
func (s *State) Apply(e Event) {
	s.Run = e.Run
	switch e.Kind {
	case KindOpened:
		s.Opened, s.OpenedAt = e.Opened, e.At
		s.Generation = 1
		s.Word, s.WordOf = e.Opened.Word, said(e.Opened.Actor, e.Opened.By)
	case KindPlanned:
		s.Plan = e.Planned
		if lost := e.Planned.Seen.Lost; lost > 0 {
			s.Generation, s.Uncertain = lost+1, true
		}
	case KindIntent:
		s.intend(e.Intent, e.At)
	case KindOutcome:
		s.outcome(e.Outcome, e.At)
	case KindTurned:
		s.turn(e.Turned)
	case KindConfirmed:
		s.Confirmed, s.Word, s.WordOf = e.Confirmed, nil, nil
	case KindAsked:
		s.Asked = e.Asked
	case KindResumed:
		s.Named = append(s.Named, e.Resumed.Despite...)
		if e.Resumed.Worker == "" {
			s.Word, s.WordOf = e.Resumed.Word, said(e.Resumed.Actor, e.Resumed.By)
		}
		if e.Resumed.Clean && !s.begun() {
			s.Resumed = true // it looks before it writes, and has no other allowance than before
		} else {
			s.resume()
		}
	case KindStuck:
		s.Stuck = e.Stuck
	case KindClosed:
		s.Closed, s.ClosedAt = e.Closed, e.At
		s.Stuck = nil
	}
}

// begun reports whether a step has an intent and no outcome.
func (s *State) begun() bool {
	for _, p := range s.Steps {
		if p.Status == Open {
			return true
		}
	}
	return false
}

// said is who it was, as far as the record tells.
func said(actor string, by *Who) *Who {
	if by != nil {
		return by
	}
	return &Who{Name: actor}
}

// Answered reports whether the confirmation that was given answers what is asked now.
func (s *State) Answered(ask Ask) bool {
	return s.Word != nil && (s.Word.Answers == "" || s.Word.Answers == ask.Digest())
}

func (s *State) intend(in *Intent, at time.Time) {
	if in.Until.After(s.Until) {
		s.Until = in.Until
	}
	for _, id := range in.Steps {
		p := s.step(id)
		if p.First.IsZero() {
			p.First = at
		}
		p.Status = Open
		if st, ok := s.Plan.Step(id); ok && st.Final {
			// The point of no return is the intent, not the success.
			s.Final = true
		}
	}
}

func (s *State) turn(t *Turned) {
	if t.Mode == Forward {
		// Once more from the start: the steps begin anew, with a new label.
		if s.Made != nil {
			s.Earlier = append(s.Earlier, s.Made)
			if !s.tried(stepID(Discard, "")) {
				s.Uncertain = true // it lives on, until the clean-up at the end
			}
		}
		s.Steps = map[string]*Progress{}
		s.Made, s.Overtaken = nil, false
		s.Generation = t.Generation
	}
	s.Mode, s.TurnedWhy = t.Mode, t.Why
}

func (s *State) planStep(id string) (Step, bool) {
	if s.Plan == nil {
		return Step{}, false
	}
	return s.Plan.Step(id)
}
