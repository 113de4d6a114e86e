package runner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Some vendors show nobody what they hold: a CI's secrets. What is known of such a slot
// is what was last written to it, by us, and when; whether that is still so is told by
// the date of its last write, or by what is noted beside it.

// print is the fingerprint of what a slot of a place holds; of one that is not shown, of
// what it was given by this run or held before it; "" where somebody else wrote it.
func (r *Runner) print(place, slot string, h provider.Held) cred.Fingerprint {
	r.noteOurs(place, slot, h)
	if fp, known := r.shown(place, slot, h); known || r.state == nil || r.state.Plan == nil {
		return fp
	}
	// A write of ours of which nobody knows whether it happened may have been this one.
	switch {
	case r.undated(r.state.Plan.GivesBack(place)) && !r.followed(string(rotation.Resettle)+" "+place):
		return r.seenExpected(place, slot)
	case r.undated(r.state.Plan.Writes(place)) && !r.followed(string(rotation.Settle)+" "+place):
		return r.state.Expected(place, slot)
	}
	return ""
}

// shown is print as far as it can be told: by the value, a note, or the date of a write
// that is known.
func (r *Runner) shown(place, slot string, h provider.Held) (fp cred.Fingerprint, known bool) {
	switch {
	case !h.Hidden:
		return r.Keyer.Of(h.Value), true
	case h.Stamp["fingerprint"] != "":
		return cred.Fingerprint(h.Stamp["fingerprint"]), true
	case r.state == nil || r.state.Plan == nil:
		return "", false
	}
	for _, id := range []string{string(rotation.Resettle) + " " + place, r.state.Plan.GivesBack(place), string(rotation.Settle) + " " + place, r.state.Plan.Writes(place)} {
		if last := r.state.Step(id).Last; last != nil {
			for _, s := range last.Slots {
				if s.Slot == slot && s.Hidden && s.Written.Equal(h.Written) {
					return s.Fingerprint, true
				}
			}
		}
	}
	for _, s := range r.seenSlots(place) {
		if s.Slot == slot && s.Present && s.Written.Equal(h.Written) {
			return s.Had(), true
		}
	}
	return "", false
}

// ofSlot is a value that a slot of a place held.
type ofSlot struct {
	place, slot string
	print       cred.Fingerprint
}

// noteOurs remembers that what is noted beside a value says that this run wrote it: a
// journal that was set back has forgotten that. A note that was left beside a value that
// somebody else wrote since is about another one: its fingerprint, which only we can make, tells.
func (r *Runner) noteOurs(place, slot string, h provider.Held) {
	if h.Hidden || !h.Present || r.state == nil || h.Stamp["run"] == "" || h.Stamp["run"] != r.state.Run {
		return
	}
	if fp := r.Keyer.Of(h.Value); h.Stamp["fingerprint"] == string(fp) {
		r.noted.Store(ofSlot{place, slot, fp}, true)
	}
}

// isOurs reports whether a value of a slot was made from a generation of this run, by the
// journal or by what was noted beside it.
func (r *Runner) isOurs(place, slot string, fp cred.Fingerprint) bool {
	if r.state.Ours(place, slot, fp) {
		return true
	}
	_, noted := r.noted.Load(ofSlot{place, slot, fp})
	return noted && fp != "" && fp != r.seenExpected(place, slot)
}

// undated reports whether a write may have happened whose date is not known.
func (r *Runner) undated(id string) bool {
	p := r.state.Step(id)
	return (p.Maybe || p.Status == rotation.Ended) && (p.Last == nil || p.Last.Class != cred.Done || len(p.Last.Slots) == 0)
}

// followed reports whether a write was followed to its end, and dated by that: whatever has
// another date came after it.
func (r *Runner) followed(id string) bool {
	p := r.state.Step(id)
	return p.Status == rotation.Ended && p.Last != nil && len(p.Last.Slots) > 0
}

// hiddenStates are the dates of what a place shows nobody, by which it is known again; of
// other places none are needed.
func (r *Runner) hiddenStates(p sop.Place, held map[string]provider.Held) []cred.SlotState {
	if !r.showsNobody(p.Key) {
		return nil
	}
	return r.states(p.Key, p.SlotNames(), held)
}

