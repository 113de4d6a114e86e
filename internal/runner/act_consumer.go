package runner

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// freshness is how old an observation may be before all of a consumer is looked at
// again before it is written; what its slots hold is looked at right before in any case.
const freshness = 2 * time.Minute

func (r *Runner) consumer(key string) (sop.Place, provider.Consumer, *rotation.ConsumerSeen) {
	plan := r.state.Plan
	for _, c := range plan.Spec.Consumers {
		if c.Key != key {
			continue
		}
		for i := range plan.Seen.Consumers {
			if plan.Seen.Consumers[i].Key == key {
				return c, r.Roles.Consumers[key], &plan.Seen.Consumers[i]
			}
		}
	}
	return sop.Place{}, nil, nil
}

// propagate deploys: it writes every slot of a consumer in one request.
func (r *Runner) propagate(ctx context.Context, a rotation.Action) rotation.Outcome {
	place, c, seen := r.consumer(a.Step.Target)
	if c == nil {
		return failed(cred.Refused, "%s is no longer in rekey.yaml", a.Step.Target)
	}
	age := r.Clock.Now().Sub(r.state.Plan.Seen.At)
	var over []string
	if a.Look || age > freshness {
		now, err := c.Snapshot(ctx, place.SlotNames())
		if err != nil {
			return fromError(err)
		}
		if r.allExpected(place, now.Slots) == "" && !r.guessed(now.Slots) {
			already := rotation.Outcome{Class: cred.Done, Already: true, Slots: r.hiddenStates(place, now.Slots)}
			again, err := r.leftBehind(ctx, a, place)
			switch {
			case err != nil:
				return fromError(err)
			case !again:
				return already
			}
			if o := r.provenLongAgo(); o != nil {
				return *o
			}
			if r.Can.Places[place.Key].Applied {
				return already // the step that follows restarts it
			}
		}
		if now.Pending {
			if now.Mark != seen.Mark && a.Look {
				// What was sent may be what is pending; settling will tell.
				return rotation.Outcome{Class: cred.Done, Already: true, Evidence: []string{"an earlier write is still being rolled out"}}
			}
			return failed(cred.Limited, "%s is being changed by somebody else", place.Key)
		}
		if o := r.writtenByOthers(place.Key, now.Slots); o != nil {
			return *o
		}
		over = r.writtenOver(place.Key, now.Slots)
	} else if age > justNow {
		held, err := heldByConsumer(ctx, c, place.SlotNames())
		if err != nil {
			return fromError(err)
		}
		if o := r.writtenByOthers(place.Key, held); o != nil {
			return *o
		}
	}
	// Of a write that failed its own failure is told.
	if last := r.state.Step(a.Step.ID).Last; last == nil || last.Class == cred.Limited || last.Class == cred.Waiting {
		if o := r.provenLongAgo(); o != nil {
			return *o
		}
	}
	b, err := r.newBundle(ctx)
	if err != nil {
		return fromError(err)
	}
	vs, err := values(place, b)
	if err != nil {
		return failed(cred.Refused, "%v", err)
	}
	if dropped := place.Dropped(); len(dropped) > 0 {
		// A name is being retired: what stays is not written again.
		vs = slices.DeleteFunc(vs, func(v provider.SlotValue) bool { return !slices.Contains(dropped, v.Slot) })
	}
	r.forgetSlots(place.Key)
	r.stamp(vs, r.state.Label())
	if err := c.Write(ctx, vs); err != nil {
		return fromError(err)
	}
	o := r.dated(ctx, place, c, vs, func(slot string) time.Time {
		for _, s := range seen.Slots {
			if s.Slot == slot {
				return s.Written
			}
		}
		return time.Time{}
	})
	o.Evidence = append(o.Evidence, over...)
	return o
}

