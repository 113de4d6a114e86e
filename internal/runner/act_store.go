package runner

import (
	"context"
	"maps"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// store writes every slot in one batch; the answer, made after the transaction,
// has to show every value at the next version. After an attempt of unknown fate
// it looks first, and writes only what is not there. A store that follows the first is
// always looked at: it may count no versions, and then only a look right before the
// write tells that somebody else has written.
func (r *Runner) store(ctx context.Context, a rotation.Action) rotation.Outcome {
	place, s := r.storeOf(a.Step)
	if s == nil {
		return failed(cred.Refused, "%s is no longer in rekey.yaml", place.Key)
	}
	follows := a.Step.Target != ""
	if a.Look || follows {
		held, err := s.Read(ctx, place.SlotNames())
		if err != nil {
			return fromError(err)
		}
		if r.allExpected(place, held) == "" && !r.guessed(held) {
			if o, bad := r.interleaved(ctx, place, held); bad {
				return o
			}
			return rotation.Outcome{Class: cred.Done, Already: true, Slots: r.states(place.Key, place.SlotNames(), held)}
		}
		if a.LookOnly {
			o := *r.state.Step(a.Step.ID).Last
			return rotation.Outcome{Class: cred.Waiting, Why: o.Why}
		}
		if o := r.writtenByOthers(place.Key, held); o != nil && follows {
			return *o
		}
	}
	b, err := r.newBundle(ctx)
	if err == errLost {
		return lost()
	}
	if err != nil {
		return fromError(err)
	}
	vs, err := values(place, b)
	if err != nil {
		return failed(cred.Refused, "%v", err)
	}
	r.stamp(vs, r.state.Label())
	r.forgetSlots(place.Key)
	written, err := s.Write(ctx, vs)
	if err != nil {
		return fromError(err)
	}
	slots := r.asWritten(place, vs, written)
	for _, x := range slots {
		if x.Fingerprint != r.state.Expected(place.Key, x.Slot) {
			return failed(cred.Failed, "the store took the write and keeps something else in slot %s", x.Slot)
		}
	}
	if o, bad := r.interleaved(ctx, place, written); bad {
		return o
	}
	r.noteSlots(place.Key, slots, false)
	o := rotation.Outcome{Class: cred.Done, Slots: slots, Evidence: notReadBack(place.Key, written)}
	if o.Evidence == nil {
		how := "in one batch"
		if r.Can.Places[place.Key].Piecewise && len(slots) > 1 {
			how = "one slot after the other"
		}
		o.Evidence = []string{"written " + how + "; every slot holds it" + r.oneUp(place, written)}
	}
	return o
}

// storeOf is the store that a step is about, and who plays it; nil if nobody does.
func (r *Runner) storeOf(st rotation.Step) (sop.Place, provider.Store) {
	place := r.state.Plan.StoreOf(st)
	if place.Key == r.state.Plan.Spec.Store.Key {
		return place, r.Roles.Store
	}
	return place, r.Roles.Further[place.Key]
}

// asWritten is what the slots of a place hold after a write of ours, by its own answer;
// of what it shows nobody, by what was given to it.
func (r *Runner) asWritten(p sop.Place, vs []provider.SlotValue, written map[string]provider.Held) []cred.SlotState {
	slots := r.states(p.Key, p.SlotNames(), written)
	for i := range slots {
		for _, v := range vs {
			if s := &slots[i]; s.Hidden && s.Slot == v.Slot {
				s.Fingerprint = r.Keyer.Of(v.Value)
			}
		}
	}
	return slots
}

// stamp notes beside each value which run made it, for people and for drift.
func (r *Runner) stamp(vs []provider.SlotValue, generation string) {
	for i := range vs {
		vs[i].Stamp = map[string]string{
			"run": r.state.Run, "generation": generation, "fingerprint": string(r.Keyer.Of(vs[i].Value)),
		}
	}
}

// allExpected returns the first slot that does not hold what the new generation
// makes, or "".
func (r *Runner) allExpected(p sop.Place, held map[string]provider.Held) string {
	for _, name := range p.SlotNames() {
		r.noteOurs(p.Key, name, held[name])
	}
	for _, name := range p.SlotNames() {
		if r.print(p.Key, name, held[name]) != r.state.Expected(p.Key, name) {
			return name
		}
	}
	return ""
}

// restore gives the store its old values back, slot by slot: only what still
// holds ours is touched.
func (r *Runner) restore(ctx context.Context, a rotation.Action) rotation.Outcome {
	place, s := r.storeOf(a.Step)
	if s == nil {
		return failed(cred.Refused, "%s is no longer in rekey.yaml", place.Key)
	}
	held, err := s.Read(ctx, place.SlotNames())
	if err != nil {
		return fromError(err)
	}
	back, evidence, err := r.givingBack(ctx, place, r.seenSlots(place.Key), held, false)
	if err != nil {
		return fromError(err)
	}
	theirs, err := r.overwritten(ctx, place, back, held)
	if err != nil {
		return fromError(err)
	}
	evidence = append(evidence, theirs...)
	r.forgetSlots(place.Key)
	var write []provider.SlotValue
	var remove []string
	for _, v := range back {
		if v.Value.Present() {
			write = append(write, v)
		} else {
			remove = append(remove, v.Slot)
		}
	}
	given := r.hiddenStates(place, held) // what comes after this look has another date
	if len(write) > 0 {
		r.stamp(write, "given back")
		written, err := s.Write(ctx, write)
		if err != nil {
			return fromError(err)
		}
		for _, v := range write {
			if h := written[v.Slot]; !h.Hidden && !h.Value.Equal(v.Value) {
				return failed(cred.Unknown, "the store took the old values back and keeps something else in slot %s", v.Slot)
			}
		}
		if hidden := notReadBack(place.Key, written); hidden != nil {
			all := maps.Clone(held) // what was not written now has the date that it had
			maps.Copy(all, written)
			given, evidence = r.asWritten(place, write, all), append(evidence, hidden...)
		}
	}
	if len(remove) > 0 {
		if err := s.Remove(ctx, remove); err != nil {
			return afterEffect(err)
		}
	}
	return rotation.Outcome{Class: cred.Done, Already: len(back) == 0, Evidence: evidence, Slots: given}
}

// keeper is who plays the store with this key.
func (r *Runner) keeper(key string) provider.Store {
	if s := r.Roles.Further[key]; s != nil {
		return s
	}
	return r.Roles.Store
}

// givingBack returns what has to be written so that a place holds again what was
// observed. A slot that holds neither the old nor the new value was changed by
// somebody else and is left alone (T45). again: what holds the old value is written, too.
func (r *Runner) givingBack(ctx context.Context, p sop.Place, seen []rotation.SlotSeen, held map[string]provider.Held, again bool) ([]provider.SlotValue, []string, error) {
	var back []provider.SlotValue
	var evidence []string
	var old secret.Bundle
	for i, was := range seen {
		now := r.print(p.Key, was.Slot, held[was.Slot])
		if _, known := r.shown(p.Key, was.Slot, held[was.Slot]); !known && now != "" {
			now = r.state.Expected(p.Key, was.Slot) // it may be either: it is given back
		}
		switch {
		case now == was.Had() && held[was.Slot].Present == was.Present:
			// It does not show what it holds, and bears the date of before a write that was made: the
			// answer is another place's, or older.
			wrong := held[was.Slot].Hidden && r.maybeWritten(p.Key) && r.state.Step(r.state.Plan.Writes(p.Key)).Status == rotation.Ended
			if was.Present && !again && !wrong || !was.Present && !r.maybeWritten(p.Key) {
				continue
			}
			if !was.Present {
				// One answer says that it is not there, and this run has put something there: to
				// remove what is not there does no harm.
				back = append(back, provider.SlotValue{Slot: was.Slot})
				continue
			}
		case now == "" && held[was.Slot].Present && held[was.Slot].Hidden && was.Present && (r.unsureOf(p.Key) || r.datedOnce(p.Key)):
			// It may be a write of ours that came late, and the new one is about to end: the old
			// one works, whoever wrote last.
			evidence = append(evidence, p.Key+": slot "+was.Slot+" was written at a time that this run does not know, by this run or by somebody else; it does not show what it holds, and is given the old value")
		case now == "" && !p.Slots[i].Dropped, now != "" && !r.isOurs(p.Key, was.Slot, now):
			evidence = append(evidence, p.Key+": slot "+was.Slot+" was changed by somebody else and left alone")
			continue
		case !was.Present:
			back = append(back, provider.SlotValue{Slot: was.Slot})
			continue
		}
		if old == nil {
			var err error
			if old, err = r.oldBundle(ctx); err != nil {
				return nil, nil, err
			}
		}
		v, err := old.Render(p.Slots[i].Template)
		if err != nil {
			return nil, nil, err
		}
		if r.Keyer.Of(v) != was.Had() {
			return nil, nil, &cred.Error{Vendor: p.Vendor, Op: "make the old value", Class: cred.Failed, Why: "slot " + was.Slot + " held something that the old credential does not make"}
		}
		back = append(back, provider.SlotValue{Slot: was.Slot, Value: v})
	}
	return back, evidence, nil
}
