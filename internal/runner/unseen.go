package runner

import (
	"context"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
)

// unseen counts, where the old one is unused, who may hold what it gave out (an access
// token) and does not show while that lasts. It is waited for where that fits into the
// step, for whoever goes on then has to show; otherwise it is said that nobody could be
// seen.
func (r *Runner) unseen(ctx context.Context, a rotation.Action, o rotation.Outcome) rotation.Outcome {
	issuer, ok := r.Roles.Issuer.(provider.Lasting)
	if !ok || o.Class != cred.Done || o.Seen == nil {
		return o
	}
	lasts, err := issuer.Lasts(ctx)
	if err != nil {
		return fromError(err)
	}
	if lasts < 0 {
		o.Evidence = append(o.Evidence, notSeen+"without end, and ends with it")
		return o
	}
	now := r.Clock.Now()
	if c, ok := r.Roles.Issuer.(provider.Clocked); ok {
		ahead, _ := c.Ahead()
		now = now.Add(ahead)
	}
	until := o.Seen.Add(lasts)
	switch left := until.Sub(now); {
	case left <= 0:
	case lasts+r.state.Plan.Spec.Timing.Quiet <= a.Step.Within:
		return failed(cred.Waiting, "an access token of its last use may be in use without showing for another %s", left.Round(time.Second))
	default:
		o.Evidence = append(o.Evidence, notSeen+"until "+until.UTC().Format(time.RFC3339)+" and ends with it")
	}
	return o
}

const notSeen = "not seen: whether somebody works on with an access token that came from it, which is possible "
