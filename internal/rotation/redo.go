package rotation

import (
	"slices"
	"time"
)

// writeAnew makes a write be looked for, and made again where it is not, if a run is stuck
// because nothing of it was ever seen: it was answered well, and may not have happened.
func (s *State) writeAnew(id string, at time.Time) {
	if p := s.Steps[id]; p != nil && p.Status == Ended {
		p.Status, p.Next, p.Maybe, p.Redone = Retry, at, true, true
	}
}

// applyAnew makes what is applied by a step of its own be applied once more where a run is
// stuck because not everything runs on it: somebody may have written beside it since, and
// then nothing else would let that be taken up.
func (s *State) applyAnew() {
	if s.Plan == nil {
		return
	}
	for _, st := range s.Active() {
		p := s.Step(st.ID)
		if p.Status != Poll {
			continue
		}
		switch st.Verb {
		case Settle:
			s.writeAnew(s.Plan.Writes(st.Target), p.At)
			s.applied(st.Target, p.At)
		case Resettle:
			s.writeAnew(s.Plan.GivesBack(st.Target), p.At)
			s.reapplied(st.Target, p.At)
		}
	}
}

// redo makes a step be done again whose effect was seen not to be there. What it
// undoes was done, then, whatever the journal knows of it; and a part of what it did before
// may be there still, whatever becomes of doing it again: going back looks at it.
func (s *State) redo(id string, at time.Time) {
	p := s.step(id)
	p.Maybe, p.Redone = p.Maybe || p.Status == Ended, true
	p.First, p.Polls = time.Time{}, 0 // how long it may take counts anew
	s.again(id, at)
	st, ok := s.planStep(id)
	if ok && st.Undoes != "" {
		s.step(st.Undoes).Maybe = true
	}
	switch st.Verb {
	case Return:
		s.reapplied(st.Target, at)
	case Restore:
		s.reapplied(s.Plan.StoreOf(st).Key, at)
	case Store:
		s.applied(s.Plan.StoreOf(st).Key, at)
	case Propagate:
		s.applied(st.Target, at)
	}
}

// awaits reports whether a step waits for what it had done again; it may be among that itself.
func (s *State) awaits(own string, p *Progress, active map[string]bool) bool {
	return p.Status == Retry && p.Last != nil && slices.ContainsFunc(p.Last.Redo, func(id string) bool { return id != own && active[id] && !s.done(id) })
}

// reapplied makes what is written once more be applied once more, too.
func (s *State) reapplied(key string, at time.Time) {
	if id := stepID(Reapply, key); s.planHas(id) {
		s.again(id, at)
	}
}

// applied does so on the way forward, where it had been applied.
func (s *State) applied(key string, at time.Time) {
	if id := stepID(Apply, key); s.planHas(id) && s.done(id) {
		s.again(id, at)
		s.step(id).Maybe = true
	}
}

func (s *State) planHas(id string) bool {
	_, ok := s.planStep(id)
	return ok
}

// again makes an ended step be tried once more, not before a time.
func (s *State) again(id string, at time.Time) {
	p := s.step(id)
	p.Status, p.Next = Retry, at
}
