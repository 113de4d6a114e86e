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
		return r.ownByPrint(ctx, spec, seen)
	case id == "":
		return nil
	}
	_, err = r.claim(ctx, cred.Handle{ID: id}, seen)
	return err
}

// ownByPrint takes the owner from the journal, where the issuer does not know a dead
// one any more by what the store holds of it. One that is gone altogether is replaced
// too, unless its like is made by reading it.
func (r *Runner) ownByPrint(ctx context.Context, spec sop.Spec, seen *rotation.Observation) error {
	h, err := r.byPrint(ctx, spec, seen.Store.Slots)
	if err != nil || h.ID == "" {
		return err
	}
	there, err := r.claim(ctx, h, seen)
	if _, copies := r.Roles.Issuer.(provider.Copier); err != nil || there || copies {
		return err
	}
	h.Disabled = true // it can be neither switched off nor watched
	seen.Issuer.Gone, seen.Issuer.Live = true, append(slices.Clone(seen.Issuer.Live), h)
	return nil
}

// claim makes a generation the owner, and tells whether the issuer has it.
func (r *Runner) claim(ctx context.Context, h cred.Handle, seen *rotation.Observation) (there bool, err error) {
	now, found, err := r.listedOrFound(ctx, h.ID, seen.Issuer.Live)
	if err != nil {
		return false, err
	}
	seen.Issuer.Owner = h.ID
	if found {
		seen.Issuer.Live = append(slices.Clone(seen.Issuer.Live), now)
	}
	return slices.ContainsFunc(seen.Issuer.Live, func(l cred.Handle) bool { return l.ID == h.ID }), nil
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
// are made; the zero Handle if they are not all of one, or of a secret that the same
// generation has no more.
func (r *Runner) byPrint(ctx context.Context, spec sop.Spec, slots []rotation.SlotSeen) (cred.Handle, error) {
	if r.Past == nil {
		return cred.Handle{}, nil
	}
	past, err := r.Past(ctx)
	if err != nil {
		return cred.Handle{}, err
	}
	for i := len(past) - 1; i >= 0; i-- {
		prints, all, any := past[i].Prints[spec.Store.Key], true, false
		for _, s := range slots {
			if s.Present {
				all, any = all && prints[s.Slot] == s.Fingerprint, true
			}
		}
		rolled := slices.ContainsFunc(past[i+1:], func(g rotation.Generation) bool { return g.Handle.ID == past[i].Handle.ID })
		if all && any && !rolled {
			return past[i].Handle, nil
		}
	}
	return cred.Handle{}, nil
}