// writtenOver says which slots were written since they were observed, show nobody what they
// hold, and are written once more, for nobody can tell whether it was by this run.
func (r *Runner) writtenOver(key string, held map[string]provider.Held) (told []string) {
	for _, was := range r.seenSlots(key) {
		if now := held[was.Slot]; now.Hidden && now.Stamp["fingerprint"] == "" && !now.Written.Equal(was.Written) {
			told = append(told, "slot "+was.Slot+" of "+key+", which does not show what it holds, was written since it was observed, by this run or by somebody else, and is written once more")
		}
	}
	return told
}

// proofLasts is for how long the proof that the new one works is taken for one of now, when
// a consumer is given it.
const proofLasts = lately

// provenLongAgo makes the proof be made again where the run has waited since, for a rate
// limit or for a store: somebody may have ended the new one meanwhile. Rolled at once,
// there is no other that could be given.
func (r *Runner) provenLongAgo() *rotation.Outcome {
	plan := r.state.Plan
	if plan.Strategy != rotation.Replace && plan.Strategy != rotation.RollWithGrace {
		return nil
	}
	var again []string
	for _, p := range plan.Spec.Validate {
		id := string(rotation.Validate) + " " + p.URL
		switch st := r.state.Step(id); {
		case st.Status == rotation.Ended && r.Clock.Now().Sub(st.Done) > proofLasts:
			again = append(again, id)
		case st.Status == rotation.Retry, st.Status == rotation.Poll:
			o := failed(cred.Waiting, "nobody is given the new one before %s is seen to accept it once more", p.Title())
			return &o
		}
	}
	if again == nil {
		return nil
	}
	o := failed(cred.Waiting, "the proof that the new one works is too old, so is looked at once more before anybody is given it")
	o.Redo = again
	return &o
}

// writtenByOthers tells that a slot holds what is neither of before the run nor of it.
func (r *Runner) writtenByOthers(key string, held map[string]provider.Held) *rotation.Outcome {
	for _, was := range r.seenSlots(key) {
		now := held[was.Slot]
		fp := r.print(key, was.Slot, now)
		if same := fp == was.Had() && now.Present == was.Present; !same && !r.isOurs(key, was.Slot, fp) {
			o := failed(cred.Foreign, "%s: slot %s was changed by somebody else since it was observed", key, was.Slot)
			return &o
		}
	}
	return nil
}

// settle follows the roll-out of a write until everything that the consumer runs has taken it
// up, and compares what it holds then.
func (r *Runner) settle(ctx context.Context, a rotation.Action) rotation.Outcome {
	place, c, seen := r.consumer(a.Step.Target)
	if c == nil {
		return failed(cred.Refused, "%s is no longer in rekey.yaml", a.Step.Target)
	}
	follow := provider.Followed{Since: seen.Mark}
	want := func(slot string) cred.Fingerprint { return r.state.Expected(place.Key, slot) }
	if a.Step.Verb == rotation.Resettle {
		follow = r.returned(place.Key, seen)
		held := map[string]cred.Fingerprint{}
		for _, s := range r.state.Step(string(rotation.Return) + " " + place.Key).Last.Slots {
			held[s.Slot] = s.Fingerprint
		}
		want = func(slot string) cred.Fingerprint { return held[slot] }
	}
	p, err := c.Progress(ctx, follow, place.SlotNames())
	if err != nil {
		return fromError(err)
	}
	o := rotation.Outcome{Class: p.Class, Why: p.Detail, Mark: p.Mark}
	if p.Unwell && a.Step.Verb == rotation.Resettle {
		// It holds the old values and is unwell for other reasons: it may recover,
		// and nothing better can be given to it.
		o.Class = cred.Waiting
	}
	if o.Class == cred.Waiting && r.endsSoon(a) {
		o.Why += r.meddled(ctx, place, c, want)
		if gives := r.rollsOut(place.Key)[0]; p.Behind && !r.state.Step(gives).Redone {
			o.Why, o.Redo = o.Why+"; the roll-out is made once more", []string{gives}
		}
	}
	if o.Class != cred.Done {
		return o
	}
	var otherwise []string
	for _, slot := range place.SlotNames() {
		if got := r.print(place.Key, slot, p.Slots[slot]); got != want(slot) {
			otherwise = append(otherwise, fmt.Sprintf("slot %s holds %s instead of %s", slot, got.Short(), want(slot).Short()))
		}
	}
	switch {
	case len(otherwise) == 0:
	case p.Mark == "":
		// Nothing to follow but what it holds: a write may show a little later.
		return failed(cred.Waiting, "%s does not show it yet: %s", place.Key, strings.Join(otherwise, ", "))
	default:
		o := failed(cred.Failed, "%s is rolled out, but %s", place.Key, strings.Join(otherwise, ", "))
		o.Held = []string{place.Key}
		return o
	}
	if p.Mark == "" && len(p.Evidence) == 0 {
		p.Evidence = []string{place.Key + " holds it; what uses it cannot be seen"}
	}
	o.Why, o.Evidence, o.Slots = "", append(p.Evidence, notReadBack(place.Key, p.Slots)...), r.states(place.Key, place.SlotNames(), p.Slots)
	r.noteSlots(place.Key, o.Slots, true)
	r.noteRan(place.Key, p)
	return o
}

