package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

func (a *app) lintCommand() *cobra.Command {
	return &cobra.Command{
		Use: "lint", Short: "Check rekey.yaml: every mistake, with its place", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"file": c.File, "credentials": len(c.Specs), "advice": nonNil(c.Advice)})
			}
			for _, p := range c.Advice {
				a.print("%s\n", p)
			}
			a.print("%s %s: %s, nothing wrong\n", a.style(a.out).Good("✓"), c.File, count(len(c.Specs), "credential"))
			return nil
		},
	}
}

func nonNil(p sop.Problems) sop.Problems {
	if p == nil {
		return sop.Problems{}
	}
	return p
}

func (a *app) checkCommand() *cobra.Command {
	var strategy string
	c := &cobra.Command{
		Use: "check NAME", Short: "Look at everything that a run would need, changing nothing",
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			ops, err := a.operations()
			if err != nil {
				return err
			}
			wish := estate.Wish{Credential: args[0], Strategy: strategy}
			seen, err := ops.Check(c.Context(), wish)
			for err == nil && a.sees(c.Context(), &wish, seen.Asks) {
				seen, err = ops.Check(c.Context(), wish)
			}
			if err != nil {
				return a.told(err)
			}
			if a.json {
				err = a.printJSON(map[string]any{"credential": seen.Spec.Name, "ok": seen.OK(), "seen": seen.Seen, "refusals": seen.Refusals, "problems": seen.Problems, "used": seen.Used})
			} else {
				a.print("%s", report.Check(seen.Spec, seen.Seen, seen.Refusals, seen.Problems, seen.Used, a.style(a.out), a.now()))
				a.print("%s", a.counted(seen.Calls))
			}
			if err == nil && !seen.OK() {
				err = exit{exitFailed, nil}
			}
			return err
		},
	}
	strategyFlag(c, &strategy)
	return c
}

func (a *app) planCommand() *cobra.Command {
	var out, strategy string
	var despite []string
	c := &cobra.Command{
		Use: "plan NAME", Short: "Show what a run would do, changing nothing",
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			return a.plan(c.Context(), args[0], out, strategy, despite)
		},
	}
	strategyFlag(c, &strategy)
	despiteFlag(c, &despite)
	c.Flags().StringVar(&out, "out", "", "write the plan to a file (.json), to be reviewed and then run exactly")
	return c
}

func (a *app) plan(ctx context.Context, name, out, strategy string, despite []string) error {
	if err := a.canWrite(out); err != nil {
		return err
	}
	ops, err := a.operations()
	if err != nil {
		return err
	}
	wish := estate.Wish{Credential: name, Strategy: strategy, Despite: despite}
	planned, err := ops.Plan(ctx, wish)
	for a.sees(ctx, &wish, asksOf(err)) {
		planned, err = ops.Plan(ctx, wish)
	}
	if err != nil {
		return a.told(err)
	}
	plan := planned.Plan
	if out != "" {
		if err := a.writePlan(out, plan); err != nil {
			return err
		}
	}
	switch {
	case a.json:
		return a.printJSON(plan)
	default:
		a.print("%s", report.Plan(plan, a.style(a.out), a.now()))
		a.print("\n%s", a.counted(planned.Calls))
	}
	if out != "" {
		a.print("  written to %s, digest %s\n  next  rekey run %s\n", out, plan.Digest()[:12], report.Quote(out))
	} else {
		next := "rekey run " + report.Quote(name)
		if strategy != "" {
			next += " --strategy " + strategy
		}
		for _, key := range despite {
			next += " --despite " + report.Quote(key)
		}
		a.print("  next  %s\n", next)
	}
	return nil
}

// canWrite refuses early what would be refused once everything was looked at.
func (a *app) canWrite(out string) error {
	if out == "" {
		return nil
	}
	if !strings.HasSuffix(out, ".json") {
		return usage("a plan is written to a file ending in .json, by which `rekey run` knows it")
	}
	if _, err := os.Lstat(a.path(out)); err == nil {
		return a.planThere(out)
	}
	return nil
}

func (a *app) writePlan(name string, p *rotation.Plan) error {
	path := a.path(name)
	b, err := p.File()
	if err != nil {
		return exit{exitFailed, err}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return a.planThere(name)
	}
	if err != nil {
		return exit{exitFailed, fmt.Errorf("write the plan: %w", err)}
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(path) // half a plan is none
		return exit{exitFailed, fmt.Errorf("write the plan: %w", err)}
	}
	return nil
}

// planThere: it may be the one that is reviewed just now.
func (a *app) planThere(name string) error {
	return usage("%s is there already and is never overwritten\n  next  %s\n  or    move it away", a.path(name), a.again("--out", a.another(name)))
}
