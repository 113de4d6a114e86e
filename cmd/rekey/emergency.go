package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rekey/internal/discover"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/screen"
	"rekey/internal/sop"
)

func (a *app) revokeCommand() *cobra.Command {
	var f runFlags
	var generation string
	var forGood, only bool
	c := &cobra.Command{
		Use: "revoke NAME", Short: "Emergency: take a credential away now",
		Long: `Take a credential away now, whoever uses it: switch it off (or, with --delete and
where it cannot be switched off, take it out of every rule and delete it), and ask
the protected address until it denies it. Who is left without one is listed before you are asked.

What cannot be seen stops nothing, as long as it is clear which one is meant.

Afterwards: rekey run NAME --after-revoke gives the consumers a new one.`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			if f.reason == "" && !only {
				return usage("an emergency is recorded with its reason\n  next  %s", a.again("--reason", "what happened"))
			}
			config, err := a.load()
			if err != nil {
				return err
			}
			spec, err := config.Spec(args[0])
			if err != nil {
				return notThere(err)
			}
			if !only {
				if err := errors.Join(a.reasoned(f.without, f.reason), a.canConfirm(spec.Name, f.confirm)); err != nil {
					return err
				}
			}
			spec.Purpose, spec.Target = sop.ToRevoke, generation
			if spec.Others, err = a.unregistered(c.Context(), config, spec.Name); err != nil {
				return err
			}
			if forGood {
				spec.Purpose = sop.ToDelete
			}
			if only {
				return a.wouldRevoke(c.Context(), config, spec)
			}
			return a.open(c.Context(), config, spec, f, nil)
		},
	}
	planFlag(c, &only)
	c.Flags().StringVar(&f.confirm, "confirm", "", "the credential's name, for scripts")
	c.Flags().StringVar(&f.reason, "reason", "", "what happened, for the record (required)")
	c.Flags().StringVar(&f.ticket, "ticket", "", "where it was decided, for the record")
	c.Flags().StringVar(&generation, "generation", "", "name or id at the issuer, instead of the one in use")
	withoutRole(c, &f.without)
	c.Flags().BoolVar(&forGood, "delete", false, "end it for good instead of switching it off")
	return c
}

func (a *app) rehearseCommand() *cobra.Command {
	var f runFlags
	var only bool
	c := &cobra.Command{
		Use: "rehearse NAME", Short: "Practise the procedure on a throwaway credential",
		Long: `Practise the whole procedure at the real vendors on a throwaway credential: look at
everything that a run would need, create, prove, store in a folder of its own,
switch off, delete, and clean up. Rules and consumers are asked and not written.

It needs rehearse: in rekey.yaml. If it is killed, rekey resume cleans up.`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeNames,
		RunE: func(c *cobra.Command, args []string) error { return a.rehearse(c.Context(), args[0], f, only) },
	}
	planFlag(c, &only)
	c.Flags().StringVar(&f.reason, "reason", "", "why, for the record")
	c.Flags().StringVar(&f.ticket, "ticket", "", "where it was decided, for the record")
	return c
}

func (a *app) rehearse(ctx context.Context, name string, f runFlags, only bool) error {
	config, err := a.load()
	if err != nil {
		return err
	}
	spec, err := config.Spec(name)
	if err != nil {
		return notThere(err)
	}
	if spec.Rehearse == nil {
		return usage("rekey.yaml does not say where %s is rehearsed; add to its procedure:\n\n    rehearse:\n      store:\n        path: /rekey-rehearsal/\n      validate:                # a sandbox whose rules accept any valid credential\n        - url: https://sandbox.example.com/health\n", name)
	}
	inUse, err := a.wouldRun(ctx, config, spec)
	if err != nil {
		return err
	}
	practice := spec.ForRehearsal()
	practice.Target = inUse // what an issuer that copies makes the throwaway after
	if only {
		return a.wouldRehearse(ctx, config, practice)
	}
	return a.open(ctx, config, practice, f, nil)
}

// wouldRun looks at production first, read-only: a rehearsal that goes well
// beside a run that would be refused says the wrong thing. It returns which one is
// in use.
func (a *app) wouldRun(ctx context.Context, config *sop.Config, spec sop.Spec) (inUse string, err error) {
	w, err := a.prepare(config, spec)
	if err != nil {
		return "", err
	}
	defer w.close()
	seen, problems := w.runner(screen.Quiet{}).Observe(ctx, spec)
	if problems != nil {
		return "", exit{exitFailed, fmt.Errorf("not everything that a run needs could be seen:\n  %s\n  next  rekey check %s", joinLines(runner.Problems(problems)), spec.Name)}
	}
	_, refusals := rotation.Compile(spec, seen, w.crew.Can, "rehearsal")
	switch {
	case len(refusals) == 0:
		return seen.Issuer.Owner, nil
	case a.json:
		return "", errors.Join(a.printJSON(map[string]any{"credential": spec.Name, "refusals": refusals}), exit{exitFailed, nil})
	}
	a.print("%s", report.Refusals(spec.Name, refusals, a.style(a.out)))
	return "", exit{exitFailed, nil}
}

// unregistered tells, from the last rekey discover, who holds a credential without
// being registered: an emergency does not wait for another look.
func (a *app) unregistered(ctx context.Context, config *sop.Config, name string) ([]string, error) {
	j, err := journal.OpenExisting(a.journalDir(config))
	if errors.Is(err, journal.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, exit{exitFailed, err}
	}
	defer func() { _ = j.Close() }()
	book := history.Book{J: j}
	if err := sameWorld(ctx, config, book, a.journalDir(config)); err != nil {
		return nil, err
	}
	all, err := found(ctx, book)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range all[name].Findings {
		if f.Kind == discover.Unregistered || f.Kind == discover.StoredCopy {
			out = append(out, fmt.Sprintf("%s held it in %s on %s", f.Where, strings.Join(f.Slots, ", "), all[name].At.Format(time.DateOnly)))
		}
	}
	return out, nil
}