// meddled says, of a consumer that does not come to run on what it was given, that
// somebody else has written it since.
func (r *Runner) meddled(ctx context.Context, p sop.Place, c provider.Consumer, want func(string) cred.Fingerprint) (says string) {
	held, err := heldByConsumer(ctx, c, p.SlotNames())
	if err != nil {
		return ""
	}
	for _, slot := range p.SlotNames() {
		if fp := r.print(p.Key, slot, held[slot]); fp != want(slot) && !r.isOurs(p.Key, slot, fp) && fp != r.seenExpected(p.Key, slot) {
			says += fmt.Sprintf("; slot %s of %s was changed by somebody else", slot, p.Key)
		}
	}
	return says
}

// giveBack writes the old values, only where a slot still holds ours. The
// vendor's own "rollback" is never used: it would take code back with it.
func (r *Runner) giveBack(ctx context.Context, a rotation.Action) rotation.Outcome {
	place, c, seen := r.consumer(a.Step.Target)
	if c == nil {
		return failed(cred.Refused, "%s is no longer in rekey.yaml", a.Step.Target)
	}
	now, err := c.Snapshot(ctx, place.SlotNames())
	if err != nil {
		return fromError(err)
	}
	if now.Pending {
		// It may be our own write, on its way to succeed: wait for what it becomes.
		return failed(cred.Waiting, "%s is still rolling out a write", place.Key)
	}
	again, err := r.leftBehind(ctx, a, place)
	if err != nil {
		return fromError(err)
	}
	again = again && !r.Can.Places[place.Key].Applied // there the step that follows restarts it
	back, evidence, err := r.givingBack(ctx, place, seen.Slots, now.Slots, again)
	if err != nil {
		return fromError(err)
	}
	o := rotation.Outcome{Class: cred.Done, Evidence: evidence, Slots: r.states(place.Key, place.SlotNames(), now.Slots)}
	if len(back) == 0 {
		o.Already = true
		return o
	}
	r.forgetSlots(place.Key)
	r.stamp(back, "given back")
	if err := c.Write(ctx, back); err != nil {
		return fromError(err)
	}
	if d := r.dated(ctx, place, c, back, func(slot string) time.Time { return now.Slots[slot].Written }); d.Class != cred.Done {
		return d
	} else if d.Slots != nil {
		o.Slots = d.Slots
	}
	o.Mark = now.Mark
	for i, s := range o.Slots {
		for _, v := range back {
			if v.Slot == s.Slot {
				o.Slots[i].Present, o.Slots[i].Fingerprint = v.Value.Present(), r.Keyer.Of(v.Value)
			}
		}
	}
	return o
}
