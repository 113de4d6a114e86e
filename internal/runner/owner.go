package runner

import (
	"context"
	"slices"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// own finds out to which generation a bundle belongs, and looks at that one by its
// id where the list does not show it: one that has expired is listed by few.
func (r *Runner) own(ctx context.Context, spec sop.Spec, b secret.Bundle, seen *rotation.Observation) error {
	if c, ok := r.Roles.Issuer.(provider.Clocked); ok {
		seen.Issuer.Ahead, _ = c.Ahead()
	}
	id, err := r.Roles.Issuer.Owner(ctx, b, seen.Issuer.Live)
	switch {
	case err != nil && (spec.Purpose == sop.ToRevoke || spec.Purpose == sop.ToDelete):
		seen.Unseen = append(seen.Unseen, Problems(err)...) // an emergency can be told by name which one is meant
		return nil
	case err != nil:
		return err
	case id == "" && spec.Purpose == sop.AfterRevoke:
		// The issuer does not know a dead one any more by what the store holds of it.
		if id, err = r.byPrint(ctx, spec, seen.Store.Slots); err != nil {
			return err
		}
	}
	h, found, err := r.listedOrFound(ctx, id, seen.Issuer.Live)
	if err != nil || id == "" {
		return err
	}
	seen.Issuer.Owner = id
	if found {
		seen.Issuer.Live = append(slices.Clone(seen.Issuer.Live), h)
	}
	return nil
}

// listedOrFound looks by id at a generation that the list does not show; found tells
// that it is there all the same.
func (r *Runner) listedOrFound(ctx context.Context, id string, listed []cred.Handle) (h cred.Handle, found bool, err error) {
	f, ok := r.Roles.Issuer.(provider.Finder)
	if id == "" || !ok || slices.ContainsFunc(listed, func(h cred.Handle) bool { return h.ID == id }) {
		return cred.Handle{}, false, nil
	}
	h, err = f.Find(ctx, cred.Handle{ID: id})
	if cred.ClassOf(err) == cred.Absent {
		return cred.Handle{}, false, nil
	}
	return h, err == nil, err
}

// byPrint finds the generation of which, as the journal remembers, the store's slots
// are made; "" if they are not all of one.
func (r *Runner) byPrint(ctx context.Context, spec sop.Spec, slots []rotation.SlotSeen) (string, error) {
	if r.Past == nil {
		return "", nil
	}
	past, err := r.Past(ctx)
	if err != nil {
		return "", err
	}
	for i := len(past) - 1; i >= 0; i-- {
		prints, all, any := past[i].Prints[spec.Store.Key], true, false
		for _, s := range slots {
			if s.Present {
				all, any = all && prints[s.Slot] == s.Fingerprint, true
			}
		}
		if all && any && past[i].Ended.IsZero() {
			return past[i].Handle.ID, nil
		}
	}
	return "", nil
}
