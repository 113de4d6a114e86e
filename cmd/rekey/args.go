package main

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rekey/internal/report"
	"rekey/internal/sop"
)

// wants gives commands that work on one thing their check of arguments: who leaves
// the name out is told the names.
func (a *app) wants(root *cobra.Command) {
	for _, c := range root.Commands() {
		switch c.Name() {
		case "check", "plan", "run", "rehearse", "revoke", "repair":
			c.Args = a.one("credential", func(config *sop.Config) (names []string) {
				for _, s := range config.Specs {
					names = append(names, s.Name)
				}
				return names
			})
		case "rollback":
			c.Args = a.oneRun
		case "names":
			for _, sub := range c.Commands() {
				sub.Args = a.one("former name", func(config *sop.Config) (names []string) {
					for _, s := range config.Specs {
						names = append(names, s.Former...)
					}
					return names
				})
			}
		}
	}
	a.plainly(root)
}

// plainly has every other command say what it takes, and how to learn more.
func (a *app) plainly(c *cobra.Command) {
	for _, sub := range c.Commands() {
		a.plainly(sub)
		check := sub.Args
		if check == nil {
			continue
		}
		sub.Args = func(c *cobra.Command, args []string) error {
			a.begin(c, args)
			err := check(c, args)
			if _, ours := errors.AsType[exit](err); err == nil || ours {
				return err
			}
			takes := "takes nothing but flags"
			if _, words, more := strings.Cut(c.Use, " "); more {
				takes = "takes " + words
			}
			return usage("%s %s, and not %s\n  next  %s --help", c.CommandPath(), takes, report.Quote(strings.Join(args, " ")), c.CommandPath())
		}
	}
}

// shells has completion say for which there is one.
func (a *app) shells(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() != "completion" {
			continue
		}
		c.Use, c.Args = "completion SHELL", nil
		c.RunE = func(c *cobra.Command, args []string) error {
			var shells []string
			for _, sub := range c.Commands() {
				shells = append(shells, "\n  next  rekey completion "+sub.Name())
			}
			return usage("for which shell? %s", strings.Join(shells, ""))
		}
	}
}

// flagValues lets a shell complete what flags take.
func (a *app) flagValues(root *cobra.Command) {
	fixed := func(words ...string) cobra.CompletionFunc {
		return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
	}
	named := func(c *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return a.completeNames(c, nil, word)
	}
	places := func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		a.begin(c, args)
		config, err := a.load()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var out []string
		for _, s := range config.Specs {
			for _, p := range s.Places() {
				if !slices.Contains(out, p.Key) {
					out = append(out, p.Key)
				}
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
	known := map[string]cobra.CompletionFunc{
		"strategy": fixed("replace", "roll"), "fail-if": fixed("due", "drift", "due,drift"), "reason": fixed("scheduled", "compromise", "offboarding"),
		"confirm": named, "credential": named, "from": places,
	}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for name, f := range known {
			if c.LocalNonPersistentFlags().Lookup(name) != nil && (name != "from" || c.Name() == "repair") {
				_ = c.RegisterFlagCompletionFunc(name, f) // fails only where it is registered twice
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

// one wants exactly one of what rekey.yaml names.
func (a *app) one(what string, known func(*sop.Config) []string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		a.begin(c, args)
		switch {
		case len(args) == 1:
			return nil
		case len(args) > 1:
			a.args = args[:1]
			return usage("one %s at a time, and not %s\n  next  %s", what, strings.Join(args, ", "), a.again())
		}
		config, err := a.load()
		if err != nil {
			return err
		}
		names := known(config)
		if len(names) == 0 {
			return usage("%s names no %s", config.File, what)
		}
		sort.Strings(names)
		return usage("which %s?\n  %s\n  next  %s", what, strings.Join(names, "\n  "), a.again(names[0]))
	}
}

// notThere says where the names of rekey.yaml are listed.
func notThere(err error) error {
	return exit{exitUsage, fmt.Errorf("%w\n  next  list them: rekey status", err)}
}

// oneRun wants a run; who names none is told those that are open.
func (a *app) oneRun(c *cobra.Command, args []string) error {
	a.begin(c, args)
	switch {
	case len(args) == 1:
		return nil
	case len(args) > 1:
		a.args = args[:1]
		return usage("one run at a time, and not %s\n  next  %s", strings.Join(args, ", "), a.again())
	}
	ops, err := a.operations()
	if err != nil {
		return err
	}
	runs, err := ops.OpenRuns(c.Context())
	var open, final []string
	for _, r := range runs {
		if r.Final {
			final = append(final, fmt.Sprintf("run %s of %s is past the point of no return, so there is nothing to go back to\n  next  rekey resume %s", r.Run, r.Credential, r.Run))
			continue
		}
		open = append(open, fmt.Sprintf("\n  next  %s, opened %s: %s", r.Credential, report.Ago(r.Opened, a.now()), a.again(r.Run)))
	}
	switch {
	case err != nil:
		return a.told(err)
	case len(open) > 0:
		return usage("which run?%s", strings.Join(open, ""))
	case len(final) > 0:
		return usage("%s", strings.Join(final, "\n"))
	}
	return usage("no run is open, so there is nothing to undo\n  next  rekey log")
}

// farthest is how many letters a flag may be away from what was meant.
const farthest = 3

// flagError says which flag was probably meant.
func (a *app) flagError(c *cobra.Command, err error) error {
	text := err.Error()
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		said := unknown.GetSpecifiedName()
		text = "unknown flag --" + said
		if unknown.GetSpecifiedShortnames() != "" {
			text = "unknown flag -" + said
		}
		best, distance := "", farthest+1
		visit := func(f *pflag.Flag) {
			d := levenshtein.ComputeDistance(said, f.Name)
			if len(said) > 1 && strings.HasPrefix(f.Name, said) {
				d = 1
			}
			if d < distance && d < len(f.Name) && !f.Hidden {
				best, distance = f.Name, d
			}
		}
		c.Flags().VisitAll(visit)
		c.InheritedFlags().VisitAll(visit)
		if best != "" {
			text += " (did you mean --" + best + "?)"
		}
	}
	return usage("%s\n  next  %s --help", text, c.CommandPath())
}
