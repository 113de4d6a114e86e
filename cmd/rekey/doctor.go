package main

import (
	"context"

	"github.com/spf13/cobra"

	"rekey/internal/estate"
	"rekey/internal/report"
)

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor [NAME...]", Short: "Everything that is missing on this machine, all at once",
		Long: `Look at everything that a run needs of this machine, and say all at once what is
missing: variables, files, tools, the journal's folder, whether each host answers,
and whether the clocks agree. No credential is sent, and nothing is changed.

What the vendors allow is looked at by rekey check NAME.`,
		ValidArgsFunction: a.completeNames,
		RunE:              func(c *cobra.Command, args []string) error { return a.doctor(c.Context(), args) },
	}
}

func (a *app) doctor(ctx context.Context, names []string) error {
	config, err := a.load()
	if err != nil {
		return err
	}
	ops, err := a.operations()
	if err != nil {
		return err
	}
	all, err := ops.Doctor(ctx, names)
	if err != nil {
		return a.told(err)
	}
	if len(names) == 0 {
		for _, spec := range config.Specs {
			names = append(names, spec.Name)
		}
	}
	return a.sayDoctor(all, names)
}

func (a *app) sayDoctor(all []estate.Finding, names []string) error {
	missing := 0
	for _, f := range all {
		if !f.OK {
			missing++
		}
	}
	if a.json {
		if err := a.printJSON(map[string]any{"ok": missing == 0, "findings": all}); err != nil {
			return err
		}
	} else {
		s, about := a.style(a.out), ""
		for _, f := range all {
			if f.About != about {
				about = f.About
				a.print("%s\n", s.Bold(about))
			}
			mark := s.Good("✓")
			if !f.OK {
				mark = s.Bad("✗")
			}
			a.print("  %s %s\n", mark, f.What)
			if f.Then != "" {
				a.print("      next  %s\n", f.Then)
			}
		}
		if missing == 0 {
			a.print("\nNothing is missing on this machine.\n")
			for i, name := range names[:min(len(names), 3)] {
				a.print("  %s  what the vendors allow: rekey check %s\n", []string{"next", "or  "}[min(i, 1)], report.Quote(name))
			}
		} else {
			a.print("\n%s\n", s.Bad(count(missing, "thing")+" missing; nothing was asked of a vendor but whether it answers"))
		}
	}
	if missing > 0 {
		return exit{exitFailed, nil}
	}
	return nil
}
