package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/sop"
)

func (a *app) statusCommand() *cobra.Command {
	var live bool
	var failIf []string
	c := &cobra.Command{
		Use: "status", Short: "Every credential: what it needs, when it is due, what is open",
		Long: `Every credential, what needs a person first: its age, when it is due and why, when
the procedure was last seen to work, whether it has drifted, which run is open.

It reads the journal and asks nobody. --live asks each issuer for one list and each
store for one folder, and sets age and expiry right; rekey drift compares consumers.

With --fail-if it ends with 6 where a credential is due, or has drifted, or where
that is unknown: never compared, not everything readable, stuck, revoked, lost, or a
run that is open although no process is at it. One that is at work is in order.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.status(c.Context(), live, failIf) },
	}
	c.Flags().BoolVar(&live, "live", false, "ask the issuers what they list now")
	c.Flags().StringSliceVar(&failIf, "fail-if", nil, "exit with 6 unless each credential is known not to be due, not to have drifted: due, drift, or both")
	return c
}

func (a *app) status(ctx context.Context, live bool, failIf []string) error {
	for _, f := range failIf {
		if f != "due" && f != "drift" {
			return usage("--fail-if wants due, drift, or due,drift")
		}
	}
	// Everything is read once and shown: with thousands of credentials a quarter of
	// the time went into looking for what could be thrown away.
	if a.collect != nil {
		a.collect(200)
	}
	config, err := a.load()
	if err != nil {
		return err
	}
	ops, err := a.operations()
	if err != nil {
		return err
	}
	seen, err := ops.Status(ctx, estate.StatusAsked{Live: live, Working: len(failIf) > 0})
	if err != nil {
		return a.told(err)
	}
	rows, simulated := seen.Rows, config.Simulate != ""
	for i := range rows {
		rows[i].Next = a.pasteable(rows[i].Next)
	}
	if a.json {
		err = a.printJSON(map[string]any{"at": seen.At, "live": live, "simulated": simulated, "credentials": rows, "evidence": seen.Evidence})
	} else {
		if simulated {
			a.print("%s\n", a.style(a.out).Mind("Simulated credentials, by "+config.Simulate+"; none of this is real."))
		}
		calls := ""
		if live {
			calls = a.counted(seen.Calls)
		}
		held := ""
		if slices.ContainsFunc(config.Specs, func(s sop.Spec) bool { return s.Run != sop.ByHand || len(s.Windows) > 0 }) {
			if held, err = a.heldBack(ctx, ops, rows); err != nil {
				return err
			}
		}
		a.print("%s%s%s%s", report.Status(rows, a.style(a.out), a.now()), held, report.EvidenceLine(seen.Evidence, a.style(a.out), a.now()), calls)
	}
	if err != nil {
		return err
	}
	return a.fails(rows, failIf)
}

// fails is exit 6 where a credential is not shown to be in order: what is not known,
// never compared, stuck or lost is not.
func (a *app) fails(rows []report.Row, failIf []string) error {
	if len(failIf) == 0 {
		return nil
	}
	var why []string
	for _, r := range rows {
		if w, next := r.Against(slices.Contains(failIf, "due"), slices.Contains(failIf, "drift"), a.now()); w != "" {
			why = append(why, fmt.Sprintf("%s: %s\n  next  %s", r.Credential, w, next))
		}
	}
	switch {
	case len(why) == 0:
		return nil
	case a.json:
		return exit{exitNeeds, nil} // the rows say it
	}
	return exit{exitNeeds, errors.New("not shown to be in order (--fail-if):\n" + strings.Join(why, "\n"))}
}
