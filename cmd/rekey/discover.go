package main

import (
	"context"

	"github.com/spf13/cobra"

	"rekey/internal/discover"
	"rekey/internal/report"
)

func (a *app) discoverCommand() *cobra.Command {
	return &cobra.Command{
		Use: "discover [NAME...]", Short: "Find who holds a credential without being registered, changing nothing",
		Long: `Find what nobody registered: consumers, folders and environments that hold a
credential (by keyed fingerprint; values never leave memory), live ones at the
issuer that no credential of rekey.yaml claims, what a run left behind, and which rules accept each
credential. A consumer that is found is printed as lines for rekey.yaml.

One list for each account, one read of each app, stage and environment, however
many credentials. What was found is noted in the journal.

Exit codes: 0 nothing, 6 something was found, 1 something could not be seen.`,
		ValidArgsFunction: a.completeNames,
		RunE:              func(c *cobra.Command, args []string) error { return a.discover(c.Context(), args) },
	}
}

func (a *app) discover(ctx context.Context, only []string) error {
	ops, err := a.operations()
	if err != nil {
		return err
	}
	seen, err := ops.Discover(ctx, only)
	if err != nil {
		return a.told(err)
	}
	if a.json {
		err = a.printJSON(map[string]any{"at": seen.At, "findings": seen.Findings, "credentials": seen.Credentials, "calls": seen.Calls, "evidence": seen.Evidence})
	} else {
		a.unsent(seen.Evidence)
		a.print("%s%s", report.Discover(seen.Credentials, seen.Findings, a.style(a.out)), a.counted(seen.Calls))
	}
	if err != nil {
		return err
	}
	code := exitDone
	for _, f := range seen.Findings {
		switch {
		case f.Counts():
			return exit{exitNeeds, nil}
		case f.Kind == discover.NotSeen:
			code = exitFailed
		}
	}
	if code == exitDone {
		return nil
	}
	return exit{code, nil}
}
