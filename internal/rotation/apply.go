package rotation

import (
	"fmt"
	"slices"
	"time"

	"rekey/internal/cred"
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

// Pseudo steps, under which looks are noted that are no steps of a plan.
const (
	ObserveStep = "observe"    // before there is a plan
	ResumeStep  = "look again" // of a process that takes a run up
)

func (s *State) outcome(o *Outcome, at time.Time) {
	s.Calls += o.Calls
	p := s.step(o.Step)
	switch o.Step {
	case ObserveStep:
		p = &s.Observing
	case ResumeStep:
		p = &s.Sight
	}
	if p.First.IsZero() {
		p.First = at
	}
	p.Last, p.At = o, at
	p.Maybe = p.Maybe || o.Partly || o.Maybe
	st, _ := s.planStep(o.Step)
	switch {
	case len(o.Redo) > 0:
		p.Status, p.Next = Retry, at.Add(s.pause(p.Tries))
		if o.Class != cred.Waiting { // it failed at nothing yet: what is done again has a bound of its own
			p.Tries++
		}
		for _, id := range o.Redo {
			s.redo(id, at)
		}
	case o.Class == cred.Done:
		p.Status, p.Done, p.Tries, p.Limits, p.Polls = Ended, at, 0, 0, 0
	case o.Class == cred.Waiting:
		p.Status, p.Next = Poll, at.Add(max(o.RetryAfter, s.pause(p.Polls)))
		p.Polls++
		p.Maybe = true
	case o.Class == cred.Limited:
		p.Status, p.Next = Retry, at.Add(max(o.RetryAfter, s.pause(p.Limits)))
		p.Limits++
	case o.Class.NotApplied():
		p.Status, p.Next = Broken, at.Add(s.pause(p.Tries))
		p.Tries++
	case o.Class == cred.Failed:
		p.Status, p.Next = Broken, at.Add(s.pause(p.Tries))
		p.Tries++
		p.Maybe = true
	default:
		p.Status, p.Next = Retry, at.Add(s.pause(p.Tries))
		p.Tries++
		p.Maybe = true
	}
	if o.Keep != nil {
		s.Keep = *o.Keep
	}
	if o.Step == ResumeStep && o.Class == cred.Done {
		s.saw(o, at)
	}
	switch st.Verb {
	case Create, Roll, Take:
		s.created(st.Verb, o, at)
	case Sweep:
		s.swept(p, o)
	case Resettle:
		if o.Class == cred.Failed {
			// The write that gave the old values back did not take: write again.
			s.again(stepID(Return, st.Target), p.Next)
			s.reapplied(st.Target, p.Next)
		}
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
		if p := s.Step(st.ID); p.Status != Poll {
			continue
		}
		switch st.Verb {
		case Settle:
			s.applied(st.Target, s.Step(st.ID).At)
		case Resettle:
			s.reapplied(st.Target, s.Step(st.ID).At)
		}
	}
}

// redo makes a step be done again whose effect was seen not to be there. What it
// undoes was done, then, whatever the journal knows of it; and a part of what it did before
// may be there still, whatever becomes of doing it again: going back looks at it.
func (s *State) redo(id string, at time.Time) {
	p := s.step(id)
	p.Maybe, p.Redone = p.Maybe || p.Status == Ended, true
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
	}
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

func (s *State) created(by Verb, o *Outcome, at time.Time) {
	switch {
	case o.Class == cred.Done:
		s.Made = o
	case o.Class == cred.Limited:
		s.CreateAt = at.Add(max(o.RetryAfter, s.pause(0)))
		s.Uncertain = s.Uncertain || by == Create
	case by == Create, !o.Class.NotApplied(), o.Maybe:
		// However clear a refusal is: a gateway may have sent a creation twice and pass on
		// how the second one was refused. To look for what bears our label costs little.
		s.Uncertain = true
	}
}

// cleanSweeps in a row are needed: a vendor may list a creation late. After mostSweeps that
// found something each another one would, too: what is found comes again, or does not go.
const (
	cleanSweeps = 2
	mostSweeps  = 2 * MaxAttempts
)

func (s *State) swept(p *Progress, o *Outcome) {
	if o.Class != cred.Done {
		return
	}
	if len(o.Gone) > 0 {
		p.Clean = 0
		p.Swept++
	} else {
		p.Clean++
	}
	switch {
	case p.Swept > mostSweeps:
		again := *o
		again.Why = fmt.Sprintf("%d clean-ups found something each: what was ended is there again, or did not end", p.Swept)
		p.Last, p.Status, p.Tries, p.Next = &again, Broken, triesPatient, p.Done
	case p.Clean < cleanSweeps:
		p.Status = Poll
		p.Next = p.Done.Add(sweepPause * s.pause(0))
	}
}

// sweepPause, between two clean-ups, is in first pauses.
const sweepPause = 5

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
		s.Made = nil
		s.Generation = t.Generation
	}
	s.Mode, s.TurnedWhy = t.Mode, t.Why
}

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

func (s *State) planStep(id string) (Step, bool) {
	if s.Plan == nil {
		return Step{}, false
	}
	return s.Plan.Step(id)
}

// pause grows from the first pause to ten times that.
func (s *State) pause(tries int) time.Duration {
	first := time.Second
	if s.Opened != nil && s.Opened.Spec.Timing.Poll > 0 {
		first = s.Opened.Spec.Timing.Poll
	}
	d := first
	for range tries {
		if d *= 2; d >= 10*first {
			return 10 * first
		}
	}
	return d
}
