package main

import (
	"strings"

	"github.com/spf13/cobra"

	"rekey/internal/estate"
	"rekey/internal/report"
)

func (a *app) whoamiCommand() *cobra.Command {
	return &cobra.Command{
		Use: "whoami", Short: "Who Rekey takes you for, how sure that is, and which credentials you may change", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ops, err := a.operations()
			if err != nil {
				return err
			}
			me, err := ops.Whoami(c.Context())
			switch {
			case err != nil:
				return a.told(err)
			case a.json:
				return a.printJSON(map[string]any{"who": me.Who, "enforced": me.Enforced, "refused": me.Refused})
			}
			a.print("%s", report.Whoami(me.Who, me.Enforced, me.Of, me.Refused, a.style(a.out)))
			return nil
		},
	}
}

// withoutRole lets an emergency and the way back be carried out by whoever is there.
func withoutRole(c *cobra.Command, without *bool) {
	c.Flags().BoolVar(without, "without-role", false, "do it although you lack the required role; wants --reason, and is recorded")
}

// reasoned refuses to go without the role for no reason.
func (a *app) reasoned(without bool, reason string) error {
	if without && strings.TrimSpace(reason) == "" {
		return a.told(&estate.Error{Code: estate.NoReason, Without: true})
	}
	return nil
}
