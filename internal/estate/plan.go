package estate

import (
	"context"

	"rekey/internal/history"
	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/sop"
)

// look looks at everything and says what stands against a run, or what could not be
// seen of what it needs.
func (w *work) look(ctx context.Context, run string) (seen rotation.Observation, refusals []rotation.Refusal, problems []string) {
	seen, err := w.runner().Observe(ctx, w.spec)
	if err != nil {
		return seen, nil, runner.Problems(err)
	}
	_, refusals = rotation.Compile(w.spec, seen, w.crew.Can, run)
	return seen, refusals, nil
}

// Check looks at everything that a run would need, and notes what it came to.
func (e *Estate) Check(ctx context.Context, wish Wish) (Checked, error) {
	spec, err := e.wished(ctx, wish, nil)
	if err != nil {
		return Checked{}, err
	}
	w, err := e.prepare(spec, wish.saw)
	if err != nil {
		return Checked{}, err
	}
	defer w.close()
	r, began := w.runner(), e.now()
	seen, unseen := r.Observe(ctx, spec)
	r.Advise(ctx, spec, &seen)
	// Where it was not seen which one is in use, that one would be called a stranger.
	if unseen == nil || seen.Issuer.Owner != "" {
		if seen.Strangers, err = w.strangers(ctx, spec, seen.Issuer); err != nil {
			return Checked{}, failed(err)
		}
	}
	out := Checked{Spec: spec, Seen: seen, Problems: runner.Problems(unseen), Used: w.finder.Used(), Asks: w.unanswered}
	if unseen == nil {
		_, out.Refusals = rotation.Compile(spec, seen, w.crew.Can, "check")
	}
	now := e.now()
	check := history.Check{OK: out.OK(), Against: len(out.Refusals) + len(out.Problems), History: seen.Store.History, Took: now.Sub(began), Current: seen.Issuer.InUse()}
	note, err := history.NoteOf(now.UTC(), spec.Name, history.Checked, check)
	if err != nil {
		return Checked{}, failed(err)
	}
	out.Calls = w.called()
	return out, w.keep(ctx, note)
}

// Plan looks and compiles what a run would do, changing nothing.
func (e *Estate) Plan(ctx context.Context, wish Wish) (Planned, error) {
	spec, err := e.wished(ctx, wish, nil)
	if err != nil {
		return Planned{}, err
	}
	w, err := e.prepare(spec, wish.saw)
	if err != nil {
		return Planned{}, err
	}
	defer w.close()
	r := w.runner()
	seen, err := r.Observe(ctx, spec)
	if err != nil {
		return Planned{}, &Error{Code: NotSeen, Credential: spec.Name, Purpose: spec.Purpose, Problems: runner.Problems(err), Asks: w.unanswered}
	}
	if spec.Purpose == "" || spec.Purpose == sop.AfterRevoke {
		r.Advise(ctx, spec, &seen)
		if seen.Strangers, err = w.strangers(ctx, spec, seen.Issuer); err != nil {
			return Planned{}, failed(err)
		}
	}
	run, err := e.runID()
	if err != nil {
		return Planned{}, err
	}
	plan, refusals := rotation.Compile(spec, seen, w.crew.Can, run)
	if len(refusals) > 0 {
		return Planned{}, &Error{Code: Refused, Credential: spec.Name, Purpose: spec.Purpose, Refusals: refusals}
	}
	out := Planned{Plan: &plan, Without: plan.Notes}
	e.remark(ctx, &plan)
	out.Calls = w.called()
	return out, nil
}

// PlanBack tells what turning back would do, from the journal alone.
func (e *Estate) PlanBack(ctx context.Context, id string) (BackPlan, error) {
	run, err := e.pick(ctx, id)
	if err != nil {
		return BackPlan{}, err
	}
	out := BackPlan{Run: run.Run, Credential: run.Credential}
	err = e.withJournal(ctx, func(book history.Book) error {
		events, err := book.Events(ctx, run.Run)
		if err != nil {
			return err
		}
		out.State = rotation.Fold(events)
		switch st := out.State; {
		case st.Closed != nil:
			return &Error{Code: RunOver, Run: run.Run, Ending: st.Closed.Ending}
		case st.Final:
			return &Error{Code: PastReturn, Run: run.Run}
		case st.Plan != nil:
			st.Apply(rotation.Event{At: e.now(), Run: run.Run, Kind: rotation.KindTurned, Turned: &rotation.Turned{Mode: rotation.Back, Generation: st.Generation}})
			out.Steps = st.Active()
		}
		return nil
	})
	return out, err
}
