package rotation

import (
	"fmt"
	"slices"
	"time"

	"rekey/internal/cred"
)

// stuck ends what the run can do by itself: it says what failed, what is live
// and where, and which command goes on.
func (s *State) stuck(r round) Decision {
	next := fmt.Sprintf("rekey resume %s", s.Run)
	return Decision{Stuck: &Stuck{Why: r.failure(), Live: s.Live(), Next: next}}
}

// Live tells which generations are live and who holds what, as far as the journal knows,
// and of each when that was seen. "may" stands where an answer is missing.
func (s *State) Live() []string {
	if s.Plan == nil {
		if s.Resumed {
			return []string{"according to the journal nothing was changed; that was not verified"}
		}
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
		return append([]string{"this run does not touch the one in use", s.newIs()}, s.storesHold()...)
	case RollWithGrace, RollAtOnce:
		return append(s.liveRolled(), s.liveHolders()...)
	}
	old := fmt.Sprintf("the old one, %s", s.Plan.Old.Named())
	switch {
	case s.missing(s.Plan.Old.ID) && !s.done(string(Delete)):
		out = append(out, old+", no longer exists"+asSeen(s.Sight.Done))
	case s.done(string(Delete)):
		out = append(out, old+", is deleted"+asSeen(s.latest(string(Delete))))
	case s.Final && s.tried(string(Delete)):
		out = append(out, old+", may already be deleted")
	case s.Final:
		out = append(out, old+", "+s.on()+s.dismissed()+": the vendor refused to delete it"+s.oldSeen())
	default:
		out = append(out, old+", "+s.on()+s.dismissed()+s.oldSeen())
	}
	out = append(out, s.newIs())
	return append(out, s.liveHolders()...)
}

// liveRevoked tells how much of a credential is left.
func (s *State) liveRevoked() []string {
	name := s.Plan.Old.Named()
	when := s.oldSeen()
	switch {
	case s.done(string(Delete)):
		name, when = name+" is deleted", asSeen(s.latest(string(Delete)))
	case s.tried(string(Delete)):
		name, when = name+" may already be deleted", ""
	default:
		name += " " + s.on()
	}
	return append([]string{name + s.dismissed() + when}, s.Plan.Notes...)
}

// liveRolled tells of the secrets of a handle that was rolled in place.
func (s *State) liveRolled() []string {
	name := s.Plan.Old.Named()
	switch {
	case s.missing(s.Plan.Old.ID):
		return []string{name + " no longer exists" + asSeen(s.Sight.Done)}
	case s.done(string(Expire)):
		return []string{name + " has a new secret; the old one is dead" + asSeen(s.latest(string(Expire)))}
	case s.Plan.Strategy == RollAtOnce && s.tried(string(Roll)):
		return []string{name + " may have a new secret; the old one is dead then"}
	case !s.Keep.IsZero():
		return []string{fmt.Sprintf("%s has a new secret; the old one works until %s", name, s.Keep.UTC().Format(time.RFC3339)) + asSeen(s.latest(string(Roll), string(Extend), string(Prolong)))}
	case s.done(string(Roll)) && s.Plan.Strategy == RollWithGrace && !s.planHas(string(Extend)) && !s.tried(string(Prolong)):
		return []string{name + " has a new secret beside the old one, which works until it is ended" + asSeen(s.latest(string(Roll)))}
	case s.tried(string(Roll)) && s.Plan.Strategy == RollWithGrace && !s.planHas(string(Extend)):
		return []string{name + " may have a new secret; the old one works until it is ended"}
	case s.tried(string(Roll)):
		return []string{name + " may have a new secret; the old one works for " + brief(s.Plan.Spec.Issuer.Grace) + " from then"}
	}
	return []string{name + " has the secret that it had" + s.oldSeen()}
}

// storesHold tells what the stores hold.
func (s *State) storesHold() []string {
	var out []string
	for _, p := range s.Plan.Spec.Stores() {
		out = append(out, s.holds(p.Key, s.Plan.Writes(p.Key), s.Plan.GivesBack(p.Key)))
	}
	return out
}

// liveHolders tells what stores and consumers hold.
func (s *State) liveHolders() []string {
	out := s.storesHold()
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
		return "is live, but may be disabled"
	}
	return "is live"
}

func (s *State) dismissed() string {
	for _, pl := range s.Plan.Seen.Admission.Places {
		if s.tried(stepID(Dismiss, pl.Key())) && !s.done(stepID(Readmit, pl.Key())) {
			and := ", but"
			if s.tried(string(Disable)) && !s.done(string(Enable)) { // there is a "but" already
				and = " and"
			}
			if s.done(stepID(Dismiss, pl.Key())) {
				return fmt.Sprintf("%s no longer named in %s %q", and, pl.Kind, pl.Name)
			}
			return fmt.Sprintf("%s may no longer be named in %s %q", and, pl.Kind, pl.Name)
		}
	}
	return ""
}

