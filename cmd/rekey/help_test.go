package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// eachCommand visits every command of the program.
func eachCommand(visit func(*cobra.Command)) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Name() == "help" || c.Hidden {
			return // cobra's own
		}
		visit(c)
		if c.Name() == "completion" {
			return // what is below is cobra's
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk((&app{}).root())
}

// TestEveryCommandHasAnExampleAndItsExitCodes, and shows them.
func TestEveryCommandHasAnExampleAndItsExitCodes(t *testing.T) {
	told := map[string]bool{}
	for _, g := range groups() {
		for _, name := range g[1:] {
			told[name] = true
		}
	}
	seen := map[string]bool{}
	eachCommand(func(c *cobra.Command) {
		path := c.CommandPath()
		seen[path] = true
		made, known := contracts()[path]
		if !known || len(made.Examples) == 0 || c.HasParent() && len(made.Exits) == 0 {
			t.Errorf("%s: the contract does not tell how it is called and how it ends", path)
		}
		if c.HasParent() && c.Parent().CommandPath() == "rekey" && !told[c.Name()] {
			t.Errorf("%s stands in no group of rekey --help", path)
		}
		var out bytes.Buffer
		a := &app{streams: streams{out: &out, err: &out}}
		if code := a.execute(context.Background(), append(strings.Fields(path)[1:], "--help")); code != exitDone {
			t.Errorf("%s --help ended with %d", path, code)
		}
		for _, want := range append([]string{"Usage\n", "Example\n", "Exit codes\n", "    0  done\n"}, made.Examples...) {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s --help does not say %q:\n%s", path, want, out.String())
			}
		}
		for _, e := range made.Examples {
			if !strings.HasPrefix(e, path) {
				t.Errorf("%s: %q is an example of something else", path, e)
			}
			words := strings.Fields(strings.SplitN(e, " > ", 2)[0])[1:]
			found, rest, err := (&app{}).root().Find(words)
			if err == nil {
				err = found.ParseFlags(rest)
			}
			if err != nil && c.HasParent() {
				t.Errorf("%s: %q: %v", path, e, err)
			}
		}
	})
	for path := range contracts() {
		if !seen[path] {
			t.Errorf("there is a contract for %s, and no such command", path)
		}
	}
}
