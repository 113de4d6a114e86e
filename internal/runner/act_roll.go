package runner

import (
	"context"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
)

// longestKeep is how long an old secret is let live after going back: the longest
// that Cloudflare's dashboard offers.
const longestKeep = 30 * 24 * time.Hour

// roll gives the handle a new secret, once. It stays in memory.
func (r *Runner) roll(ctx context.Context, a rotation.Action) rotation.Outcome {
	plan := r.state.Plan
	var keep time.Time
	if plan.Strategy == rotation.RollWithGrace {
		keep = r.Clock.Now().Add(plan.Spec.Issuer.Grace)
	}
	if m, ours := r.Roles.Roller.(provider.RollMaker); ours {
		return r.rollWith(ctx, a, m, keep)
	}
	h, b, err := r.Roles.Roller.Roll(ctx, plan.Old, keep)
	if err != nil {
		return fromError(err)
	}
	return r.rolled(a, h, b, keep, "rolled "+h.Name)
}

// rolled keeps the secret of a handle that was rolled.
func (r *Runner) rolled(a rotation.Action, h cred.Handle, b secret.Bundle, keep time.Time, evidence ...string) rotation.Outcome {
	o := r.obtained(a, h, b, evidence...)
	if !keep.IsZero() && o.Class == cred.Done {
		if r.Can.Lingers {
			h.Previous = time.Time{} // whatever it tells, nothing ends by itself
		}
		o.Keep = &h.Previous
		o.Evidence = append(o.Evidence, lives(h.Previous))
	}
	return o
}

// keep moves the end of the old secret: later while proofs are open, to now once
// they are made.
func (r *Runner) keep(ctx context.Context, a rotation.Action) rotation.Outcome {
	until := r.Clock.Now()
	if a.Step.Verb == rotation.Extend {
		until = until.Add(r.state.Plan.Spec.Issuer.Grace)
	}
	if named, ok := r.Roles.Roller.(provider.EndsNamed); ok && a.Step.Verb == rotation.Expire {
		return r.endOld(ctx, named)
	}
	h, err := r.Roles.Roller.Keep(ctx, r.state.Plan.Old, until)
	if err != nil {
		return fromError(err)
	}
	o := rotation.Outcome{Class: cred.Done, Keep: &h.Previous, Evidence: []string{"the old secret ends at " + h.Previous.Format(time.RFC3339)}}
	switch {
	case h.Previous.IsZero() && a.Step.Verb == rotation.Expire:
		o.Evidence = []string{"the old secret has ended"}
	case h.Previous.IsZero():
		o.Evidence = []string{lives(h.Previous)}
	}
	return o
}

// endOld ends the old secret and no other, where it can be named.
func (r *Runner) endOld(ctx context.Context, named provider.EndsNamed) rotation.Outcome {
	old, fresh, err := r.bothBundles(ctx)
	if err != nil {
		return fromError(err)
	}
	if _, err := named.EndNamed(ctx, r.state.Plan.Old, old, fresh); err != nil {
		return fromError(err)
	}
	ended := r.Clock.Now().UTC()
	return rotation.Outcome{Class: cred.Done, Keep: &ended, Evidence: []string{"the old secret has ended"}}
}

// lives says until when the secret before the present one works; the zero time is of
// an issuer that ends none by itself.
func lives(until time.Time) string {
	if until.IsZero() {
		return "the old secret works until it is ended"
	}
	return "the old secret works until " + until.Format(time.RFC3339)
}

// prolong lets the old secret live on for as long as it may, if the roll happened
// at all: the list tells, by its count of secrets.
func (r *Runner) prolong(ctx context.Context) rotation.Outcome {
	old := r.state.Plan.Old
	if r.Can.Lingers {
		return r.unroll(ctx)
	}
	listed, err := r.Roles.Issuer.List(ctx)
	if err != nil {
		return fromError(err)
	}
	for _, h := range listed {
		if h.ID != old.ID {
			continue
		}
		if h.Version == old.Version && h.Previous.Equal(old.Previous) {
			return rotation.Outcome{Class: cred.Done, Already: true, Evidence: []string{"the roll did not happen"}}
		}
		far := r.Clock.Now().Add(longestKeep)
		if h.Previous.After(far.Add(-time.Hour)) {
			return rotation.Outcome{Class: cred.Done, Already: true, Keep: &h.Previous}
		}
		now, err := r.Roles.Roller.Keep(ctx, old, far)
		if err != nil {
			return fromError(err)
		}
		return rotation.Outcome{Class: cred.Done, Keep: &now.Previous,
			Evidence: []string{lives(now.Previous) + "; rotate again before"}}
	}
	return failed(cred.Unknown, "the issuer does not list %s any more", old.ID)
}

// flip switches the old generation off or on.
func (r *Runner) flip(ctx context.Context, a rotation.Action) rotation.Outcome {
	on := a.Step.Verb == rotation.Enable
	target := r.state.Plan.Old
	if r.state.Plan.Strategy == rotation.Rehearse {
		target = *r.state.Made.Handle
	}
	h, err := r.Roles.Switcher.Switch(ctx, target, on)
	if cred.ClassOf(err) == cred.Absent {
		gone, lookErr := r.isGone(ctx, target)
		switch {
		case lookErr != nil:
			return fromError(lookErr)
		case !gone:
			return failed(cred.Unknown, "the vendor says that %s is not there, and lists it", target.Name)
		case !on, r.state.Step(string(rotation.Discard)).Status == rotation.Ended:
			// On the way back there is nobody left to be given it.
			return rotation.Outcome{Class: cred.Done, Already: true, Evidence: []string{target.Name + " was ended by somebody else"}}
		}
	}
	if err != nil {
		return fromError(err)
	}
	word := "switched off"
	if on {
		word = "switched on again"
	}
	return rotation.Outcome{Class: cred.Done, Evidence: []string{h.Name + " is " + word}}
}