func (s *State) newIs() string {
	name := s.Plan.Named(s.Generation)
	switch {
	case s.done(string(Discard)), s.done(stepID(Discard, "at the end")):
		return fmt.Sprintf("the new one, %s, is deleted", name) + asSeen(s.latest(string(Discard), stepID(Discard, "at the end")))
	case s.Made != nil && s.missing(s.Made.Handle.ID):
		return fmt.Sprintf("the new one, %s, no longer exists", s.Made.Handle.Named()) + asSeen(s.Sight.Done)
	case s.Made != nil && s.tried(string(Discard)):
		return fmt.Sprintf("the new one, %s, may still be live", s.Made.Handle.Named())
	case s.Made != nil:
		return fmt.Sprintf("the new one, %s, is live", s.Made.Handle.Named()) + s.newSeen()
	case s.tried(string(Create)):
		return fmt.Sprintf("a new one named %s may exist", name)
	}
	return "no new one was made"
}

// holds tells what a place holds: what it was last seen to hold, or was given.
func (s *State) holds(key, write, undo string) string {
	if at := s.seenOtherwise(key); at.After(s.latest(write, undo)) {
		return key + " holds something else than this run gave it" + asSeen(at)
	}
	verb := " holds "
	if s.untold(key) {
		verb = " does not show what it holds, and was given "
	}
	old, again := verb+"the old one", verb+"the old one again"
	if s.HeldNothing(key) {
		old, again = " holds none of it yet", " holds none of it, as before"
	}
	switch {
	case s.done(undo):
		return key + again + asSeen(s.lastAt(key, undo, stepID(Resettle, key)))
	case s.tried(undo):
		return key + " may hold either"
	case s.done(write):
		return key + verb + "the new one" + asSeen(s.lastAt(key, write, stepID(Settle, key)))
	case s.tried(write):
		return key + " may hold either"
	}
	return key + old + asSeen(s.Plan.Seen.At)
}

// HeldNothing reports whether a place held nothing in any slot before the run: one that
// is new, and which has no old one to give back.
func (s *State) HeldNothing(key string) bool {
	slots := s.Plan.Seen.SlotsOf(s.Plan.Spec, key)
	return len(slots) > 0 && !slices.ContainsFunc(slots, func(slot SlotSeen) bool { return slot.Present })
}

// seen says when something was.
func asSeen(at time.Time) string {
	if at.IsZero() {
		return " (by the journal; it was not looked at)"
	}
	return " (seen at " + at.UTC().Format(time.DateTime) + " UTC)"
}

// latest is when the last of these steps was done.
func (s *State) latest(steps ...string) (at time.Time) {
	for _, id := range steps {
		if p := s.Steps[id]; p != nil && p.Status == Ended && p.Done.After(at) {
			at = p.Done
		}
	}
	return at
}

// lastAt is latest, or when everybody was last seen to hold what they should.
func (s *State) lastAt(key string, steps ...string) time.Time {
	at := s.latest(steps...)
	if s.Mode != Forward || s.untold(key) {
		return at
	}
	for _, st := range s.Plan.Steps {
		if p := s.Steps[st.ID]; (st.Verb == Watch || st.Verb == Running) && p != nil && p.Status == Ended && len(p.Last.Held) == 0 && p.Done.After(at) {
			at = p.Done
		}
	}
	return at
}

// oldSeen says when the issuer last told of the old one.
func (s *State) oldSeen() string {
	at := s.Plan.Seen.At
	for _, t := range []time.Time{s.Sight.Done, s.latest(string(Quiet), string(Disable), string(Enable), string(Look))} {
		if t.After(at) {
			at = t
		}
	}
	return asSeen(at)
}

// newSeen says when the new one was last told of, or seen to work.
func (s *State) newSeen() string {
	at := s.latest(string(Create), string(Take), string(Quiet))
	for _, st := range s.Plan.Steps {
		if p := s.Steps[st.ID]; (st.Verb == Validate || st.Verb == Confirm || st.Verb == Denied) && p != nil && p.Status == Ended && p.Done.After(at) {
			at = p.Done
		}
	}
	out := asSeen(at)
	for _, p := range s.Steps {
		if p.Last != nil && p.Last.Unproven && p.At.After(at) {
			out = ", and did not work any more when it was tried" + asSeen(p.At)
		}
	}
	return out
}

// missing reports whether a process that took the run up did not find a generation.
func (s *State) missing(id string) bool { return id != "" && slices.Contains(s.Missing, id) }

// seenOtherwise is when a place was last seen not to hold what it should; zero: never.
func (s *State) seenOtherwise(key string) (at time.Time) {
	for id, p := range s.Steps {
		if p.Last == nil || !slices.Contains(p.Last.Held, key) || !p.At.After(at) {
			continue
		}
		st, _ := s.planStep(id) // a last look is done, whatever it saw
		if p.Last.Class != cred.Done || st.Verb == Running || st.Verb == Look {
			at = p.At
		}
	}
	return at
}

// untold reports whether a place does not show what it holds.
func (s *State) untold(key string) bool {
	return slices.ContainsFunc(s.Plan.Seen.Consumers, func(c ConsumerSeen) bool {
		return c.Key == key && slices.ContainsFunc(c.Slots, SlotSeen.Untold)
	})
}
