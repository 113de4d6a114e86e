package runner

import (
	"context"
	"fmt"

	"rekey/internal/cred"
	"rekey/internal/rotation"
)

// guardWorks: the new one still is what was proven. Somebody may have switched it off,
// ended it or given it another secret since, and then the old one is all that is left.
func (r *Runner) guardWorks(ctx context.Context) *rotation.Outcome {
	if r.Clock.Now().Sub(r.works) <= justNow {
		return nil
	}
	why, err := r.notWorking(ctx)
	switch {
	case err != nil:
		return beforehand(err)
	case why != "":
		o := failed(cred.Foreign, "nothing was taken away: %s", why)
		// A secret that was rolled in place is no way back: it may have ended with theirs.
		o.Unproven = r.state.Plan.Strategy == rotation.Replace
		return &o
	}
	r.works = r.Clock.Now()
	return nil
}

// notWorking says why the new one would not do instead of the old one; "" if it would.
func (r *Runner) notWorking(ctx context.Context) (string, error) {
	made, plan := *r.state.Made.Handle, r.state.Plan
	if plan.Strategy != rotation.Replace || len(plan.Spec.Validate) == 0 {
		if why, err := r.otherwise(ctx); why != "" || err != nil {
			return why, err
		}
	}
	for _, p := range plan.Spec.Validate {
		b, err := r.newBundle(ctx)
		if err != nil {
			return "", err
		}
		verdict, detail, err := r.verdict(ctx, p, b)
		switch {
		case err != nil:
			return "", err
		case verdict == cred.Rejected:
			return fmt.Sprintf("%s does not accept the new one, %s, any more: %s", p.Title(), made.Named(), detail), nil
		case verdict != cred.Accepted:
			return "", &cred.Error{Vendor: p.Title(), Op: "ask with the new one", Class: cred.Unknown, Why: detail}
		}
	}
	return "", nil
}

// otherwise says how the issuer has the new one otherwise than this run made it.
func (r *Runner) otherwise(ctx context.Context) (string, error) {
	made := *r.state.Made.Handle
	listed, err := r.Roles.Issuer.List(ctx)
	if err != nil {
		return "", err
	}
	for _, h := range listed {
		switch {
		case h.ID != made.ID:
		case h.Disabled && !made.Disabled:
			return fmt.Sprintf("%s is switched off", h.Named()), nil
		case h.Version != made.Version && made.Version != 0:
			return fmt.Sprintf("somebody else has changed the secrets of %s since this run did", h.Named()), nil
		default:
			return "", nil
		}
	}
	gone, err := r.unlisted(ctx, made, listed)
	if err == nil && gone {
		return fmt.Sprintf("%s no longer exists", made.Named()), nil
	}
	return "", err
}
