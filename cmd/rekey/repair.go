package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

func (a *app) repairCommand() *cobra.Command {
	var f runFlags
	var from string
	var only bool
	c := &cobra.Command{
		Use: "repair NAME", Short: "Give every place that has drifted what the store holds",
		Long: `Give every place that has drifted what the store holds, or what the place named by
--from holds. It looks first, proves at the protected address that what it is about to
write is accepted, and asks for the credential's name before it writes.

rekey drift tells what disagrees, and which repair fixes it.`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeNames,
		RunE: func(c *cobra.Command, args []string) error { return a.repair(c.Context(), args[0], from, only, f) },
	}
	c.Flags().StringVar(&from, "from", "", "the place that is right, by its key (heroku:my-app), instead of the first store")
	c.Flags().BoolVar(&only, "plan", false, "show what would be written, and write nothing")
	c.Flags().StringVar(&f.confirm, "confirm", "", "the credential's name, for scripts")
	c.Flags().StringVar(&f.reason, "reason", "", "why, for the record")
	c.Flags().StringVar(&f.ticket, "ticket", "", "where it was decided, for the record")
	return c
}

func (a *app) repair(ctx context.Context, name, from string, only bool, f runFlags) error {
	config, err := a.load()
	if err != nil {
		return err
	}
	spec, err := config.Spec(name)
	if err != nil {
		return notThere(err)
	}
	o := f.opening(spec.Name)
	o.Purpose, o.Target = sop.ToRepair, from
	plan, err := a.planRepair(ctx, o.Wish)
	if err != nil || plan == nil {
		return err
	}
	if only {
		if a.json {
			return a.printJSON(plan)
		}
		a.print("%s", report.Plan(plan, a.style(a.out), a.now()))
		a.print("\n  next  %s\n", a.instead("plan"))
		return nil
	}
	if err := a.canConfirm(name, f.confirm); err != nil {
		return err
	}
	if !a.json && f.confirm == "" {
		_, _ = fmt.Fprintf(a.err, "%s\n", report.Plan(plan, a.style(a.err), a.now()))
	}
	return a.open(ctx, o)
}

// refused tells what stands against a plan.
func (a *app) refused(name string, refusals []rotation.Refusal) error {
	if a.json {
		_ = a.printJSON(map[string]any{"credential": name, "refusals": refusals})
	} else {
		a.print("%s", report.Refusals(name, refusals, a.style(a.out)))
	}
	return exit{exitFailed, nil}
}

// planRepair makes the plan of a repair. No plan and no error means that nothing
// has drifted, which is said.
func (a *app) planRepair(ctx context.Context, w estate.Wish) (*rotation.Plan, error) {
	ops, err := a.operations()
	if err != nil {
		return nil, err
	}
	planned, err := ops.Plan(ctx, w)
	refused, ok := errors.AsType[*estate.Error](err)
	switch {
	case err == nil:
		return planned.Plan, nil
	case !ok || refused.Code != estate.Refused || refused.Refusals[0].Code != rotation.NothingToRepair:
		return nil, a.told(err)
	case a.json:
		return nil, a.printJSON(map[string]any{"credential": w.Credential, "drifted": false})
	}
	a.print("%s %s: %s; nothing is to be done\n", a.style(a.out).Good("✓"), w.Credential, refused.Refusals[0].What)
	return nil, nil
}
