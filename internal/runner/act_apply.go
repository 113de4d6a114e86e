package runner

import (
	"context"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// apply makes what a place holds take effect. It may be done again by a process that
// goes on: whether the one before it came so far is not asked.
func (r *Runner) apply(ctx context.Context, a rotation.Action) rotation.Outcome {
	place, role := r.placed(a.Step.Target)
	applier, ok := role.(provider.Applier)
	if !ok {
		return failed(cred.Refused, "what %s holds is not applied by a step of its own any more", a.Step.Target)
	}
	r.forgetRan(place.Key)
	if err := applier.Apply(ctx, place.SlotNames()); err != nil {
		return fromError(err)
	}
	return rotation.Outcome{Class: cred.Done, Evidence: []string{"applied in " + place.Key}}
}

// placed is a place of the plan, and who plays it.
func (r *Runner) placed(key string) (sop.Place, any) {
	if place, first, ok := r.state.Plan.Spec.OneOfStores(key); first {
		return place, r.Roles.Store
	} else if ok {
		return place, r.Roles.Further[key]
	}
	place, c, _ := r.consumer(key)
	return place, c
}
