package rotation

import (
	"fmt"
	"slices"
	"strings"

	"rekey/internal/sop"
)

// The first store is the truth: it is written first, and every other place is made from
// what it holds. A store that follows it is written by the same steps, with its key as
// their target, once the first was written and read back; consumers come after all of
// them. On the way back it is the other way round: consumers, the stores that follow,
// and the first one last.

// StoreDrift: a store that follows does not hold what the first one holds.
const StoreDrift = "store-drift"

// atTheEnd is said after the key of a store by steps that would else have the name of
// another one.
const atTheEnd = "at the end"

// StoreOf returns which store a step writes, reads or empties.
func (p *Plan) StoreOf(st Step) sop.Place {
	key := strings.TrimSuffix(strings.TrimSuffix(st.Target, atTheEnd), " ")
	if place, _, ok := p.Spec.OneOfStores(key); ok {
		return place
	}
	return p.Spec.Store
}

// Kept is the word for what is written before consumers are: one store, or several.
func (p *Plan) Kept() string {
	if len(p.Spec.Further) > 0 {
		return "stores"
	}
	return "store"
}

// Writes is the step that gives a place the new generation.
func (p *Plan) Writes(key string) string {
	if _, first, ok := p.Spec.OneOfStores(key); ok {
		return stepID(Store, target(key, first))
	}
	return stepID(Propagate, key)
}

// GivesBack is the step that gives a place the old values again.
func (p *Plan) GivesBack(key string) string {
	if _, first, ok := p.Spec.OneOfStores(key); ok {
		return stepID(Restore, target(key, first))
	}
	return stepID(Return, key)
}

// target of a step of a store: the first has none, as it had before there could be others.
func target(key string, first bool) string {
	if first {
		return ""
	}
	return key
}

// keep adds the stores: the first, and once that was written and read back those that
// follow it. It returns what consumers wait for.
func (p *Plan) keep(b *builder, can Capabilities, needs []string) []string {
	kept := needs
	for i, s := range p.Spec.Stores() {
		step := p.storeStep(can, s, i == 0)
		step.Needs = needs
		last := []string{p.apply(b, can, s.Key, Step{Needs: []string{b.add(step)}})}
		if i == 0 {
			kept, needs = last, last
		} else {
			kept = append(slices.Clone(kept), last...)
		}
	}
	return kept
}

// storeStep writes one store; its needs are the caller's.
func (p *Plan) storeStep(can Capabilities, s sop.Place, first bool) Step {
	how := "one batch of "
	if can.Places[s.Key].Piecewise && len(s.Slots) > 1 {
		how = "one after the other, "
	}
	return Step{Verb: Store, Target: target(s.Key, first), Within: p.Spec.Timing.Settle,
		Title: fmt.Sprintf("store it in %s (%s)", s.Key, count(len(s.Slots), "slot")), Call: can.Calls[s.Key],
		Change: fmt.Sprintf("%s: %s%s", s.Key, how, strings.Join(s.SlotNames(), ", "))}
}

// restore gives the stores their old values back once the consumers have theirs: those
// that follow first, for they follow.
func (p *Plan) restore(b *builder, can Capabilities, returned []string) []string {
	out := slices.Clone(returned)
	stores := p.Spec.Stores()
	for i := len(stores) - 1; i >= 0; i-- {
		s, needs := stores[i], returned
		if i == 0 {
			needs = slices.Clone(out)
		}
		undoes := p.Writes(s.Key)
		restored := b.add(Step{Verb: Restore, Target: target(s.Key, i == 0), Undoes: undoes, Needs: needs, Within: p.Spec.Timing.Settle,
			Title: "give " + s.Key + " its old values back"})
		out = append(out, p.reapply(b, can, s.Key, undoes, restored))
	}
	return out
}

// furtherRefusals are what stands against a run at a store that follows. One that holds
// nothing yet does not: it is new, and the run fills it.
func furtherRefusals(spec sop.Spec, seen *Observation, add adder) {
	for _, f := range seen.Further {
		for _, why := range f.Refused {
			add(StoreRule, "take the folder out of the rule's scope, or change the rule", "%s: %s", f.Key, why)
		}
		for _, s := range f.Slots {
			switch {
			case s.Problem != "":
				add(StoreUnwritable, "fix it in the store, or leave the slot out of rekey.yaml", "%s: slot %s: %s", f.Key, s.Slot, s.Problem)
			case s.Present && s.Expected != "" && s.Had() != s.Expected:
				add(StoreDrift, "look which one is right: rekey drift "+spec.Name+"; rekey repair "+spec.Name+" gives it what "+spec.Store.Key+" holds",
					"%s does not hold what %s holds: slot %s holds %s instead of %s", f.Key, spec.Store.Key, s.Slot, s.Fingerprint.Short(), s.Expected.Short())
			}
		}
	}
}

// placeRemarks are what is worth knowing of one place that is written.
func (p *Plan) placeRemarks(can Capabilities, key string, slots []SlotSeen, proof string) {
	note := func(format string, args ...any) { p.Notes = append(p.Notes, fmt.Sprintf(format, args...)) }
	var hidden []string
	none := len(slots) > 1 && !slices.ContainsFunc(slots, func(s SlotSeen) bool { return s.Present })
	if none {
		note("%s holds none of its %d slots yet: they will be made", key, len(slots))
	}
	for _, s := range slots {
		if !s.Present && !none {
			note("%s has no slot %s yet: it will be made", key, s.Slot)
		}
		if s.Hidden {
			hidden = append(hidden, s.Slot)
		}
	}
	if len(hidden) > 0 || can.Places[key].WriteOnly {
		note("%s does not show what it holds%s: its writes are dated and not read back, %s", key, inSlots(hidden), proof)
	}
}

// piecewise says so where the slots of a place are written one by one.
func (p *Plan) piecewise(can Capabilities, key string, slots []SlotSeen) {
	if can.Places[key].Piecewise && len(slots) > 1 {
		p.Notes = append(p.Notes, fmt.Sprintf("%s takes one slot at a time: for a moment its slots may hold different credentials", key))
	}
}
