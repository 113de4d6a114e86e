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

// take notes what the source of a repair holds, if it still holds what was seen.
func (r *Runner) take(ctx context.Context) rotation.Outcome {
	plan := r.state.Plan
	b, err := r.source(ctx)
	if err != nil {
		return fromError(err)
	}
	makes, err := r.fingerprints(plan.Spec, b)
	if err != nil {
		return failed(cred.Refused, "%v", err)
	}
	dropped := plan.Spec.Store.Dropped()
	for _, s := range plan.Seen.Store.Slots {
		if s.Expected != "" && !slices.Contains(dropped, s.Slot) && makes[plan.Spec.Store.Key][s.Slot] != s.Expected {
			return failed(cred.Foreign, "the source was changed since it was looked at")
		}
	}
	r.mu.Lock()
	r.fresh[r.state.Generation] = b
	r.mu.Unlock()
	h := plan.Old
	return rotation.Outcome{Class: cred.Done, Handle: &h, Makes: makes, Evidence: []string{"it is " + h.Name + " (" + h.ID + ")"}}
}

// source reads the bundle from where a repair takes it: a store, or a consumer.
func (r *Runner) source(ctx context.Context) (secret.Bundle, error) {
	spec := r.state.Plan.Spec
	var b secret.Bundle
	further, ok := r.Roles.Further[spec.Target]
	switch {
	case spec.Target == "" || spec.Purpose != sop.ToRepair:
		held, err := r.Roles.Store.Read(ctx, spec.Store.SlotNames())
		if err != nil {
			return nil, err
		}
		b = r.inUse(spec, held)
	case ok:
		place, _, _ := spec.OneOfStores(spec.Target)
		held, err := further.Read(ctx, place.SlotNames())
		if err != nil {
			return nil, err
		}
		b = r.heldBy(spec, place, held)
	default:
		place, c, _ := r.consumer(spec.Target)
		if c == nil {
			return nil, &cred.Error{Vendor: spec.Target, Op: "read the source", Class: cred.Refused, Why: "it is no longer in rekey.yaml"}
		}
		now, err := c.Snapshot(ctx, place.SlotNames())
		if err != nil {
			return nil, err
		}
		b = r.heldBy(spec, place, now.Slots)
	}
	if b == nil {
		return nil, errLost
	}
	return b, nil
}

// taken is the bundle that a repair's observation starts from.
func (r *Runner) taken(spec sop.Spec, stored map[string]provider.Held, further []map[string]provider.Held, snapshots []provider.Snapshot) secret.Bundle {
	for i, s := range spec.Further {
		if s.Key == spec.Target {
			return r.heldBy(spec, s, further[i])
		}
	}
	for i, c := range spec.Consumers {
		if c.Key == spec.Target {
			return r.heldBy(spec, c, snapshots[i].Slots)
		}
	}
	return r.inUse(spec, stored)
}

// retaken reads the source again in a resumed process, if it still makes what was
// taken.
func (r *Runner) retaken(ctx context.Context) (secret.Bundle, error) {
	spec := r.state.Plan.Spec
	b, err := r.source(ctx)
	if err != nil {
		return nil, err
	}
	vs, err := values(spec.Store, b)
	if err != nil {
		return nil, err
	}
	for _, v := range vs {
		if r.Keyer.Of(v.Value) != r.state.Expected(spec.Store.Key, v.Slot) {
			return nil, &cred.Error{Vendor: spec.Target, Op: "read the source", Class: cred.Foreign, Why: "it was changed since it was looked at"}
		}
	}
	r.mu.Lock()
	r.fresh[r.state.Generation] = b
	r.mu.Unlock()
	return b, nil
}
