package rotation

import (
	"fmt"
	"time"

	"rekey/internal/cred"
)

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
		p.First = time.Time{}        // how long it may take counts once that is done
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
	if o.Stray && o.Step != ResumeStep {
		s.Uncertain = true
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
		s.Uncertain = true
	} else {
		p.Clean++
	}
	enough := cleanSweeps
	if !s.Uncertain { // nothing says that there is anything; one list is to show that
		enough = 1
	}
	switch {
	case p.Swept > mostSweeps:
		again := *o
		again.Why = fmt.Sprintf("each of %d clean-ups found something: what was revoked is back, or was not revoked", p.Swept)
		p.Last, p.Status, p.Tries, p.Next = &again, Broken, triesPatient, p.Done
	case p.Clean < enough:
		p.Status = Poll
		p.Next = p.Done.Add(sweepPause * s.pause(0))
	}
}

// sweepPause, between two clean-ups, is in first pauses.
const sweepPause = 5

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
