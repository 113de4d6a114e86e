package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"rekey/internal/report"
)

func (a *app) namesCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "names [NAME...]", Short: "Every former name, who still has it, and how to retire it",
		Long: `Show every former name and the slots of store and consumers that still hold it, and
which secrets refer to it. Nobody can see whether a program reads a variable: that,
its owner knows.

Exit codes: 0, or 1 if something could not be seen.`,
		ValidArgsFunction: a.completeNames,
		RunE:              func(c *cobra.Command, args []string) error { return a.names(c.Context(), args) },
	}
	c.AddCommand(a.retireNameCommand())
	return c
}

func (a *app) names(ctx context.Context, names []string) error {
	e, err := a.estate(names)
	if err != nil {
		return err
	}
	defer e.close()
	runs, err := e.book.Overview(ctx)
	if err != nil {
		return exit{exitFailed, err}
	}
	line := func(former string) int {
		_, n, _ := e.config.Formerly(former)
		return n
	}
	all := []report.Former{}
	code := exitDone
	for _, spec := range e.specs {
		if len(spec.Former) == 0 {
			continue
		}
		r, err := e.looker(spec)
		if err != nil {
			return exit{exitUsage, err}
		}
		seen := r.Compare(ctx, spec)
		if len(seen.Unseen) > 0 {
			code = exitFailed
		}
		all = append(all, report.FormerNames(spec, line, seen, runs)...)
	}
	if a.json {
		err = a.printJSON(map[string]any{"at": a.now().UTC(), "names": all, "calls": e.calls})
	} else {
		a.print("%s%s", report.Names(all, filepath.Base(e.config.File), a.style(a.out), a.now()), e.countedCalls())
	}
	if err != nil || code == exitDone {
		return err
	}
	return exit{code, nil}
}

func (a *app) retireNameCommand() *cobra.Command {
	var f runFlags
	var only bool
	c := &cobra.Command{
		Use: "retire FORMER-NAME", Short: "Take a former name away where nobody reads it any more",
		Long: `Take a former name out of every consumer in one write each, see that everything runs
and every check is true without it, watch for a while, and only then remove it from
the store, which asks for the credential's name. If anything breaks before that,
everybody gets it back at once.

It is refused while another secret of the store refers to the name, or where a
place holds something else under it.`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeFormer,
		RunE: func(c *cobra.Command, args []string) error { return a.retireName(c.Context(), args[0], only, f) },
	}
	c.Flags().BoolVar(&only, "plan", false, "show what would be done, and do nothing")
	f.add(c, false)
	c.Flags().StringVar(&f.reason, "reason", "", "why, for the record")
	c.Flags().StringVar(&f.ticket, "ticket", "", "where it was decided, for the record")
	f.when(c)
	return c
}

func (a *app) retireName(ctx context.Context, former string, only bool, f runFlags) error {
	config, err := a.load()
	if err != nil {
		return err
	}
	spec, _, ok := config.Formerly(former)
	if !ok {
		if _, err := config.Spec(former); err == nil {
			return usage("%s is no former name: it is the name of the credential\n  next  rekey names", former)
		}
		return usage("no credential has the former name %s\n  next  rekey names", former)
	}
	spec = spec.WithoutName(former)
	if only {
		plan, refusals, err := a.planOf(ctx, config, spec)
		if err == nil && len(refusals) > 0 {
			err = a.refused(spec.Name, refusals)
		}
		if err != nil {
			return err
		}
		if a.json {
			return a.printJSON(plan)
		}
		a.print("%s\n  next  %s\n", report.Plan(plan, a.style(a.out), a.now()), a.instead("plan"))
		return nil
	}
	if f.confirm != "" && f.confirm != spec.Name {
		return usage("--confirm says %s, but this is a name of %s", f.confirm, spec.Name)
	}
	if err := a.canConfirm(spec.Name, f.confirm); err != nil {
		return err
	}
	if err := a.outside(spec, f.outside); err != nil {
		return err
	}
	return a.open(ctx, config, spec, f, nil)
}

// completeFormer completes former names.
func (a *app) completeFormer(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	config, err := a.load()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, s := range config.Specs {
		for _, f := range s.Former {
			out = append(out, fmt.Sprintf("%s\tof %s", f, s.Name))
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
