package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"rekey/internal/drivertool"
)

func (a *app) driverCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "driver", Short: "Drivers that are programs of their own: describe, try, begin one",
		Long: "A vendor that Rekey does not know can be reached by a driver of your own: a program rekey-driver-NAME in any language, which answers one line of JSON with one.",
	}
	c.AddCommand(a.driverDescribe(), a.driverTest(), a.driverNew())
	return c
}

func (a *app) driverDescribe() *cobra.Command {
	return &cobra.Command{
		Use: "describe PROGRAM", Short: "What a driver says of itself, as it is kept beside rekey.yaml", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := drivertool.Describe(c.Context(), a.path(args[0]))
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(a.err, "sha256: %s\n", d.SHA256)
			_, err = a.out.Write(d.Text)
			return err
		},
	}
}

func (a *app) driverTest() *cobra.Command {
	var with string
	var verbose bool
	c := &cobra.Command{
		Use: "test PROGRAM", Short: "Run the whole conformance suite on a driver", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			n := map[any]int{}
			told := []map[string]any{}
			if with != "" {
				with = a.path(with)
			}
			ok, err := drivertool.Test(c.Context(), a.path(args[0]), with, func(l drivertool.Line) {
				n[l.Kind]++
				switch shown := l.Kind == drivertool.Found || l.Kind == drivertool.Broken || verbose; {
				case shown && a.json:
					told = append(told, map[string]any{"kind": l.Kind, "part": l.Test, "text": l.Text})
				case shown && !a.json:
					a.print("%-8s %s  %s\n", l.Kind, l.Test, l.Text)
				}
			})
			if err != nil {
				return err
			}
			if a.json {
				if err := a.printJSON(map[string]any{"passes": ok, "passed": n[drivertool.Passed], "failed": n[drivertool.Broken], "not_tried": n[drivertool.Skipped], "said": told}); err != nil {
					return err
				}
			} else {
				a.print("%d parts passed, %d failed, %d mistakes, %d not tried\n", n[drivertool.Passed], n[drivertool.Broken], n[drivertool.Found], n[drivertool.Skipped])
			}
			if !ok {
				return fmt.Errorf("the driver does not pass")
			}
			return nil
		},
	}
	c.Flags().StringVar(&with, "with", "", "what to try it with; otherwise PROGRAM.test.json")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "every part, passed or not")
	return c
}

func (a *app) driverNew() *cobra.Command {
	return &cobra.Command{
		Use: "new NAME", Short: "Write a working driver to begin with, in Python", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			paths, err := drivertool.New(a.path("."), args[0])
			if err == nil && a.json {
				return a.printJSON(map[string]any{"wrote": paths, "next": "rekey driver test " + paths[0]})
			}
			for _, p := range paths {
				a.print("wrote %s\n", p)
			}
			if err == nil {
				a.print("try it: rekey driver test %s\n", paths[0])
			}
			return err
		},
	}
}
