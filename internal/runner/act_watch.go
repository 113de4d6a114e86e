package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// watch lets time pass and looks, now and then and at its end, whether every
// consumer stays well on the new one and everybody still holds it.
func (r *Runner) watch(ctx context.Context, a rotation.Action) rotation.Outcome {
	long := a.Step.Long
	var began time.Time
	for _, id := range a.Step.Needs {
		if p := r.state.Step(id); p.Done.After(began) {
			began = p.Done
		}
	}
	left := began.Add(long).Sub(r.Clock.Now())
	next := func(why string) rotation.Outcome {
		return rotation.Outcome{Class: cred.Waiting, Why: why, RetryAfter: min(left, rotation.LookEvery(long))}
	}
	seen, o := r.consumersRun(ctx)
	switch {
	case o != nil && o.Class != cred.Failed && o.Class != cred.Foreign && left > 0:
		return next("not everything could be looked at just now: " + o.Why) // the look at the end counts
	case o != nil:
		return *o
	case left > 0:
		return next("everything runs so far")
	}
	return rotation.Outcome{Class: cred.Done, Evidence: seen}
}

// consumersRun looks whether stores and consumers hold the new one and everything
// runs; an outcome says why not.
func (r *Runner) consumersRun(ctx context.Context) ([]string, *rotation.Outcome) {
	plan := r.state.Plan
	var seen, why, keys []string
	unwell := false
	around := r.lookAround(ctx, true)
	errs := []error{around.err}
	for i, c := range plan.Spec.Consumers {
		p := around.ran[i]
		if p == nil {
			continue
		}
		switch p.Class {
		case cred.Failed:
			why, unwell = append(why, c.Key+": "+p.Detail), true
		case cred.Done:
			seen = append(seen, p.Evidence...)
		default:
			errs = append(errs, &cred.Error{Vendor: c.Key, Op: "look whether it runs", Class: cred.Waiting, Why: p.Detail})
		}
	}
	for i, p := range r.places() {
		if around.held[i] == nil {
			continue // it could not be asked
		}
		if w := r.mismatch(p, around.held[i]); w != "" && !r.Unguarded {
			why, keys = append(why, w), append(keys, p.Key)
		}
	}
	switch {
	case len(keys) > 0:
		o := failed(cred.Foreign, "%s", strings.Join(why, "; "))
		o.Held = keys
		return seen, &o
	case unwell:
		o := failed(cred.Failed, "%s", strings.Join(why, "; "))
		return seen, &o
	}
	if o := r.behind(plan.Spec.Consumers, around.ran, "look at what runs"); o != nil && !r.Unguarded {
		return seen, o
	}
	if err := errors.Join(errs...); err != nil {
		o := fromError(err)
		return seen, &o
	}
	return seen, nil
}

// running is the last look of a rotation. What it sees is what the ending says; a
// consumer that does not run keeps the run from being called done.
func (r *Runner) running(ctx context.Context) rotation.Outcome {
	seen, o := r.consumersRun(ctx)
	at, before := r.seenSince(), ""
	if del := r.state.Step(string(rotation.Delete)); del.Done.After(at) {
		before = ", right before the old one was deleted,"
	}
	switch {
	case o == nil:
	case len(o.Held) > 0:
		// The old one has ended: waiting helps nothing, and the next command does.
		return rotation.Outcome{Class: cred.Done, Held: o.Held, Evidence: seen, Why: o.Why + " (seen at " + at.UTC().Format(time.TimeOnly) + " UTC)"}
	default:
		return *o
	}
	runs := ", and everything ran"
	if slices.ContainsFunc(r.state.Plan.Seen.Consumers, func(c rotation.ConsumerSeen) bool { return r.state.Plan.Unfollowed(c.Key) }) {
		runs = ", and what can be seen ran"
	}
	return rotation.Outcome{Class: cred.Done, Evidence: append(seen,
		fmt.Sprintf("at %s UTC%s %s and consumers held the new one%s", at.UTC().Format(time.TimeOnly), before, r.state.Plan.Kept(), runs))}
}

// seenSince is the time of the oldest look at a place or consumer that is still taken
// for one of just now: what is said of all of them was seen from then on.
func (r *Runner) seenSince() time.Time {
	at := r.Clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.places() {
		if s, ok := r.sights[p.Key]; ok && s.at.Before(at) {
			at = s.at
		}
		if a, ok := r.alive[p.Key]; ok && a.at.Before(at) {
			at = a.at
		}
	}
	return at
}

