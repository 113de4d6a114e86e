package main

import (
	"strings"

	"github.com/spf13/cobra"

	"rekey/internal/estate"
	"rekey/internal/report"
)

func (a *app) whoamiCommand() *cobra.Command {
	var can bool
	c := &cobra.Command{
		Use: "whoami", Short: "Who you are to Rekey, how that is proven, and which credentials you may change", Args: cobra.NoArgs,
		Long: `Who you are to Rekey, how that is proven, and which credentials you may change.

With --can it prints the whole table: every operation, and on which credentials you may
ask for it. Reading wants no role where the files are at hand; a server asks for one
(docs/access.md).`,
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
				out := map[string]any{"who": me.Who, "enforced": me.Enforced, "refused": me.Refused}
				if can {
					out["may"] = me.May
				}
				return a.printJSON(out)
			}
			a.print("%s", report.Whoami(me.Who, me.Enforced, me.Of, me.Refused, a.style(a.out)))
			if can {
				a.print("\n%s", report.Can(me.May, me.Of, a.style(a.out)))
			}
			return nil
		},
	}
	c.Flags().BoolVar(&can, "can", false, "print every operation, and on which credentials you may ask for it")
	return c
}

// withoutRole lets an emergency and the way back be carried out by whoever is there.
func withoutRole(c *cobra.Command, without *bool) {
	c.Flags().BoolVar(without, "without-role", false, "do it although you lack the required role; requires --reason, and is recorded")
}

// reasoned refuses to go without the role for no reason.
func (a *app) reasoned(without bool, reason string) error {
	if without && strings.TrimSpace(reason) == "" {
		return a.told(&estate.Error{Code: estate.NoReason, Without: true})
	}
	return nil
}
