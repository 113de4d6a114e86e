package runner

import (
	"context"
	"fmt"
	"slices"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
)

// create makes the new generation, once. Its secret stays in memory.
func (r *Runner) create(ctx context.Context, a rotation.Action) rotation.Outcome {
	plan := r.state.Plan
	var h cred.Handle
	var b secret.Bundle
	var err error
	if c, copies := r.Roles.Issuer.(provider.Copier); copies {
		h, b, err = c.CreateLike(ctx, plan.Named(a.Generation), plan.Pattern())
	} else {
		h, b, err = r.Roles.Issuer.Create(ctx, plan.Named(a.Generation))
	}
	if err != nil {
		return fromError(err)
	}
	makes, err := r.fingerprints(plan.Spec, b)
	if err != nil {
		return failed(cred.Unknown, "created, but unusable: %v", err)
	}
	r.mu.Lock()
	r.fresh[a.Generation] = b
	r.mu.Unlock()
	return rotation.Outcome{Class: cred.Done, Handle: &h, Makes: makes,
		Evidence: []string{"created " + h.Name + " (" + h.ID + ")"}}
}

// edit changes whom one place names.
func (r *Runner) edit(ctx context.Context, a rotation.Action) rotation.Outcome {
	plan := r.state.Plan
	place, ok := plan.Place(a.Step.Target)
	if !ok {
		return failed(cred.Refused, "the plan knows no place %s", a.Step.Target)
	}
	old, fresh := plan.Old.ID, ""
	if r.state.Made != nil {
		fresh = r.state.Made.Handle.ID
	}
	var e provider.Edit
	var err error
	switch a.Step.Verb {
	case rotation.Admit:
		e, err = r.Roles.Admitter.Admit(ctx, place, fresh)
	case rotation.Withdraw:
		e, err = r.Roles.Admitter.Dismiss(ctx, place, fresh)
	case rotation.Dismiss:
		e, err = r.Roles.Admitter.Dismiss(ctx, place, old)
	case rotation.Readmit:
		e, err = r.Roles.Admitter.Admit(ctx, place, old)
	}
	if err != nil {
		if cred.ClassOf(err) == cred.Absent && (a.Step.Verb == rotation.Withdraw || a.Step.Verb == rotation.Dismiss) {
			return rotation.Outcome{Class: cred.Done, Already: true, Evidence: []string{"the place is gone, so it names nobody"}}
		}
		return fromError(err)
	}
	o := rotation.Outcome{Class: cred.Done, Already: e.Already, Place: &e.Place}
	if e.Rebased && a.Step.Verb == rotation.Admit {
		o.Evidence = append(o.Evidence, "somebody edited it since it was observed; their edit was kept")
	}
	return o
}

// delete ends the old generation. That it is not there any more counts only
// once the list says so too (T38).
func (r *Runner) delete(ctx context.Context) rotation.Outcome {
	old := r.state.Plan.Old
	err := r.Roles.Issuer.Revoke(ctx, old)
	switch {
	case err == nil:
		return rotation.Outcome{Class: cred.Done, Gone: []string{old.ID}, Evidence: []string{"deleted " + old.Name + " (" + old.ID + ")"}}
	case cred.ClassOf(err) != cred.Absent:
		return fromError(err)
	}
	listed, err := r.Roles.Issuer.List(ctx)
	if err != nil {
		return failed(cred.Unknown, "the vendor has no such thing, but could not be asked for its list: %v", err)
	}
	if slices.ContainsFunc(listed, func(h cred.Handle) bool { return h.ID == old.ID }) {
		return failed(cred.Unknown, "the vendor says that it is not there, and lists it")
	}
	return rotation.Outcome{Class: cred.Done, Already: true, Gone: []string{old.ID}, Evidence: []string{old.ID + " is no longer listed"}}
}

// discard ends the new generation: the one whose handle is known, or whatever
// bears the label of the creation whose answer was lost. Never anything else.
func (r *Runner) discard(ctx context.Context) rotation.Outcome {
	if made := r.state.Made; made != nil {
		return r.revokeAll(ctx, []cred.Handle{*made.Handle})
	}
	listed, err := r.Roles.Issuer.List(ctx)
	if err != nil {
		return fromError(err)
	}
	return r.revokeAll(ctx, bearing(listed, r.state.Label()))
}

// sweep ends what shows up late: whatever bears a label of this run, except the
// generation that is now in use.
func (r *Runner) sweep(ctx context.Context) rotation.Outcome {
	if r.state.Plan.Maker() == string(rotation.Roll) {
		o := r.prolong(ctx)
		if o.Class == cred.Done && !o.Already {
			o.Gone = []string{r.state.Plan.Old.ID} // not clean: it had to be dealt with
		}
		return o
	}
	listed, err := r.Roles.Issuer.List(ctx)
	if err != nil {
		return fromError(err)
	}
	var strays []cred.Handle
	for g := 1; g <= r.state.Generation; g++ {
		for _, h := range bearing(listed, cred.Label(r.state.Run, g)) {
			if r.state.Mode == rotation.Forward && r.state.Plan.Strategy == rotation.Replace && r.state.Made != nil && h.ID == r.state.Made.Handle.ID {
				continue
			}
			strays = append(strays, h)
		}
	}
	return r.revokeAll(ctx, strays)
}

func (r *Runner) revokeAll(ctx context.Context, hs []cred.Handle) rotation.Outcome {
	o := rotation.Outcome{Class: cred.Done}
	for _, h := range hs {
		if err := r.Roles.Issuer.Revoke(ctx, h); err != nil && cred.ClassOf(err) != cred.Absent {
			if len(o.Gone) > 0 {
				return afterEffect(err)
			}
			return fromError(err)
		}
		o.Gone = append(o.Gone, h.ID)
		o.Evidence = append(o.Evidence, "discarded "+h.Name+" ("+h.ID+")")
	}
	return o
}

func bearing(listed []cred.Handle, label string) []cred.Handle {
	var out []cred.Handle
	for _, h := range listed {
		if cred.Bears(h.Name, label) {
			out = append(out, h)
		}
	}
	return out
}

// quiet asks the issuer when the old generation was last used. It is quiet when
// that is longer ago than the plan wants.
func (r *Runner) quiet(ctx context.Context, _ rotation.Action) rotation.Outcome {
	plan := r.state.Plan
	listed, err := r.Roles.Issuer.List(ctx)
	if err != nil {
		return fromError(err)
	}
	find := func(id string) (cred.Handle, bool) {
		for _, h := range listed {
			if h.ID == id {
				return h, true
			}
		}
		return cred.Handle{}, false
	}
	if _, ok := find(r.state.Made.Handle.ID); !ok {
		return failed(cred.Waiting, "the issuer does not list the new one yet")
	}
	old, ok := find(plan.Old.ID)
	if !ok {
		return rotation.Outcome{Class: cred.Done, Evidence: []string{"the old one is no longer listed; somebody else ended it"}}
	}
	if old.LastSeen.IsZero() {
		return rotation.Outcome{Class: cred.Done, Evidence: []string{"the issuer has never seen the old one in use"}}
	}
	ago := r.Clock.Now().Sub(old.LastSeen)
	if ago < plan.Spec.Timing.Quiet {
		return rotation.Outcome{Class: cred.Waiting, Seen: &old.LastSeen,
			Why: fmt.Sprintf("the old one was used %s ago: something that is not registered still holds it", ago.Round(time.Second))}
	}
	return rotation.Outcome{Class: cred.Done, Seen: &old.LastSeen,
		Evidence: []string{fmt.Sprintf("the old one was last used %s ago", ago.Round(time.Second))}}
}
