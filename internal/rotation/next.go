package rotation

import (
	"fmt"
	"time"
)

// MaxAttempts is how many generations one run makes at most, each under a label of
// its own.
const MaxAttempts = 4

// Next decides. holds tells whether this process has the new generation's secret
// in memory, which no journal can tell.
func Next(s *State, now time.Time, holds bool) Decision {
	switch {
	case s.Closed != nil:
		return Decision{Close: s.Closed}
	case s.Stuck != nil:
		return Decision{Stuck: s.Stuck}
	case s.Plan == nil:
		return s.observe(now)
	case s.Seeing:
		return s.see(now)
	case s.Asked != nil && s.Mode != Back && !s.Final:
		return s.turnBack("a person asked to go back")
	case s.Mode == Forward:
		return s.forward(now, holds)
	}
	return s.backward(now)
}

// observe is read-only and may be repeated; what it cannot see ends the run
// before anything is touched.
func (s *State) observe(now time.Time) Decision {
	p := s.Observing
	give := func(why string) Decision {
		c := &Closed{Ending: RefusedRun, Why: why}
		if p.Last != nil {
			for _, problem := range p.Last.Problems {
				c.Refusals = append(c.Refusals, Refusal{Code: NotSeen, What: problem, Then: "fix it, then look again with: rekey check " + s.Opened.Credential})
			}
			c.Refusals = append(c.Refusals, p.Last.Left...)
		}
		return Decision{Close: c}
	}
	switch {
	case p.Last == nil:
		return Decision{Observe: true}
	case s.Asked != nil:
		return give("a person asked to go back before anything was planned")
	case p.Status == Broken, p.Tries >= triesRefused, p.Limits > limitsInARow:
		return give("not everything could be seen")
	case p.Next.After(now):
		return Decision{Wait: &Wait{Until: p.Next, For: []string{"observe: " + p.Last.Why}}}
	}
	return Decision{Observe: true}
}

func (s *State) turnBack(why string) Decision {
	return Decision{Turn: &Turned{Mode: Back, Generation: s.Generation, Why: why}}
}

// startOver goes back to the start with a new generation, a bounded number of times.
func (s *State) startOver(why string) Decision {
	if s.Generation >= MaxAttempts {
		why = fmt.Sprintf("%s, %d times in a row", why, s.Generation)
		if s.Final {
			return Decision{Stuck: &Stuck{Why: why, Live: s.Live(), Next: "rekey resume " + s.Run}}
		}
		return s.turnBack(why)
	}
	return Decision{Turn: &Turned{Mode: Again, Generation: s.Generation, Why: why}}
}

// forward decides on the way to the end.
func (s *State) forward(now time.Time, holds bool) Decision {
	if s.Plan.Maker() != "" {
		if d, decided := s.secretLost(now, holds); decided {
			return d
		}
	}
	if s.ended() {
		return s.newIsGone()
	}
	if s.Overtaken {
		return s.overtaken()
	}
	r := s.round(now)
	switch {
	case r.failed != nil && r.failed.Verb == Validate && s.taken() && s.Generation < MaxAttempts:
		return Decision{Turn: &Turned{Mode: Forward, Generation: s.Generation + 1,
			Why: "what was taken for the new secret is none (" + r.failure() + "), and nothing runs on it: the new secret is lost"}}
	case r.failed != nil && !s.Final && s.Plan.Strategy != Revoke && s.Step(r.failed.ID).Last.speaksForOld():
		// Somebody holds the old one again, or lost the new one, or the new one does not
		// work any more: everybody is given the old one, which nobody has lost yet.
		return s.turnBack(r.failure())
	case r.failed != nil && !s.Final && r.failed.Verb == Roll && !s.tried(r.failed.ID):
		return s.turnBack(r.failure()) // it asks for a word, and nothing was done yet
	case r.failed != nil && (s.Final || r.failed.Ask || s.Plan.Strategy == Revoke):
		// Everything runs on the new one, and that is proven: going back would
		// restart every consumer for the sake of what a person has to fix anyway.
		// What was revoked never comes back by itself.
		return s.stuck(r)
	case r.failed != nil:
		return s.turnBack(r.failure())
	}
	return s.proceed(r, func() Decision {
		return Decision{Close: s.ending()}
	})
}

// ending is how a run closes that came through.
func (s *State) ending() *Closed {
	switch s.Plan.Strategy {
	case Revoke:
		return &Closed{Ending: Revoked, Why: s.Opened.Reason, Record: s.record("revoke")}
	case Rehearse:
		return &Closed{Ending: Rehearsed, Record: s.record("rehearse")}
	case Repair:
		return &Closed{Ending: Repaired, Current: &s.Plan.Old, Record: s.record("repair")}
	}
	if s.Plan.Strategy == RetireName {
		return &Closed{Ending: NameGone, Why: s.Plan.Spec.Target, Current: &s.Plan.Old, Record: s.record("retire-name")}
	}
	return &Closed{Ending: Rotated, Current: s.Made.Handle, Record: s.record("rotate")}
}

// backward decides on the way back.
func (s *State) backward(now time.Time) Decision {
	if s.cutOff() {
		return s.oldIsGone()
	}
	r := s.round(now)
	if r.failed != nil {
		return s.stuck(r)
	}
	return s.proceed(r, func() Decision {
		if s.Mode == Again {
			return Decision{Turn: &Turned{Mode: Forward, Generation: s.Generation + 1, Why: "once more, with a new label"}}
		}
		return Decision{Close: &Closed{Ending: RolledBack, Why: s.TurnedWhy, Current: &s.Plan.Old}}
	})
}

// proceed turns a round without failures into a decision.
func (s *State) proceed(r round, end func() Decision) Decision {
	switch {
	case len(r.ready) > 0:
		return Decision{Do: r.ready}
	case r.ask && r.until.IsZero():
		return Decision{Ask: s.asking()}
	case !r.until.IsZero():
		return Decision{Wait: &Wait{Until: r.until, For: r.waits}}
	case r.left:
		return Decision{} // steps wait for each other: no ending says what was not done
	}
	return end()
}

func (s *State) record(action string) *Record {
	r := &Record{Action: "secret." + action + ".completed", Actor: s.Opened.Actor}
	r.Context.SecretName = s.Opened.Credential
	r.Context.OldTokenID = s.Plan.Old.ID
	if s.Made != nil {
		r.Context.NewTokenID = s.Made.Handle.ID
	}
	r.Context.Method = "programmatic"
	return r
}
