package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rekey/internal/history"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/screen"
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
			w, err := a.workOn(args[0], strategy)
			if err != nil {
				return err
			}
			defer w.close()
			r, began := w.runner(screen.Quiet{}), a.now()
			seen, problems := r.Observe(c.Context(), w.spec)
			r.Advise(c.Context(), w.spec, &seen)
			// Where it was not seen which one is in use, that one would be called a stranger.
			if problems == nil || seen.Issuer.Owner != "" {
				if seen.Strangers, err = w.strangers(c.Context(), w.spec, seen.Issuer); err != nil {
					return exit{exitFailed, err}
				}
			}
			var refusals []rotation.Refusal
			if problems == nil {
				_, refusals = rotation.Compile(w.spec, seen, w.crew.Can, "check")
			}
			if err := w.noteCheck(c.Context(), began, seen, len(refusals)+len(runner.Problems(problems))); err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(map[string]any{"credential": w.spec.Name, "ok": problems == nil && len(refusals) == 0, "seen": seen, "refusals": refusals, "problems": runner.Problems(problems), "used": w.finder.Used()})
			} else {
				a.print("%s", report.Check(w.spec, seen, refusals, runner.Problems(problems), w.finder.Used(), a.style(a.out), a.now()))
				a.print("%s", w.countedCalls())
			}
			if err == nil && (problems != nil || len(refusals) > 0) {
				err = exit{exitFailed, nil}
			}
			return err
		},
	}
	strategyFlag(c, &strategy)
	return c
}

// noteCheck notes in the journal what a check came to, for the written procedure.
func (w *work) noteCheck(ctx context.Context, began time.Time, seen rotation.Observation, against int) error {
	now := w.app.now()
	check := history.Check{OK: against == 0, Against: against, History: seen.Store.History, Took: now.Sub(began), Current: seen.Issuer.InUse()}
	n, err := history.NoteOf(now.UTC(), w.spec.Name, history.Checked, check)
	if err != nil {
		return exit{exitFailed, err}
	}
	return w.keep(ctx, n)
}

// workOn opens everything for a credential by name.
func (a *app) workOn(name, strategy string) (*work, error) {
	config, err := a.load()
	if err != nil {
		return nil, err
	}
	spec, err := config.Spec(name)
	if err != nil {
		return nil, notThere(err)
	}
	if err := a.withStrategy(&spec, strategy); err != nil {
		return nil, err
	}
	return a.prepare(config, spec)
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
	w, err := a.workOn(name, strategy)
	if err != nil {
		return err
	}
	defer w.close()
	if err := placesKnown(w.config, despite); err != nil {
		return err
	}
	w.spec.Despite = despite
	r := w.runner(screen.Quiet{})
	seen, err := r.Observe(ctx, w.spec)
	if err != nil {
		return exit{exitFailed, fmt.Errorf("not everything could be seen, and nothing was touched:\n  %s\n  next  rekey check %s", joinLines(runner.Problems(err)), name)}
	}
	r.Advise(ctx, w.spec, &seen)
	if seen.Strangers, err = w.strangers(ctx, w.spec, seen.Issuer); err != nil {
		return exit{exitFailed, err}
	}
	plan, refusals := rotation.Compile(w.spec, seen, w.crew.Can, runID())
	if len(refusals) > 0 {
		return a.refused(name, refusals)
	}
	a.remark(ctx, w.config, &plan)
	if out != "" {
		if err := a.writePlan(out, &plan); err != nil {
			return err
		}
	}
	switch {
	case a.json:
		return a.printJSON(plan)
	default:
		a.print("%s", report.Plan(&plan, a.style(a.out), a.now()))
		a.print("\n%s", w.countedCalls())
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