// blindTries is how often the last look of the way back is tried before the ending
// says what was not seen.
const blindTries = 4

// lookBack is the last look of the way back: who holds what, and what is live. What
// cannot be seen is said; it keeps no run from ending.
func (r *Runner) lookBack(ctx context.Context, a rotation.Action) rotation.Outcome {
	o := rotation.Outcome{Class: cred.Done}
	var errs []error
	listed, err := r.Roles.Issuer.List(ctx)
	if err == nil {
		o.Stray = r.doubled(listed)
		err = r.liveAfterBack(ctx, listed, &o)
	}
	errs = append(errs, err)
	for _, p := range r.places() {
		held, err := r.held(ctx, p, false)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if w := r.notOld(p, held); w != "" {
			o.Held = append(o.Held, p.Key)
			o.Evidence = append(o.Evidence, w)
		} else if r.state.HeldNothing(p.Key) {
			o.Evidence = append(o.Evidence, p.Key+" holds none of it, as before")
		} else {
			o.Evidence = append(o.Evidence, p.Key+" holds the old one")
		}
	}
	if err := errors.Join(errs...); err == nil && len(o.Held) == 0 && r.oldIsOff(listed) {
		// Everybody holds it. Where somebody else has rotated meanwhile nobody does, and it is
		// off by his will.
		if _, known := r.state.Plan.Step(string(rotation.Enable)); known && !r.Unguarded {
			o.Redo = append(o.Redo, string(rotation.Enable))
		}
	} else if err != nil {
		if r.state.Step(a.Step.ID).Tries < blindTries {
			return fromError(err)
		}
		o.Unseen = Problems(err)
	}
	return o
}

// oldIsOff reports whether the old one is listed as switched off, and was not before
// the run.
func (r *Runner) oldIsOff(listed []cred.Handle) bool {
	plan := r.state.Plan
	return !plan.Old.Disabled && plan.Strategy == rotation.Replace && slices.ContainsFunc(listed, func(h cred.Handle) bool {
		return h.ID == plan.Old.ID && h.Disabled
	})
}

// liveAfterBack notes what the issuer says of both generations.
func (r *Runner) liveAfterBack(ctx context.Context, listed []cred.Handle, o *rotation.Outcome) error {
	plan := r.state.Plan
	tell := func(h cred.Handle) (live bool, err error) {
		gone, err := r.unlisted(ctx, h, listed)
		return !gone, err
	}
	live, err := tell(plan.Old)
	if err != nil {
		return err
	}
	if r.oldIsOff(listed) {
		o.Evidence = append(o.Evidence, fmt.Sprintf("%s is switched off", plan.Old.Named()))
	} else if live {
		o.Evidence = append(o.Evidence, fmt.Sprintf("%s is live", plan.Old.Named()))
		if more := r.beside(listed); more != "" {
			o.Evidence = append(o.Evidence, more)
		}
	} else {
		o.Missing = append(o.Missing, plan.Old.ID)
		o.Evidence = append(o.Evidence, fmt.Sprintf("%s is no longer live", plan.Old.Named()))
	}
	if made := r.state.Made; made != nil && plan.Strategy == rotation.Replace {
		switch live, err := tell(*made.Handle); {
		case err != nil:
			return err
		case live && !r.Unguarded:
			o.Redo = append(o.Redo, string(rotation.Discard))
			o.Evidence = append(o.Evidence, fmt.Sprintf("the new one, %s, is still live", made.Handle.Named()))
		default:
			o.Evidence = append(o.Evidence, fmt.Sprintf("the new one, %s, is gone", made.Handle.Named()))
		}
	}
	return nil
}

// notOld says how a place does not hold what was observed before the run, slot by slot.
func (r *Runner) notOld(p sop.Place, held map[string]cred.Fingerprint) string {
	var out []string
	for _, s := range r.seenSlots(p.Key) {
		if held[s.Slot] != s.Had() {
			out = append(out, fmt.Sprintf("slot %s of %s holds %s, and before the run it held %s", s.Slot, p.Key, held[s.Slot].Short(), s.Had().Short()))
		}
	}
	return strings.Join(out, "; ")
}
