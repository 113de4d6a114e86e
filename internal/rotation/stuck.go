package rotation

import (
	"fmt"
	"time"
)

// stuck ends what the run can do by itself: it says what failed, what is live
// and where, and which command goes on.
func (s *State) stuck(r round) Decision {
	next := fmt.Sprintf("rekey resume %s", s.Run)
	return Decision{Stuck: &Stuck{Why: r.failure(), Live: s.Live(), Next: next}}
}

// Live tells which generations are live and who holds what, as far as the
// journal knows. "may" stands where an answer is missing.
func (s *State) Live() []string {
	if s.Plan == nil {
		return []string{"nothing was touched"}
	}
	var out []string
	switch s.Plan.Strategy {
	case Revoke:
		return s.liveRevoked()
	case Repair:
		return s.liveRepaired()
	case RetireName:
		return s.liveRetiringName()
	case Rehearse:
		return []string{"the one in use is as it was", s.newIs(), s.holds(s.Plan.Spec.Store.Key, stepID(Store, ""), stepID(Restore, ""))}
	case RollWithGrace, RollAtOnce:
		return append(s.liveRolled(), s.liveHolders()...)
	}
	old := fmt.Sprintf("the old one, %s (%s)", s.Plan.Old.Name, s.Plan.Old.ID)
	switch {
	case s.done(string(Delete)):
		out = append(out, old+", is deleted")
	case s.Final && s.tried(string(Delete)):
		out = append(out, old+", may be deleted")
	case s.Final:
		out = append(out, old+", "+s.on()+": the vendor refused to delete it"+s.dismissed())
	default:
		out = append(out, old+", "+s.on()+s.dismissed())
	}
	out = append(out, s.newIs())
	return append(out, s.liveHolders()...)
}

// liveRevoked tells how much of a credential is left.
func (s *State) liveRevoked() []string {
	name := fmt.Sprintf("%s (%s)", s.Plan.Old.Name, s.Plan.Old.ID)
	switch {
	case s.done(string(Delete)):
		name += " is deleted"
	case s.tried(string(Delete)):
		name += " may be deleted"
	default:
		name += " " + s.on()
	}
	return append([]string{name + s.dismissed()}, s.Plan.Notes...)
}

// liveRolled tells of the secrets of a handle that was rolled in place.
func (s *State) liveRolled() []string {
	name := fmt.Sprintf("%s (%s)", s.Plan.Old.Name, s.Plan.Old.ID)
	switch {
	case s.done(string(Expire)):
		return []string{name + " has a new secret; the old one is dead"}
	case s.Plan.Strategy == RollAtOnce && s.tried(string(Roll)):
		return []string{name + " may have a new secret; the old one is dead then"}
	case !s.Keep.IsZero():
		return []string{fmt.Sprintf("%s has a new secret; the old one works until %s", name, s.Keep.UTC().Format(time.RFC3339))}
	case s.done(string(Roll)) && s.Plan.Strategy == RollWithGrace && !s.planHas(string(Extend)) && !s.tried(string(Prolong)):
		return []string{name + " has a new secret beside the old one, which works until it is ended"}
	case s.tried(string(Roll)) && s.Plan.Strategy == RollWithGrace && !s.planHas(string(Extend)):
		return []string{name + " may have a new secret; the old one works until it is ended"}
	case s.tried(string(Roll)):
		return []string{name + " may have a new secret; the old one works for " + brief(s.Plan.Spec.Issuer.Grace) + " from then"}
	}
	return []string{name + " has the secret that it had"}
}

// liveHolders tells what store and consumers hold.
func (s *State) liveHolders() []string {
	out := []string{s.holds(s.Plan.Spec.Store.Key, stepID(Store, ""), stepID(Restore, ""))}
	for _, c := range s.Plan.Spec.Consumers {
		out = append(out, s.holds(c.Key, stepID(Propagate, c.Key), stepID(Return, c.Key)))
	}
	return out
}

// on tells whether the old generation still works.
func (s *State) on() string {
	switch {
	case s.done(string(Enable)):
		return "is live"
	case s.done(string(Disable)):
		return "is live, but switched off"
	case s.tried(string(Disable)):
		return "is live, but may be switched off"
	}
	return "is live"
}

func (s *State) dismissed() string {
	for _, pl := range s.Plan.Seen.Admission.Places {
		if s.tried(stepID(Dismiss, pl.Key())) && !s.done(stepID(Readmit, pl.Key())) {
			return fmt.Sprintf(" but may no longer be named in %s %q", pl.Kind, pl.Name)
		}
	}
	return ""
}

func (s *State) newIs() string {
	name := s.Plan.Named(s.Generation)
	switch {
	case s.done(string(Discard)), s.done(stepID(Discard, "at the end")):
		return fmt.Sprintf("the new one, %s, is deleted", name)
	case s.Made != nil && s.tried(string(Discard)):
		return fmt.Sprintf("the new one, %s (%s), may still be live", name, s.Made.Handle.ID)
	case s.Made != nil:
		return fmt.Sprintf("the new one, %s (%s), is live", name, s.Made.Handle.ID)
	case s.tried(string(Create)):
		return fmt.Sprintf("a new one named %s may exist", name)
	}
	return "no new one was made"
}

func (s *State) holds(key, write, undo string) string {
	switch {
	case s.done(undo):
		return key + " holds the old one again"
	case s.tried(undo):
		return key + " may hold either"
	case s.done(write):
		return key + " holds the new one"
	case s.tried(write):
		return key + " may hold either"
	}
	return key + " holds the old one"
}
