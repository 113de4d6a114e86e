package rotation

import (
	"slices"
	"time"

	"rekey/internal/cred"
	"rekey/internal/sop"
)

// secretLost decides what to do when nobody has the new secret: the answer that
// carried it was lost, or the process died that had it in memory.
func (s *State) secretLost(now time.Time, holds bool) (Decision, bool) {
	made := s.Step(s.Plan.Maker())
	store := s.Step(string(Store))
	limited := made.Last != nil && made.Last.Class == cred.Limited
	why := ""
	switch {
	case made.Status == Idle && s.CreateAt.After(now):
		return Decision{Wait: &Wait{Until: s.CreateAt, For: []string{"the issuer's rate limit"}}}, true
	case made.Status == Retry && limited && s.Plan.Strategy == Replace:
		why = "the issuer's rate limit was reached"
	case made.Status == Retry && limited && !made.Maybe:
		return Decision{}, false // certainly not rolled: it may be tried again
	case s.findable(made, holds):
		return Decision{}, false
	case made.Status == Retry || made.Status == Poll:
		why = "the answer that carried the new secret was lost"
	case s.Made != nil && !s.done(string(Store)) && !holds && !store.Maybe,
		s.foundLost():
		why = "the new secret died with the process that made it"
	default:
		return Decision{}, false
	}
	if s.Plan.Strategy == RollWithGrace {
		// Rolling again would drop the secret that consumers still use.
		return s.turnBack(why), true
	}
	return s.startOver(why), true
}

// findable reports whether what a lost answer may have left can be told by trying it:
// we have made the secret ourselves, and hold it still. It is looked for a few times,
// for a list may be late.
func (s *State) findable(made *Progress, holds bool) bool {
	return holds && s.Made == nil && (made.Status == Retry || made.Status == Poll) && made.Tries < triesFound
}

// unlisted reports whether nothing else in this direction reads the issuer's list after the
// creation: a creation that was answered well may have been sent twice on its way, and only
// a list shows the other one.
func (s *State) unlisted() bool {
	switch s.Plan.Strategy {
	case Rehearse:
		return true
	case Replace:
		return s.Mode == Forward && !s.Plan.LooksUnused()
	}
	return false
}

// LooksUnused reports whether the issuer is asked when the old one was last used.
func (p *Plan) LooksUnused() bool {
	return slices.ContainsFunc(p.Steps, func(st Step) bool { return st.Verb == Quiet })
}

// taken reports whether the new secret of a roll at once was taken from what a store held
// when the run was taken up, and no consumer holds it: there is no way back, and if it is
// not the new one, another one has to be made.
func (s *State) taken() bool {
	return s.Plan.Strategy == RollAtOnce && s.Made != nil && s.Made.Step == ResumeStep &&
		!slices.ContainsFunc(s.Plan.Spec.Consumers, func(c sop.Place) bool { return s.tried(s.Plan.Writes(c.Key)) })
}

// foundLost reports whether a step that needs the new secret has found it nowhere.
func (s *State) foundLost() bool {
	for _, st := range s.Plan.Steps {
		p := s.Steps[st.ID]
		if (st.Verb == Store || st.Verb == Validate) && p != nil && p.Last != nil && p.Last.Lost && p.Status != Ended {
			return true
		}
	}
	return false
}
