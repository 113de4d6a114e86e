package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"rekey/internal/report"
	"rekey/internal/sop"
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
	ops, err := a.operations()
	if err != nil {
		return err
	}
	seen, err := ops.FormerNames(ctx, names)
	if err != nil {
		return a.told(err)
	}
	if a.json {
		err = a.printJSON(map[string]any{"at": seen.At, "names": seen.Names, "calls": seen.Calls})
	} else {
		a.print("%s%s", report.Names(seen.Names, filepath.Base(a.config.File), a.style(a.out), a.now()), a.counted(seen.Calls))
	}
	if err == nil && seen.Unseen {
		err = exit{exitFailed, nil}
	}
	return err
}

func (a *app) retireNameCommand() *cobra.Command {
	var f runFlags
	var only bool
	c := &cobra.Command{
		Use: "retire FORMER-NAME", Short: "Take a former name away where nobody reads it any more",
		Long: `Take a former name out of every consumer in one write each, see that everything runs
and every check is true without it, watch for a while, and only then remove it from
the store, which asks for the credential's name. If anything breaks before that,
every consumer gets it back at once.

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
	ops, err := a.operations()
	if err != nil {
		return err
	}
	o := f.opening(spec.Name)
	o.Purpose, o.Target = sop.ToForget, former
	switch {
	case only:
		planned, err := ops.Plan(ctx, o.Wish)
		switch {
		case err != nil:
			return a.told(err)
		case a.json:
			return a.printJSON(planned.Plan)
		}
		a.print("%s\n  next  %s\n", report.Plan(planned.Plan, a.style(a.out), a.now()), a.instead("plan"))
		return nil
	case ok && f.confirm != "" && f.confirm != spec.Name:
		return usage("--confirm says %s, but this is a name of %s", f.confirm, spec.Name)
	case ok:
		if err := a.canConfirm(spec.Name, f.confirm); err != nil {
			return err
		}
	}
	return a.open(ctx, o)
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
