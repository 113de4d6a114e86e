package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"rekey/internal/estate"
	"rekey/internal/sop"
)

func (a *app) resumeCommand() *cobra.Command {
	var f runFlags
	var reason string
	c := &cobra.Command{
		Use: "resume [RUN]", Short: "Continue a run that was killed, interrupted, is stuck or is waiting",
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: a.completeOpenRuns,
		RunE: func(c *cobra.Command, args []string) error {
			f.reason = reason
			return a.resume(c.Context(), args, f)
		},
	}
	f.add(c, false)
	despiteFlag(c, &f.despite)
	c.Flags().StringVar(&reason, "reason", "", "why, for the record")
	c.Flags().BoolVar(&f.without, "without-role", false, "go on with an emergency although you lack the required role; requires --reason, and is recorded")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "show again what was done before")
	return c
}

func (a *app) rollbackCommand() *cobra.Command {
	var reason string
	var f runFlags
	var only bool
	c := &cobra.Command{
		Use: "rollback RUN", Short: "Undo everything that an open run has done",
		Long: `Undo everything that an open run has done: consumers and store get their old
values back, then the new credential is taken away. Possible until the point of
no return, which is the intent to delete the old credential.`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeOpenRuns,
		RunE: func(c *cobra.Command, args []string) error {
			if only {
				return a.wouldGoBack(c.Context(), args[0])
			}
			return a.goBack(c.Context(), estate.Backing{Run: args[0], Reason: reason, Without: f.without})
		},
	}
	planFlag(c, &only)
	c.Flags().StringVar(&reason, "reason", "", "why, for the record")
	withoutRole(c, &f.without)
	return c
}

// resume takes an open run up again.
func (a *app) resume(ctx context.Context, args []string, f runFlags) error {
	if err := a.reasoned(f.without, f.reason); err != nil {
		return err
	}
	ops, err := a.operations()
	if err != nil {
		return err
	}
	shown := a.newFace(f.verbose)
	ended, err := ops.Advance(ctx, estate.Advancing{Run: strings.Join(args, ""), Confirm: f.confirm, Reason: f.reason, Despite: f.despite, Without: f.without}, shown)
	told := a.carried(shown, ended, err)
	if refused, ok := errors.AsType[*estate.Error](err); ok && refused.Code == estate.NoRole && (refused.Purpose == sop.ToRevoke || refused.Purpose == sop.ToDelete) {
		told = exit{exitFailed, fmt.Errorf("%w\n  or    %s", told, a.again("--without-role", "--reason", "what happened"))}
	}
	return told
}

// goBack turns an open run back.
func (a *app) goBack(ctx context.Context, b estate.Backing) error {
	if err := a.reasoned(b.Without, b.Reason); err != nil {
		return err
	}
	ops, err := a.operations()
	if err != nil {
		return err
	}
	shown := a.newFace(false)
	ended, err := ops.GoBack(ctx, b, shown)
	return a.carried(shown, ended, err)
}
