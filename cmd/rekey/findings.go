package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/sop"
	"rekey/internal/visible"
)

func (a *app) findingsCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "findings [NAME...]", Short: "What the last looks have found, and who has acknowledged it",
		Long: `What the last rekey drift and rekey discover have found, by whoever ran them, each
with its id, and which of it somebody has acknowledged (rekey acknowledge).

It reads the journal and asks nobody. What is acknowledged is counted, and shown
with --all.

Exit codes: 0 nothing that nobody has acknowledged, 6 something.`,
		ValidArgsFunction: a.completeNames,
		RunE:              func(c *cobra.Command, args []string) error { return a.findings(c.Context(), args, all) },
	}
	c.Flags().BoolVar(&all, "all", false, "show what is acknowledged as well")
	return c
}

func (a *app) findings(ctx context.Context, names []string, all bool) error {
	ops, err := a.operations()
	if err != nil {
		return err
	}
	seen, err := ops.Findings(ctx)
	if err != nil {
		return a.told(err)
	}
	if len(names) > 0 {
		for _, n := range names {
			if err := a.knows(ctx, ops, n); err != nil {
				return err
			}
		}
		seen.Findings = slices.DeleteFunc(seen.Findings, func(f report.Finding) bool { return !slices.Contains(names, f.Credential) })
	}
	open := 0
	for _, f := range seen.Findings {
		if f.Acknowledged == nil {
			open++
		}
	}
	if a.json {
		err = a.printJSON(seen)
	} else {
		a.print("%s", report.FindingsText(seen.Findings, all, a.style(a.out), seen.At))
	}
	if err == nil && open > 0 {
		err = exit{exitNeeds, nil}
	}
	return err
}

// knows refuses a name that no credential has.
func (a *app) knows(ctx context.Context, ops estate.Operations, name string) error {
	status, err := ops.Status(ctx, estate.StatusAsked{})
	if err != nil {
		return a.told(err)
	}
	if !slices.ContainsFunc(status.Rows, func(r report.Row) bool { return r.Credential == name }) {
		return a.told(&estate.Error{Code: estate.NoCredential, Credential: name, Err: fmt.Errorf("no credential %s in rekey.yaml", visible.Text(name))})
	}
	return nil
}

func (a *app) acknowledgeCommand() *cobra.Command {
	var reason, until string
	var back bool
	c := &cobra.Command{
		Use: "acknowledge ID", Short: "Say that you know of a finding and let it be, until a day",
		Long: `Say that you know of a finding (rekey findings shows its id) and let it be, why, and
until when. It is not notified then, and does not count for rekey status. It stays
in every list and in the evidence, with your name, the time and the reason.

It comes back by itself on that day, and before it as soon as it is something else:
another value, another generation, somebody who uses what nobody did. What is gone
and comes up again is new.`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeFindings,
		RunE: func(c *cobra.Command, args []string) error {
			day, err := a.untilWhen(until)
			if err != nil && !back {
				return err
			}
			return a.acknowledge(c.Context(), estate.Acknowledging{Finding: args[0], Reason: reason, Until: day, TakeBack: back})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why it may stay so, for the record")
	c.Flags().StringVar(&until, "until", "", "when it comes back: a day (2027-01-31), a time (RFC 3339), or for how long (30d)")
	c.Flags().BoolVar(&back, "take-back", false, "take it back: let it count again")
	return c
}

// untilWhen reads a day, a time, or for how long.
func (a *app) untilWhen(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, usage("--until wants a day (2027-01-31), a time (RFC 3339), or for how long (30d): it comes back then")
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	d, err := sop.ParseDuration(text)
	if err != nil {
		return time.Time{}, usage("--until %s is no day (2027-01-31), no time (RFC 3339), and not for how long (30d)", visible.Text(text))
	}
	return a.now().Add(d), nil
}

func (a *app) acknowledge(ctx context.Context, k estate.Acknowledging) error {
	ops, err := a.operations()
	if err != nil {
		return err
	}
	done, err := ops.Acknowledge(ctx, k)
	if err != nil {
		return a.told(err)
	}
	if a.json {
		return a.printJSON(done)
	}
	f := visible.Copy(done.Finding)
	if f.Acknowledged == nil {
		a.print("taken back: %s\n  next  %s\n", f.What, strings.TrimSpace("rekey findings "+f.Credential))
		return nil
	}
	a.print("acknowledged by %s until %s: %s\n  back  rekey acknowledge %s --take-back\n", f.Acknowledged.By.Name, f.Acknowledged.Until.UTC().Format(time.RFC3339), f.What, f.ID)
	return nil
}

func (a *app) completeFindings(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.completes(args, func(ops estate.Operations) (out []string) {
		seen, _ := ops.Findings(c.Context())
		for _, f := range visible.Copy(seen.Findings) {
			out = append(out, f.ID+"\t"+f.What)
		}
		return out
	})
}

// wordsOfFindings: what cannot be acknowledged.
func (a *app) wordsOfFindings(e *estate.Error) error {
	switch e.Code {
	case estate.NoFinding:
		return fmt.Errorf("the last looks have found nothing of the id %s\n  next  rekey findings --all", visible.Text(e.Name))
	case estate.FindingChanged:
		return fmt.Errorf("the finding %s is something else by now, and is not acknowledged: %w\n  next  rekey findings", e.Name, e.Err)
	case estate.BadUntil:
		return fmt.Errorf("%w; nothing is acknowledged\n  next  %s", e.Err, a.instead("until", "--until", "30d"))
	case estate.NotAcknowledged:
		return fmt.Errorf("the finding %s is not acknowledged, or has come back by itself\n  next  rekey findings", e.Name)
	}
	return nil
}
