package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/screen"
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
	c.Flags().StringVar(&from, "from", "", "the consumer that is right, by its key (heroku:my-app), instead of the store")
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
	keys := []string{}
	for _, c := range spec.Consumers {
		keys = append(keys, c.Key)
	}
	if from == spec.Store.Key {
		from = ""
	}
	if from != "" && !slices.Contains(keys, from) {
		return usage("--from wants a consumer of %s: %s", name, strings.Join(keys, ", "))
	}
	spec.Purpose, spec.Target = sop.ToRepair, from
	plan, err := a.planRepair(ctx, config, spec)
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
	return a.open(ctx, config, spec, f, nil)
}

// planOf looks and compiles a plan for what is not a rotation, changing nothing.
func (a *app) planOf(ctx context.Context, config *sop.Config, spec sop.Spec) (*rotation.Plan, []rotation.Refusal, error) {
	plan, refusals, err := a.compiled(ctx, config, spec)
	if err == nil && len(refusals) == 0 {
		a.remark(ctx, config, plan)
	}
	return plan, refusals, err
}

// compiled is the plan without by whom it may be carried out.
func (a *app) compiled(ctx context.Context, config *sop.Config, spec sop.Spec) (*rotation.Plan, []rotation.Refusal, error) {
	w, err := a.prepare(config, spec)
	if err != nil {
		return nil, nil, err
	}
	defer w.close()
	seen, problems := w.runner(screen.Quiet{}).Observe(ctx, spec)
	if problems != nil {
		return nil, nil, exit{exitFailed, fmt.Errorf("not everything could be seen, and nothing was touched:\n  %s\n  next  rekey drift %s", joinLines(runner.Problems(problems)), spec.Name)}
	}
	plan, refusals := rotation.Compile(spec, seen, w.crew.Can, runID())
	return &plan, refusals, nil
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
func (a *app) planRepair(ctx context.Context, config *sop.Config, spec sop.Spec) (*rotation.Plan, error) {
	plan, refusals, err := a.planOf(ctx, config, spec)
	switch {
	case err != nil:
		return nil, err
	case len(refusals) == 0:
		return plan, nil
	case refusals[0].Code != rotation.NothingToRepair:
		return nil, a.refused(spec.Name, refusals)
	case a.json:
		return nil, a.printJSON(map[string]any{"credential": spec.Name, "drifted": false})
	}
	a.print("%s %s: %s; nothing is to be done\n", a.style(a.out).Good("✓"), spec.Name, refusals[0].What)
	return nil, nil
}
