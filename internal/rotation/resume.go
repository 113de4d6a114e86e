package rotation

import (
	"slices"
	"time"
)

// resume gives every step a fresh allowance. A step that was open when the
// process died may have happened.
func (s *State) resume() {
	if s.Stuck != nil {
		s.applyAnew()
	}
	s.Stuck = nil
	s.Resumed = true
	// The journal may have been set back, and what the run had made may be listed late:
	// where it knows of nothing made, that is looked for once more at the end.
	s.Uncertain = s.Uncertain || s.Made == nil
	s.Seeing, s.Sight = s.mustSee(), Progress{}
	s.forget()
	s.Observing = Progress{}
	for id, p := range s.Steps {
		switch p.Status {
		case Open:
			p.Status, p.Maybe = Retry, true
			if st, ok := s.planStep(id); ok && (st.Verb == Create || st.Verb == Roll) {
				s.Uncertain = true
			}
		case Broken:
			p.Status = Retry
		}
		if p.Status != Ended {
			p.Tries, p.Limits, p.Polls, p.Swept, p.First, p.Next = 0, 0, 0, 0, time.Time{}, time.Time{}
		}
	}
}

// forget makes checks for other holders be made again: who holds what may have changed while no
// process was there. Once the old one is off, or may be gone, it is too late to look.
func (s *State) forget() {
	if s.Plan == nil || s.Mode != Forward {
		return
	}
	s.forgetProofs()
	for _, st := range s.Plan.Steps {
		if st.Verb != Survey || !s.done(st.ID) {
			continue
		}
		late := false
		for _, next := range s.Plan.Steps {
			late = late || slices.Contains(next.Needs, st.ID) && (s.done(next.ID) || next.Final && s.tried(next.ID))
		}
		if !late {
			delete(s.Steps, st.ID)
		}
	}
}

// forgetProofs makes the address be asked again about the new one before a consumer is
// given it: somebody may have ended it meanwhile.
func (s *State) forgetProofs() {
	for _, st := range s.Plan.Steps {
		if st.Verb == Validate && s.done(st.ID) && !s.Given() {
			delete(s.Steps, st.ID)
		}
	}
}

// Given reports whether every consumer was given the new one.
func (s *State) Given() bool {
	for _, st := range s.Plan.Steps {
		if st.Verb == Propagate && !s.done(st.ID) {
			return false
		}
	}
	return true
}
