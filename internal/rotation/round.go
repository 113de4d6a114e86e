package rotation

import (
	"fmt"
	"time"

	"rekey/internal/cred"
)

// How often a step is tried in one go, by direction. Going back and going on
// after the point of no return are worth more patience than starting.
const (
	triesForward = 5 // without a usable answer
	triesPatient = 9 // the same, going back or after the point of no return
	triesRefused = 3 // refused, with that patience; otherwise once
	limitsInARow = 20
	triesFound   = 4 // a creation whose answer was lost, and whose secret we have made
)

// round is what all active steps together allow now.
type round struct {
	ready  []Action
	ask    bool      // something waits for a person
	until  time.Time // earliest time at which something can be tried
	waits  []string  // what is being waited for
	left   bool      // not every step has ended
	failed *Step
	why    string
}

func (r *round) failure() string { return r.failed.Title + ": " + r.why }

func (r *round) wait(until time.Time, what string) {
	if r.until.IsZero() || until.Before(r.until) {
		r.until = until
	}
	r.waits = append(r.waits, what)
}

// round looks at every active step once.
func (s *State) round(now time.Time) round {
	var r round
	var recurs *Step
	var recursAt time.Time
	active := s.Active()
	in := map[string]bool{}
	for _, st := range active {
		in[st.ID] = true
	}
	for i := range active {
		st := &active[i]
		p := s.Step(st.ID)
		if p.Status == Ended && !st.Recurs {
			continue
		}
		if why := s.giveUp(st, p, now); why != "" {
			r.failed, r.why = st, why
			return r
		}
		r.left = r.left || !st.Recurs
		at, ok := s.readyAt(*st, in)
		if !ok || s.awaits(st.ID, p, in) {
			continue
		}
		if p.Next.After(at) {
			at = p.Next
		}
		if st.Recurs {
			recurs, recursAt = st, s.extendAt()
			if recursAt.After(now) || s.Keep.IsZero() {
				continue
			}
		}
		switch {
		case at.After(now):
			r.wait(at, waitingFor(*st, p))
		case st.Ask && s.Confirmed == nil && s.Mode == Forward:
			r.ask = true
		default:
			r.ready = append(r.ready, Action{
				Step: *st, Generation: s.Generation,
				Look: p.Maybe || p.Tries > 0 || s.Resumed, LookOnly: p.Status == Poll && p.Last != nil && p.Last.Class == cred.Waiting,
			})
		}
	}
	if recurs != nil && !r.until.IsZero() && recursAt.After(now) && recursAt.Before(r.until) {
		r.wait(recursAt, recurs.Title)
	}
	return r
}

// extendAt is when the old secret's time has run down to half of its grace.
func (s *State) extendAt() time.Time {
	return s.Keep.Add(-s.Plan.Spec.Issuer.Grace / 2)
}

// readyAt tells when a step's needs are done and its pause is over. Needs that
// are not active are no needs.
func (s *State) readyAt(st Step, active map[string]bool) (time.Time, bool) {
	var at time.Time
	waited := false
	for _, id := range st.Needs {
		if !active[id] {
			continue
		}
		p := s.Steps[id]
		if p == nil || p.Status != Ended {
			return time.Time{}, false
		}
		waited = true
		if p.Done.After(at) {
			at = p.Done
		}
	}
	if waited {
		at = at.Add(st.After)
	}
	return at, true
}

// giveUp says why a step is not to be tried any more; "" if it may be.
func (s *State) giveUp(st *Step, p *Progress, now time.Time) string {
	unanswered, refused := triesForward, 1
	if s.Mode != Forward || s.Final || st.Ask || s.Plan.Strategy == Revoke || st.Verb == Watch {
		unanswered, refused = triesPatient, triesRefused
	}
	if p.Last != nil && p.Last.Class == cred.Conflict && st.Verb != Create && st.Verb != Roll {
		refused = max(refused, 2) // after another look, which tells whether it was ours
	}
	if held := s.found(st.ID); len(held) > 0 {
		return words(p.Last) // looking again finds it again
	}
	switch {
	case p.Status == Broken && p.Tries >= refused,
		p.Status == Retry && (p.Tries >= unanswered || p.Limits > limitsInARow):
		return words(p.Last)
	case p.Status == Poll && st.Within > 0 && !p.First.IsZero() && now.Sub(p.First) > st.Within:
		return fmt.Sprintf("not within %s; last: %s", st.Within, words(p.Last))
	}
	return ""
}

func words(o *Outcome) string {
	if o.Why != "" {
		return o.Why
	}
	return o.Class.Says()
}

func waitingFor(st Step, p *Progress) string {
	if p.Last != nil && p.Last.Why != "" {
		return st.Title + ": " + p.Last.Why
	}
	return st.Title
}
