package runner

import (
	"context"
	"fmt"
	"slices"
	"time"

	"rekey/internal/cred"
	"rekey/internal/rotation"
)

// discard deletes the new generation: the one whose handle is known, or whatever
// bears the label of the creation whose answer was lost. Never anything else.
func (r *Runner) discard(ctx context.Context) rotation.Outcome {
	if made := r.state.Made; made != nil {
		o := r.revokeAll(ctx, []cred.Handle{*made.Handle})
		if o.Class == cred.Refused {
			return r.stillNamed(ctx, *made.Handle, rotation.Withdraw, &cred.Error{Vendor: r.state.Plan.Spec.Issuer.Vendor, Op: "delete the new one", Class: cred.Refused, Why: o.Why})
		}
		return o
	}
	listed, err := r.Roles.Issuer.List(ctx)
	if err != nil {
		return fromError(err)
	}
	if r.Can.Nameless && !r.Can.OwnScope {
		return rotation.Outcome{Class: cred.Done, Evidence: []string{r.untold()}, Unseen: []string{r.untold()}}
	}
	return r.revokeAll(ctx, r.ours(listed, r.state.Generation))
}

// untold says what cannot be told where neither a name nor the list tells what is ours.
func (r *Runner) untold() string {
	return "not seen: whether the creation whose answer was lost left something at " + r.state.Plan.Spec.Issuer.Vendor + ", which shows no name of ours; look there by hand"
}

// ours are the listed generations that an attempt of this run has made: those that bear
// its label, or, where none is shown and the list has nobody else's, those that were not
// there before the run and are of no other attempt; of an earlier attempt, the one that it
// is known to have made.
func (r *Runner) ours(listed []cred.Handle, generation int) []cred.Handle {
	if !r.Can.Nameless {
		return bearing(listed, cred.Label(r.state.Run, generation))
	}
	if !r.Can.OwnScope {
		return nil
	}
	if generation != r.state.Generation {
		return slices.DeleteFunc(slices.Clone(listed), func(h cred.Handle) bool {
			return !slices.ContainsFunc(r.state.Earlier, func(made *rotation.Outcome) bool { return made.Generation == generation && made.Handle.ID == h.ID })
		})
	}
	known := map[string]bool{r.state.Plan.Old.ID: true}
	for _, h := range r.state.Plan.Seen.Issuer.Live {
		known[h.ID] = true
	}
	for _, made := range r.state.Earlier {
		known[made.Handle.ID] = true
	}
	return slices.DeleteFunc(slices.Clone(listed), func(h cred.Handle) bool { return known[h.ID] || r.beforeUs(h) })
}

// farOff is more than clocks of a vendor and of this machine differ, summer time included.
const farOff = 3 * time.Hour

// beforeUs reports whether one is older than anything that this run has made: what was
// observed before it may have been another account's.
func (r *Runner) beforeUs(h cred.Handle) bool {
	began := r.state.Plan.Seen.At
	return !h.Created.IsZero() && h.Created.Before(began.Add(-farOff))
}

// ends is what the end of a generation is called.
func (r *Runner) ends() string {
	if r.Can.End == "" {
		return "deleted"
	}
	return r.Can.End
}

// sweep cleans up what shows up late: whatever bears a label of this run, except the
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
		for _, h := range r.ours(listed, g) {
			if r.state.Mode == rotation.Forward && r.state.Plan.Strategy == rotation.Replace && r.state.Made != nil && h.ID == r.state.Made.Handle.ID {
				continue
			}
			strays = append(strays, h)
		}
	}
	return r.revokeAll(ctx, strays)
}

// revokeAll ends what this run has made and nobody is seen to hold. That one no
// longer exists counts only once list and look by id agree.
func (r *Runner) revokeAll(ctx context.Context, hs []cred.Handle) rotation.Outcome {
	o := rotation.Outcome{Class: cred.Done}
	fail := func(err error) rotation.Outcome {
		if len(o.Gone) > 0 {
			return afterEffect(err)
		}
		return fromError(err)
	}
	hs, held, err := r.unheld(ctx, hs)
	if err != nil {
		return fromError(err)
	}
	failing := fail
	for _, h := range hs {
		fail := func(err error) rotation.Outcome { // what was about to end is told, whatever became of it
			o := failing(err)
			o.Why = "end " + h.Named() + ": " + o.Why
			return o
		}
		err := r.Roles.Issuer.Revoke(ctx, h)
		if cred.ClassOf(err) == cred.Absent {
			gone, lookErr := r.isGone(ctx, h)
			switch {
			case lookErr != nil:
				return fail(lookErr)
			case !gone:
				return fail(&cred.Error{Vendor: r.state.Plan.Spec.Issuer.Vendor, Op: "end " + h.Name, Class: cred.Unknown, Why: "the vendor says that it is not there, and lists it"})
			}
			err = nil
		}
		if cred.ClassOf(err) == cred.Refused && (r.state.Made == nil || r.state.Made.Handle.ID != h.ID) {
			// A rule may name it by an edit that the journal does not know.
			if named, editErr := r.unname(ctx, h); editErr != nil {
				return fail(editErr)
			} else if named {
				err = r.Roles.Issuer.Revoke(ctx, h)
			}
		}
		if err != nil {
			return fail(err)
		}
		o.Gone = append(o.Gone, h.ID)
		o.Evidence = append(o.Evidence, r.ends()+" "+h.Named())
	}
	if held != "" {
		return fail(&cred.Error{Vendor: r.state.Plan.Spec.Issuer.Vendor, Op: "discard", Class: cred.Foreign, Why: held})
	}
	return o
}

// unname takes a generation that this run has made out of every rule that names it.
func (r *Runner) unname(ctx context.Context, h cred.Handle) (named bool, err error) {
	if r.Roles.Admitter == nil {
		return false, nil
	}
	all, err := r.Roles.Admitter.Places(ctx)
	if err != nil {
		return false, err
	}
	for _, p := range all.Places {
		if !p.NamesAny(h) {
			continue
		}
		release, err := r.hold(ctx, p.Key())
		if err != nil {
			return named, err
		}
		_, err = r.Roles.Admitter.Dismiss(ctx, p, h.ID)
		release()
		if err != nil {
			return named, err
		}
		named = true
	}
	return named, nil
}

// unheld leaves out what store or consumers hold and this run does not know to be
// its own: a journal that was set back does not know what it gave to whom.
func (r *Runner) unheld(ctx context.Context, hs []cred.Handle) (free []cred.Handle, held string, err error) {
	var unsure []cred.Handle
	for _, h := range hs {
		if made := r.state.Made; made != nil && made.Handle.ID == h.ID || r.state.Plan.Strategy == rotation.Rehearse {
			free = append(free, h) // the guard has looked by fingerprint
		} else {
			unsure = append(unsure, h)
		}
	}
	if len(unsure) == 0 {
		return free, "", nil
	}
	found, err := r.heldAnywhere(ctx, unsure)
	if err != nil {
		return nil, "", err
	}
	for _, h := range unsure {
		if found != nil && found.handle.ID == h.ID {
			held = fmt.Sprintf("%s holds %s, so it was not ended", found.key, h.Name)
			continue
		}
		free = append(free, h)
	}
	return free, held, nil
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
