package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// version is set by the linker; releases only.
var version = "dev"

type runFlags struct {
	confirm, reason, ticket, strategy string
	afterRevoke, outside, alongside   bool
	without                           bool // the required role
	despite                           []string
	verbose                           bool // resume: what was done before, too
}

func (f *runFlags) add(c *cobra.Command, full bool) {
	c.Flags().StringVar(&f.confirm, "confirm", "", "the credential's name: confirms what cannot be undone, for scripts")
	if full {
		c.Flags().StringVar(&f.reason, "reason", "", "reason, for the record: scheduled, compromise, offboarding")
		c.Flags().StringVar(&f.ticket, "ticket", "", "where it was decided, for the record")
		strategyFlag(c, &f.strategy)
	}
}

// when adds what overrides the rules about when a run may begin.
func (f *runFlags) when(c *cobra.Command) {
	c.Flags().BoolVar(&f.outside, "outside-window", false, "begin although none of its maintenance windows is open")
	c.Flags().BoolVar(&f.alongside, "alongside", false, "begin although another run that changes one of its consumers is open")
}

// despiteFlag names who may be left with a dead credential.
func despiteFlag(c *cobra.Command, despite *[]string) {
	c.Flags().StringArrayVar(despite, "despite", nil, "continue although this unregistered place holds the old credential and will lose access (heroku:other-app; may be repeated)")
}

// strategyFlag overrides the strategy for once.
func strategyFlag(c *cobra.Command, strategy *string) {
	c.Flags().StringVar(strategy, "strategy", "", "replace or roll, instead of what rekey.yaml says")
}

// noStrategy says why a strategy is none.
func (a *app) noStrategy(strategy string) error {
	if strategy == "refresh" {
		return fmt.Errorf("refresh extends the expiry and keeps the secret: it is not a rotation, so Rekey never uses it\n  next  %s\n  or    %s", a.again("--strategy", "replace"), a.again("--strategy", "roll"))
	}
	return fmt.Errorf("--strategy wants replace or roll, and not %s\n  next  %s\n  or    %s", report.Quote(strategy), a.again("--strategy", "replace"), a.again("--strategy", "roll"))
}

// isStrategy refuses a word that is none before anybody is asked to confirm.
func (a *app) isStrategy(strategy string) error {
	switch strategy {
	case "", "replace", "roll":
		return nil
	}
	return exit{exitUsage, a.noStrategy(strategy)}
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use: "run NAME|PLANFILE", Short: "Rotate a credential",
		Long: `Rotate a credential: look, create, add to policies, validate,
store, deploy, check, revoke the old one. Before what cannot be undone it asks for the credential's name.

A plan file (rekey plan NAME --out FILE) is carried out exactly, or refused if
anything has changed since.

Ctrl-C stops safely at the next step; rekey resume goes on.`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeNames,
		RunE: func(c *cobra.Command, args []string) error { return a.run(c.Context(), args[0], f) },
	}
	f.add(c, true)
	f.when(c)
	despiteFlag(c, &f.despite)
	c.Flags().BoolVar(&f.afterRevoke, "after-revoke", false, "the old credential is already disabled, so consumers are not required to work before the run")
	return c
}

func (a *app) run(ctx context.Context, what string, f runFlags) error {
	config, err := a.load()
	if err != nil {
		return err
	}
	name, reviewed := what, (*rotation.Plan)(nil)
	if strings.HasSuffix(what, ".json") {
		if reviewed, err = a.readPlan(what); err != nil {
			return err
		}
		name = reviewed.Spec.Name
	}
	spec, err := config.Spec(name)
	if err != nil {
		return notThere(err)
	}
	if reviewed != nil && len(f.despite) > 0 {
		return usage("the reviewed plan already decides who loses access\n  next  rekey plan %s --out %s%s", report.Quote(spec.Name), report.Quote(a.another(what)), flagged("--despite", f.despite))
	}
	if err := errors.Join(a.isStrategy(f.strategy), a.canConfirm(spec.Name, f.confirm)); err != nil {
		return err
	}
	o := f.opening(spec.Name)
	o.Reviewed = reviewed
	if f.afterRevoke {
		o.Purpose = sop.AfterRevoke
	}
	return a.open(ctx, o)
}

// opening is what the flags say of a run.
func (f runFlags) opening(credential string) estate.Opening {
	return estate.Opening{
		Wish:   estate.Wish{Credential: credential, Strategy: f.strategy, Despite: f.despite},
		Reason: f.reason, Ticket: f.ticket, Confirm: f.confirm, Outside: f.outside, Alongside: f.alongside, Without: f.without,
	}
}

// open opens a run of whatever purpose, carries it out and shows it.
func (a *app) open(ctx context.Context, o estate.Opening) error {
	ops, err := a.operations()
	if err != nil {
		return err
	}
	f := a.newFace(false)
	ended, err := ops.Open(ctx, o, f)
	return a.carried(f, ended, err)
}

// another is a file like that one, and not there yet.
func (a *app) another(name string) string {
	base := strings.TrimSuffix(name, ".json")
	for n := 2; ; n++ {
		if _, err := os.Lstat(a.path(name)); err != nil {
			return name
		}
		name = fmt.Sprintf("%s-%d.json", base, n)
	}
}

// flagged gives a flag once for each value.
func flagged(flag string, values []string) (out string) {
	for _, v := range values {
		out += " " + flag + " " + report.Quote(v)
	}
	return out
}

// maxPlan bounds a plan's file. A plan of a thousand consumers has some megabytes.
const maxPlan = 64 << 20

func (a *app) readPlan(name string) (*rotation.Plan, error) {
	path := a.path(name)
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, usage("read the plan: %v\n  next  rekey plan --out %s", err, report.Quote(a.another(name)))
	case !st.Mode().IsRegular() || st.Size() > maxPlan:
		return nil, usage("%s is not a plan: it is not a regular file, or too large\n  next  rekey plan --out %s", path, report.Quote(a.another(name)))
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("read the plan: %v", err)
	}
	p, err := rotation.ParsePlan(path, b)
	if err != nil {
		return nil, exit{exitUsage, err}
	}
	return p, nil
}
