package runner

import (
	"context"
	"fmt"

	"rekey/internal/cred"
	"rekey/internal/rotation"
)

// plan looks at everything and compiles, or ends the run with every reason
// against it.
func (r *Runner) plan(ctx context.Context) error {
	ctx, end := r.whole(ctx) // one look: it is finished, and says what was seen
	defer end()
	before := r.calls()
	seen, err := r.Observe(ctx, r.state.Opened.Spec)
	left, stops, pastErr := r.left(ctx, &seen)
	if pastErr != nil {
		return pastErr
	}
	if err != nil {
		o := outcomeOf(rotation.ObserveStep, err)
		o.Problems, o.Left = Problems(err), left
		o.Why, o.Calls = o.Problems[0], r.calls()-before
		if n := len(o.Problems); n > 1 {
			o.Why += fmt.Sprintf(" (and %d more)", n-1)
		}
		return r.append(ctx, rotation.Event{Kind: rotation.KindOutcome, Outcome: &o})
	}
	if r.Past != nil {
		ours := []string{r.state.Run}
		seen.Strangers = rotation.Strangers(r.state.Opened.Spec, seen.Issuer, nil, ours)
		if len(seen.Strangers) > 0 { // or there is none, whatever the journal knows
			past, err := r.Past(ctx)
			if err != nil {
				return err
			}
			seen.Strangers = rotation.Strangers(r.state.Opened.Spec, seen.Issuer, past, ours)
		}
	}
	plan, refusals := rotation.Compile(r.state.Opened.Spec, seen, r.Can, r.state.Run)
	if stops || len(refusals) > 0 {
		refusals = append(refusals, left...)
	}
	if len(refusals) > 0 {
		return r.refuse(ctx, "the run was not started", refusals)
	}
	if off := rotation.OffUnexplained(r.state, &plan); off != nil {
		return r.refuse(ctx, "a person asked to go back, and the journal knows of nothing to take back", off)
	}
	if want := r.state.Opened.Expect; want != "" && !plan.Is(want) {
		return r.refuse(ctx, "something has changed since the plan was made", append(differences(r.Reviewed, &plan), left...))
	}
	plan.NoteSince(r.Reviewed)
	done := rotation.Outcome{Step: rotation.ObserveStep, Class: cred.Done, Calls: r.calls() - before}
	return r.append(ctx,
		rotation.Event{Kind: rotation.KindOutcome, Outcome: &done},
		rotation.Event{Kind: rotation.KindPlanned, Planned: &plan})
}

func (r *Runner) refuse(ctx context.Context, why string, refusals []rotation.Refusal) error {
	return r.append(ctx, rotation.Event{Kind: rotation.KindClosed, Closed: &rotation.Closed{
		Ending: rotation.RefusedRun, Why: why, Refusals: refusals,
	}})
}

// differences says what has changed since a reviewed plan.
func differences(reviewed, now *rotation.Plan) []rotation.Refusal {
	then := "make a new plan and have it reviewed: rekey plan " + now.Spec.Name + " --out " + now.Spec.Name + "-plan.json"
	if reviewed == nil {
		return []rotation.Refusal{{Code: rotation.PlanChanged, What: "the plan comes out differently now", Then: then}}
	}
	var out []rotation.Refusal
	for _, d := range rotation.Differences(reviewed, now) {
		out = append(out, rotation.Refusal{Code: rotation.PlanChanged, What: d, Then: then})
	}
	return out
}
