package runner

import (
	"context"
	"errors"
	"slices"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/sop"
)

// isGone reports whether the issuer has a generation no more: a vendor that answers
// "not there" once may be wrong, and a list may be late or shift while it is paged,
// so the look by id and the list both have to say so.
func (r *Runner) isGone(ctx context.Context, h cred.Handle) (bool, error) {
	listed, err := r.Roles.Issuer.List(ctx)
	if err != nil {
		return false, err
	}
	return r.unlisted(ctx, h, listed)
}

// unlisted is isGone with a list that was just read.
func (r *Runner) unlisted(ctx context.Context, h cred.Handle, listed []cred.Handle) (bool, error) {
	if slices.ContainsFunc(listed, func(x cred.Handle) bool { return x.ID == h.ID }) {
		return false, nil
	}
	_, err := r.find(ctx, h)
	switch {
	case err == nil:
		return false, nil
	case cred.ClassOf(err) == cred.Absent, errors.Is(err, errNoFinder):
		return true, nil
	}
	return false, err
}

// errNoFinder: only the list can tell.
var errNoFinder = errors.New("the issuer cannot be asked for one by its id")

// find looks at one generation by its id.
func (r *Runner) find(ctx context.Context, h cred.Handle) (cred.Handle, error) {
	f, ok := r.Roles.Issuer.(provider.Finder)
	if !ok {
		return cred.Handle{}, errNoFinder
	}
	return f.Find(ctx, h)
}

// sameAccount tells of rules that name somebody, and nobody who is listed: one of the two
// answers is another account's.
func (r *Runner) sameAccount(spec sop.Spec, listed []cred.Handle, rules []cred.Place) error {
	names := false
	for _, p := range rules {
		names = names || len(p.Names) > 0
		if slices.ContainsFunc(listed, func(h cred.Handle) bool { return p.NamesAny(h) }) {
			return nil
		}
	}
	if !names || r.Can.OwnScope || len(listed) == 0 {
		return nil
	}
	return &cred.Error{Vendor: spec.Issuer.Vendor, Op: "list rules", Class: cred.Unknown,
		Why: "they name nobody whom the issuer lists: one of the two answers may be another account's"}
}
