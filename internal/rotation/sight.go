package rotation

import (
	"fmt"
	"slices"
	"time"

	"rekey/internal/cred"
	"rekey/internal/sop"
)

// A resumed process does not trust the journal alone: it may have been set back to
// an earlier moment (a restored backup, a snapshot), or another process may have
// gone on meanwhile. So it looks at what the issuer lists before it acts, and takes
// up what the journal does not know.

// mustSee reports whether a resumed process has to look first. Runs that end
// something in an emergency, or make nothing, go by what they look at anyway.
func (s *State) mustSee() bool {
	return s.Plan != nil && s.Closed == nil && (s.Plan.Strategy == Replace || s.Plan.Strategy == Rehearse || s.Plan.Strategy == RollWithGrace || s.Plan.Strategy == RollAtOnce)
}

// see decides on that look. It is read-only and may be repeated.
func (s *State) see(now time.Time) Decision {
	p := s.Sight
	switch {
	case p.Last == nil:
		return Decision{See: true}
	case p.Status == Broken && p.Tries >= triesRefused, p.Tries >= triesForward, p.Limits > limitsInARow:
		return Decision{Stuck: &Stuck{Why: "the run was taken up, and what is live could not be seen: " + words(p.Last), Live: s.Live(), Next: "rekey resume " + s.Run}}
	case p.Next.After(now):
		return Decision{Wait: &Wait{Until: p.Next, For: []string{ResumeStep + ": " + p.Last.Why}}}
	}
	return Decision{See: true}
}

// saw folds what a resumed process found.
func (s *State) saw(o *Outcome, at time.Time) {
	s.Seeing = false
	s.Missing = o.Missing
	if slices.Contains(o.Missing, s.Plan.Old.ID) || o.Over || o.Handle != nil && s.Plan.Strategy == RollAtOnce {
		s.Final = true // there is nothing to go back to
	}
	maker := s.Plan.Maker()
	for _, key := range o.Held {
		s.step(s.Plan.Writes(key)).Maybe = true // by a write that the journal does not know
	}
	switch {
	case o.Handle != nil:
		// The store or a consumer holds a generation of this run that the journal does
		// not know: it is the one under way.
		if s.Mode != Forward || s.Generation != o.Generation {
			s.Steps = map[string]*Progress{}
			s.Mode, s.Generation = Forward, o.Generation
			for _, key := range o.Held {
				s.step(s.Plan.Writes(key)).Maybe = true
			}
		}
		s.Made = o
		p := s.step(maker)
		p.Status, p.Done, p.Last, p.Maybe = Ended, at, o, true
	case o.Stray:
		s.Uncertain = true
		// Rolled at once, only the latest secret works: where that is not the one that everybody
		// was given, nobody has it.
		s.Overtaken = s.Plan.Strategy == RollAtOnce && s.Mode == Forward && s.Made != nil
		if p := s.step(maker); s.Mode == Forward && s.Made == nil && p.Status != Ended {
			p.Status, p.Maybe, p.Last = Retry, true, &Outcome{Step: maker, Class: cred.Unknown, Why: o.Why}
		}
	}
}

// overtaken decides for a run that rolled at once, and whose secret has ended by another
// roll, perhaps by one of its own that arrived late: whoever resumes it wants it to work, so
// it is rolled once more.
func (s *State) overtaken() Decision {
	why := fmt.Sprintf("%s was given another secret since this run gave it one, and that one cannot be found: the new secret is lost", s.Plan.Old.Named())
	if s.Generation >= MaxAttempts {
		return Decision{Stuck: &Stuck{Why: why, Live: s.Live(), Next: "rekey resume " + s.Run}}
	}
	return Decision{Turn: &Turned{Mode: Forward, Generation: s.Generation + 1, Why: why}}
}

// Unwritten are the places that the journal knows no write of by this generation.
func (s *State) Unwritten() []sop.Place {
	var out []sop.Place
	for _, p := range s.Plan.Spec.Places() {
		if !s.tried(s.Plan.Writes(p.Key)) {
			out = append(out, p)
		}
	}
	return out
}

// ended reports that the new generation was ended by somebody else.
func (s *State) ended() bool {
	return s.Made != nil && slices.Contains(s.Missing, s.Made.Handle.ID)
}

// newIsGone decides for a run whose new generation somebody else has ended.
func (s *State) newIsGone() Decision {
	why := fmt.Sprintf("somebody else ended the new one, %s", s.Made.Handle.Name)
	switch {
	case s.Plan.Maker() == string(Roll):
		// What is rolled in place is ended altogether: there is nothing to roll, or to go back to.
		return Decision{Stuck: &Stuck{Why: fmt.Sprintf("somebody else ended %s altogether: nothing is left to roll or to go back to", s.Plan.Old.Named()), Live: s.Live(), Next: "rekey resume " + s.Run}}
	case !s.Final:
		return s.turnBack(why)
	case s.Generation >= MaxAttempts:
		return Decision{Stuck: &Stuck{Why: why, Live: s.Live(), Next: "rekey resume " + s.Run}}
	}
	// There is nothing to go back to: another one is made, and given to everybody.
	return Decision{Turn: &Turned{Mode: Forward, Generation: s.Generation + 1, Why: why}}
}

// cutOff reports that somebody else ended the old one while the run was on its way back
// to it, and the new one lives.
func (s *State) cutOff() bool {
	return s.Plan.Strategy == Replace && s.Made != nil && !s.ended() &&
		slices.Contains(s.Missing, s.Plan.Old.ID) && !s.tried(stepID(Discard, ""))
}

// oldIsGone decides for such a run: another one is made and given to everybody, for
// some may hold the one and some the other, and the clean-up at the end finds the first.
func (s *State) oldIsGone() Decision {
	why := fmt.Sprintf("somebody else ended the old one, %s: there is nothing to go back to", s.Plan.Old.Name)
	if s.Generation >= MaxAttempts {
		return Decision{Stuck: &Stuck{Why: why, Live: s.Live(), Next: "rekey resume " + s.Run}}
	}
	return Decision{Turn: &Turned{Mode: Forward, Generation: s.Generation + 1, Why: why}}
}
