package runner

import (
	"context"

	"rekey/internal/provider"
	"rekey/internal/rotation"
)

// tried tries one step once, and outlives a panic in it: that is an unknown outcome
// like any other, and the intent that was written gets its answer.
func (r *Runner) tried(ctx context.Context, a rotation.Action) (o rotation.Outcome) {
	err := func() (err error) {
		defer provider.Survive(a.Step.Title, &err)
		o = r.act(ctx, a)
		return nil
	}()
	if err != nil {
		return fromError(err)
	}
	return o
}
