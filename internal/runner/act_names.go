package runner

import (
	"context"
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/rotation"
)

// remove takes the slots of a retired name out of the store, and looks whether
// they are gone: a change policy may make a request of it, and the answer to a
// delete tells nothing. What stays must be there as it was, for it is the last
// copy of the truth.
func (r *Runner) remove(ctx context.Context, a rotation.Action) rotation.Outcome {
	place, store := r.storeOf(a.Step)
	if store == nil {
		return failed(cred.Refused, "%s is no longer in rekey.yaml", place.Key)
	}
	held, err := store.Read(ctx, place.SlotNames())
	if err != nil {
		return fromError(err)
	}
	dropped := place.Dropped()
	var there []string
	for _, s := range r.seenSlots(place.Key) {
		now := held[s.Slot]
		switch fp := r.print(place.Key, s.Slot, now); {
		case !slices.Contains(dropped, s.Slot):
			if fp != s.Had() {
				return failed(cred.Foreign, "%s: slot %s, which is to stay, was changed by somebody else", place.Key, s.Slot)
			}
		case !now.Present:
		case fp != s.Had():
			return failed(cred.Foreign, "%s: slot %s was changed by somebody else since it was observed, so somebody uses it", place.Key, s.Slot)
		default:
			there = append(there, s.Slot)
		}
	}
	if len(there) == 0 {
		return rotation.Outcome{Class: cred.Done, Already: true, Evidence: []string{place.Key + " has no " + strings.Join(dropped, ", ")}}
	}
	if a.LookOnly { // asked for once already, and taken: not a second request
		return rotation.Outcome{Class: cred.Waiting, Why: r.state.Step(a.Step.ID).Last.Why}
	}
	if err := store.Remove(ctx, there); err != nil {
		return fromError(err)
	}
	after, err := store.Read(ctx, place.SlotNames())
	if err != nil {
		return afterEffect(err)
	}
	for _, s := range there {
		if after[s].Present {
			return failed(cred.Waiting, "%s took the removal and still has %s: does a change policy wait for an approval?", place.Key, s)
		}
	}
	return rotation.Outcome{Class: cred.Done, Slots: r.states(place.Key, place.SlotNames(), after),
		Evidence: []string{place.Key + " has no " + strings.Join(there, ", ") + " any more, and the rest as it was"}}
}