// unsureOf reports whether some write of ours to a place had no clear answer, so that it may
// have arrived at any time since.
func (r *Runner) unsureOf(place string) bool {
	return r.state.Step(r.state.Plan.Writes(place)).Maybe || r.state.Step(r.state.Plan.GivesBack(place)).Maybe
}

// datedOnce reports whether a write of ours to a consumer bears a date that one answer told,
// and none since: it may have been another place's.
func (r *Runner) datedOnce(place string) bool {
	_, follows := r.state.Plan.Step(string(rotation.Settle) + " " + place)
	return follows && r.maybeWritten(place) && !r.followed(string(rotation.Settle)+" "+place)
}

// maybeWritten reports whether a write of ours to a place was made, or may have been, and
// nothing was given back since.
func (r *Runner) maybeWritten(place string) bool {
	p, back := r.state.Step(r.state.Plan.Writes(place)), r.state.Step(r.state.Plan.GivesBack(place))
	return (p.Maybe || p.Status == rotation.Ended) && back.Status != rotation.Ended
}

// guessed reports whether what slots hold is taken from their dates, and not from what
// was seen there: then a write that may have happened is made once more.
func (r *Runner) guessed(held map[string]provider.Held) bool {
	for _, h := range held {
		if h.Hidden && h.Stamp["fingerprint"] == "" {
			return true
		}
	}
	return false
}

// showsNobody reports whether a place has slots that are not shown, or only such.
func (r *Runner) showsNobody(key string) bool {
	return r.Can.Places[key].WriteOnly || slices.ContainsFunc(r.seenSlots(key), func(s rotation.SlotSeen) bool { return s.Hidden })
}

// dated notes the dates of a write that was just made, where nobody is shown what was
// written: they are all by which it is known again. It costs one look.
// A date from before the write is not its own: the answer is older than the write, and
// which date that has is not known.
func (r *Runner) dated(ctx context.Context, p sop.Place, c provider.Consumer, written []provider.SlotValue, before func(slot string) time.Time) rotation.Outcome {
	if !r.showsNobody(p.Key) {
		return rotation.Outcome{Class: cred.Done}
	}
	held, err := heldByConsumer(ctx, c, p.SlotNames())
	if err != nil {
		return afterEffect(err)
	}
	for _, v := range written {
		if h := held[v.Slot]; h.Hidden && h.Stamp["fingerprint"] == "" && !h.Written.IsZero() && h.Written.Equal(before(v.Slot)) {
			return afterEffect(&cred.Error{Vendor: p.Vendor, Op: "date the write", Class: cred.Unknown, Why: "slot " + v.Slot + " has the date of before it was written"})
		}
	}
	return rotation.Outcome{Class: cred.Done, Slots: r.asWritten(p, written, held), Evidence: notReadBack(p.Key, held)}
}

// notReadBack says which slots were not, and when they were written.
func notReadBack(key string, held map[string]provider.Held) []string {
	var slots []string
	var last time.Time
	for _, slot := range slices.Sorted(maps.Keys(held)) {
		if h := held[slot]; h.Hidden {
			slots = append(slots, slot)
			if h.Written.After(last) {
				last = h.Written
			}
		}
	}
	if len(slots) == 0 {
		return nil
	}
	when := ""
	if !last.IsZero() {
		when = ", and were last written at " + last.UTC().Format(time.RFC3339) + " by its clock"
	}
	return []string{fmt.Sprintf("not read back: %s of %s are shown to nobody%s", strings.Join(slots, ", "), key, when)}
}

// hides reports whether a slot was last seen to be one that is not shown.
func (r *Runner) hides(place, slot string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, hidden := r.sights[place].dates[slot]
	return hidden
}

// rewritten reports whether a slot that is not shown was written since it was observed,
// and nothing is known of by whom: a journal that was set back does not know a write.
func (r *Runner) rewritten(place string) bool {
	r.mu.Lock()
	s := r.sights[place]
	r.mu.Unlock()
	for _, was := range r.seenSlots(place) {
		if at, hidden := s.dates[was.Slot]; hidden && s.slots[was.Slot] == "" && !at.Equal(was.Written) {
			return true
		}
	}
	return false
}
