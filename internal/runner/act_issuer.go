package runner

import (
	"context"
	"errors"
	"slices"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
)

// create makes the new generation, once. Its secret stays in memory.
func (r *Runner) create(ctx context.Context, a rotation.Action) rotation.Outcome {
	plan := r.state.Plan
	if m, ours := r.Roles.Issuer.(provider.Maker); ours {
		return r.createWith(ctx, a, m)
	}
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
	return r.obtained(a, h, b, "created "+h.Named())
}

// obtained keeps the secret of a generation that was made, and notes what it will be
// known by.
func (r *Runner) obtained(a rotation.Action, h cred.Handle, b secret.Bundle, evidence ...string) rotation.Outcome {
	makes, err := r.fingerprints(r.state.Plan.Spec, b)
	if err != nil {
		return failed(cred.Unknown, "made, but unusable: %v", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fresh[a.Generation] = b
	delete(r.meant, a.Generation)
	return rotation.Outcome{Class: cred.Done, Handle: &h, Makes: makes, Evidence: evidence}
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
	release, err := r.hold(ctx, place.Key())
	if err != nil {
		return fromError(err)
	}
	defer release()
	var e provider.Edit
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
			return r.placeGone(ctx, place, err)
		}
		return fromError(err)
	}
	o := rotation.Outcome{Class: cred.Done, Already: e.Already, Place: &e.Place}
	if a.Step.Verb == rotation.Dismiss && place.Admits && r.state.Made != nil && guarded(plan.Strategy) {
		if !e.Place.NamesAny(*r.state.Made.Handle) {
			o = failed(cred.Foreign, "the new one is no longer named in %s %q: somebody else wrote it at the same time", place.Kind, place.Name)
			o.Partly, o.Place, o.Redo = true, &e.Place, []string{string(rotation.Admit) + " " + place.Key()}
			return o
		}
	}
	r.notePlace(e.Place, e.Already || a.Step.Verb == rotation.Dismiss) // read right before it was written
	if e.Rebased && a.Step.Verb == rotation.Admit {
		o.Evidence = append(o.Evidence, "somebody edited it since it was observed; their edit was kept")
	}
	return o
}

// hold makes this process the only writer of a rule.
func (r *Runner) hold(ctx context.Context, key string) (func(), error) {
	if r.Hold == nil {
		return func() {}, nil
	}
	return r.Hold(ctx, key)
}

// placeGone: a rule that is not there names nobody. The vendor's list has to agree,
// for an answer "not there" may be wrong.
func (r *Runner) placeGone(ctx context.Context, place cred.Place, said error) rotation.Outcome {
	all, err := r.Roles.Admitter.Places(ctx)
	if err != nil {
		return fromError(err)
	}
	for _, p := range slices.Concat(all.Places, all.Everyone) {
		if p.Key() == place.Key() {
			return failed(cred.Unknown, "the vendor says that %s %q is not there, and lists it", place.Kind, place.Name)
		}
	}
	if e, ok := errors.AsType[*cred.Error](said); ok && e.Maybe && r.state.Step(string(rotation.Dismiss)+" "+place.Key()).Tries == 0 {
		// The list shows rules that name somebody; one that names nobody any more is not
		// in it either. Asked twice, it is gone.
		return failed(cred.Unknown, "the vendor says that %s %q is not there", place.Kind, place.Name)
	}
	return rotation.Outcome{Class: cred.Done, Already: true, Evidence: []string{"the rule is gone, so it names nobody"}}
}

// delete ends the old generation. That it no longer exists counts only
// once the list says so too (T38). A rule that still names it, although it was taken
// out of all, was written by somebody else at the same time: it is taken out again.
func (r *Runner) delete(ctx context.Context) rotation.Outcome {
	old := r.state.Plan.Old
	err := r.Roles.Issuer.Revoke(ctx, old)
	switch cred.ClassOf(err) {
	case cred.Done:
		return rotation.Outcome{Class: cred.Done, Gone: []string{old.ID}, Evidence: []string{r.ends() + " " + old.Name + " (" + old.ID + ")"}}
	case cred.Refused:
		return r.stillNamed(ctx, old, rotation.Dismiss, err)
	case cred.Absent:
	default:
		return fromError(err)
	}
	gone, err := r.isGone(ctx, old)
	switch {
	case err != nil:
		return failed(cred.Unknown, "the vendor has no such thing, but could not be asked for its list: %v", err)
	case !gone:
		return failed(cred.Unknown, "the vendor says that it is not there, and lists it")
	}
	return rotation.Outcome{Class: cred.Done, Already: true, Gone: []string{old.ID}, Evidence: []string{old.ID + " is no longer listed"}}
}

// stillNamed looks, after a delete was refused, whether rules of the plan name the
// generation again; they are edited again.
func (r *Runner) stillNamed(ctx context.Context, h cred.Handle, undo rotation.Verb, refused error) rotation.Outcome {
	o := fromError(refused)
	if _, err := r.find(ctx, h); err == nil {
		o.Maybe = false // it was seen to be there after the refusal
	}
	if r.Roles.Admitter == nil {
		return o
	}
	all, err := r.Roles.Admitter.Places(ctx)
	if err != nil {
		return o
	}
	for _, p := range slices.Concat(all.Places, all.Everyone) {
		if id := string(undo) + " " + p.Key(); p.NamesAny(h) {
			if _, known := r.state.Plan.Step(id); known {
				o.Redo = append(o.Redo, id)
			}
		}
	}
	return o
}
