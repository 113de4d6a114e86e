package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

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

What cannot be read does not prevent it, as long as it is clear which credential is meant.

Afterwards: rekey run NAME --after-revoke gives the consumers a new one.`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			if f.reason == "" && !only {
				return usage("an emergency needs a reason, which is recorded\n  next  %s", a.again("--reason", "what happened"))
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
			o := f.opening(spec.Name)
			o.Purpose, o.Target = sop.ToRevoke, generation
			if forGood {
				o.Purpose = sop.ToDelete
			}
			if only {
				return a.wouldRevoke(c.Context(), o.Wish)
			}
			return a.open(c.Context(), o)
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
	o := f.opening(spec.Name)
	o.Purpose = sop.ToRehearse
	if only {
		return a.wouldRehearse(ctx, o.Wish)
	}
	return a.open(ctx, o)
}
