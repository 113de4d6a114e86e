package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"rekey/internal/estate"
	"rekey/internal/visible"
)

func (a *app) notifyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "notify", Short: "Send a test notification",
		Long: `Who is told of what stands in rekey.yaml, under notify: approvals that are wanted,
runs that are stuck, what is overdue or about to expire. rekey serve tells them.`,
	}
	c.AddCommand(&cobra.Command{
		Use: "test [CHANNEL]", Short: "Send a notice that says that it is a test, to one channel or to all",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.notifyTest(c.Context(), strings.Join(args, ""))
		},
	})
	return c
}

func (a *app) notifyTest(ctx context.Context, channel string) error {
	ops, err := a.operations()
	if err != nil {
		return err
	}
	here, ok := ops.(interface {
		TestNotices(ctx context.Context, channel string) ([]estate.Tried, error)
	})
	if !ok {
		return usage("channels are tried where their secrets are: on the machine where rekey serve runs")
	}
	tried, err := here.TestNotices(ctx, channel)
	if err != nil {
		return a.told(err)
	}
	bad := 0
	for _, t := range tried {
		if !t.OK {
			bad++
		}
	}
	if a.json {
		err = a.printJSON(map[string]any{"channels": tried})
	} else {
		s := a.style(a.out)
		for _, t := range visible.Copy(tried) {
			if t.OK {
				a.print("%s %s took it\n", s.Good("✓"), t.Channel)
			} else {
				a.print("%s %s: %s\n", s.Bad("✗"), t.Channel, t.Why)
			}
		}
	}
	if err == nil && bad > 0 {
		err = exit{exitFailed, errors.New(count(bad, "channel") + " took nothing\n  next  rekey doctor")}
	}
	return err
}
