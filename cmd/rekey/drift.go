package main

import (
	"context"

	"github.com/spf13/cobra"

	"rekey/internal/report"
)

func (a *app) driftCommand() *cobra.Command {
	return &cobra.Command{
		Use: "drift [NAME...]", Short: "Compare issuer, store and every consumer, changing nothing",
		Long: `Compare what the issuer lists, what the store holds and what every consumer holds,
by keyed fingerprint, and name the command that fixes each disagreement. What was
found is noted in the journal, for rekey status.

Exit codes: 0 all agree, 6 something has drifted, 1 something could not be seen.`,
		ValidArgsFunction: a.completeNames,
		RunE:              func(c *cobra.Command, args []string) error { return a.drift(c.Context(), args) },
	}
}

func (a *app) drift(ctx context.Context, names []string) error {
	ops, err := a.operations()
	if err != nil {
		return err
	}
	seen, err := ops.Compare(ctx, names)
	if err != nil {
		return a.told(err)
	}
	if a.json {
		err = a.printJSON(map[string]any{"at": seen.At, "credentials": seen.Credentials, "calls": seen.Calls, "evidence": seen.Evidence})
	} else {
		a.unsent(seen.Evidence)
		a.print("%s%s", report.Drift(seen.Credentials, a.style(a.out)), a.counted(seen.Calls))
	}
	if err != nil {
		return err
	}
	return needs(seen.Credentials)
}

// needs is the exit code for what was compared.
func needs(all []report.Compared) error {
	code := exitDone
	for _, c := range all {
		switch {
		case c.Drifted():
			return exit{exitNeeds, nil}
		case c.Unseen():
			code = exitFailed
		}
	}
	if code == exitDone {
		return nil
	}
	return exit{code, nil}
}
