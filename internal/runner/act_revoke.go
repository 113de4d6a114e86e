package runner

import (
	"context"
	"fmt"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/rotation"
)

// denied asks a protected address with what was taken away, until it denies it.
func (r *Runner) denied(ctx context.Context, a rotation.Action) rotation.Outcome {
	url, _, _ := strings.Cut(a.Step.Target, " ") // a rehearsal asks more than once
	p, ok := r.probe(url)
	if !ok {
		return failed(cred.Refused, "the plan knows no probe %s", a.Step.Target)
	}
	bundle := r.oldBundle
	if r.state.Plan.Strategy == rotation.Rehearse {
		bundle = r.newBundle
	}
	b, err := bundle(ctx)
	if err != nil {
		return fromError(err)
	}
	verdict, detail, err := r.verdict(ctx, p, b)
	if err != nil {
		return fromError(err)
	}
	if verdict != cred.Rejected {
		return failed(cred.Waiting, "it is still not denied (%s)%s", detail, r.onAgain(ctx))
	}
	which := p.Title()
	if r.state.Plan.Strategy == rotation.Replace {
		which = "the old one, switched off"
		why, err := r.notWorking(ctx)
		switch {
		case err != nil:
			return fromError(err)
		case why != "":
			o := failed(cred.Foreign, "%s", why)
			o.Unproven = true
			return o
		}
	}
	return rotation.Outcome{Class: cred.Done, Evidence: []string{which + ": " + detail}}
}

// onAgain says, in an emergency, that somebody else has switched it on again.
func (r *Runner) onAgain(ctx context.Context) string {
	old := r.state.Plan.Old
	if r.state.Plan.Strategy != rotation.Revoke || r.state.Step(string(rotation.Disable)).Status != rotation.Ended {
		return ""
	}
	if h, err := r.find(ctx, old); err != nil || h.Disabled {
		return ""
	}
	return fmt.Sprintf(": %s was switched on again by somebody else", old.Named())
}

// gone asks the issuer, whose word counts where no protected address can be asked.
func (r *Runner) gone(ctx context.Context) rotation.Outcome {
	old := r.state.Plan.Old
	listed, err := r.Roles.Issuer.List(ctx)
	if err != nil {
		return fromError(err)
	}
	for _, h := range listed {
		switch {
		case h.ID != old.ID:
		case h.Disabled:
			return rotation.Outcome{Class: cred.Done, Evidence: []string{"the issuer lists " + h.Name + " as switched off"}}
		default:
			return failed(cred.Waiting, "the issuer still lists %s as live", h.Name)
		}
	}
	return rotation.Outcome{Class: cred.Done, Evidence: []string{"the issuer no longer lists " + old.Name}}
}
