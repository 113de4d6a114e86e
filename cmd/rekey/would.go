package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"rekey/internal/estate"
	"rekey/internal/report"
)

// planFlag shows what a command would do, instead of doing it: it needs no
// terminal, no reason and no confirmation.
func planFlag(c *cobra.Command, only *bool) {
	c.Flags().BoolVar(only, "plan", false, "only show what would be done, and who would be without a credential")
}

// wouldRevoke shows an emergency.
func (a *app) wouldRevoke(ctx context.Context, w estate.Wish) error {
	ops, err := a.operations()
	if err != nil {
		return err
	}
	planned, err := ops.Plan(ctx, w)
	switch {
	case err != nil:
		return a.told(err)
	case a.json:
		return a.printJSON(map[string]any{"plan": planned.Plan, "without": planned.Without})
	}
	a.print("%s", report.RevokePlan(planned.Plan, planned.Without, a.style(a.out)))
	a.print("\n  next  %s\n", a.instead("plan", "--reason", "what happened"))
	return nil
}

// wouldRehearse shows a rehearsal.
func (a *app) wouldRehearse(ctx context.Context, w estate.Wish) error {
	ops, err := a.operations()
	if err != nil {
		return err
	}
	planned, err := ops.Plan(ctx, w)
	switch {
	case err != nil:
		return a.told(err)
	case a.json:
		return a.printJSON(map[string]any{"plan": planned.Plan})
	}
	a.print("%s", report.RehearsalPlan(planned.Plan, a.style(a.out)))
	a.print("\n  next  %s\n", a.instead("plan"))
	return nil
}

// wouldGoBack shows a rollback, from the journal alone.
func (a *app) wouldGoBack(ctx context.Context, id string) error {
	ops, err := a.operations()
	if err != nil {
		return err
	}
	back, err := ops.PlanBack(ctx, id)
	switch {
	case estate.CodeOf(err) == estate.PastReturn:
		return exit{exitFailed, fmt.Errorf("run %s is past the point of no return, so there is nothing to go back to\n  next  rekey resume %s", id, id)}
	case err != nil:
		return a.told(err)
	case a.json:
		return a.printJSON(map[string]any{"run": back.Run, "credential": back.Credential, "back": back.Steps, "without": []string{}})
	}
	a.print("%s", report.BackPlan(back.State, back.Steps, a.style(a.out)))
	a.print("\n  next  %s\n", a.instead("plan"))
	return nil
}
