package runner

import (
	"context"
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
		return failed(cred.Waiting, "it is still not denied (%s)", detail)
	}
	which := p.Title()
	if r.state.Plan.Strategy == rotation.Replace {
		which = "the old one, switched off"
	}
	return rotation.Outcome{Class: cred.Done, Evidence: []string{which + ": " + detail}}
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
