package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// planFlag shows what a command would do, instead of doing it: it needs no
// terminal, no reason and no confirmation.
func planFlag(c *cobra.Command, only *bool) {
	c.Flags().BoolVar(only, "plan", false, "only show what would be done, and who would be without a credential")
}

// wouldRevoke shows an emergency.
func (a *app) wouldRevoke(ctx context.Context, config *sop.Config, spec sop.Spec) error {
	plan, refusals, err := a.compiled(ctx, config, spec)
	switch {
	case err != nil:
		return err
	case len(refusals) > 0:
		return a.refused(spec.Name, refusals)
	}
	who := plan.Notes
	a.remark(ctx, config, plan)
	if a.json {
		return a.printJSON(map[string]any{"plan": plan, "without": who})
	}
	a.print("%s", report.RevokePlan(plan, who, a.style(a.out)))
	a.print("\n  next  %s\n", a.instead("plan", "--reason", "what happened"))
	return nil
}

// wouldRehearse shows a rehearsal.
func (a *app) wouldRehearse(ctx context.Context, config *sop.Config, practice sop.Spec) error {
	plan, refusals, err := a.planOf(ctx, config, practice)
	switch {
	case err != nil:
		return err
	case len(refusals) > 0:
		return a.refused(practice.Name, refusals)
	case a.json:
		return a.printJSON(map[string]any{"plan": plan})
	}
	a.print("%s", report.RehearsalPlan(plan, a.style(a.out)))
	a.print("\n  next  %s\n", a.instead("plan"))
	return nil
}

// wouldGoBack shows a rollback, from the journal alone.
func (a *app) wouldGoBack(ctx context.Context, id string) error {
	config, err := a.load()
	if err != nil {
		return err
	}
	run, err := a.pick(ctx, config, []string{id})
	if err != nil {
		return err
	}
	return a.withJournal(config, func(j *journal.Journal) error {
		events, err := history.Book{J: j}.Events(ctx, run.Run)
		if err != nil {
			return exit{exitFailed, err}
		}
		state := rotation.Fold(events)
		switch {
		case state.Closed != nil:
			return usage("run %s is over: %s\n  next  rekey log %s", run.Run, state.Closed.Ending, run.Run)
		case state.Final:
			return exit{exitFailed, fmt.Errorf("run %s is past the point of no return, so there is nothing to go back to\n  next  rekey resume %s", run.Run, run.Run)}
		}
		var steps []rotation.Step
		if state.Plan != nil {
			state.Apply(rotation.Event{At: a.now(), Run: run.Run, Kind: rotation.KindTurned, Turned: &rotation.Turned{Mode: rotation.Back, Generation: state.Generation}})
			steps = state.Active()
		}
		if a.json {
			return a.printJSON(map[string]any{"run": run.Run, "credential": run.Credential, "back": steps, "without": []string{}})
		}
		a.print("%s", report.BackPlan(state, steps, a.style(a.out)))
		a.print("\n  next  %s\n", a.instead("plan"))
		return nil
	})
}
