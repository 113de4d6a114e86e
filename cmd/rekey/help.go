package main

import (
	"fmt"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rekey/internal/report"
)

// proseWidth is as wide as a text is that is read, however wide the terminal.
const proseWidth = 80

// help tells what a command is for, with an example, its flags and its exit codes.
func (a *app) help(c *cobra.Command, _ []string) {
	s := a.style(a.out)
	width := proseWidth
	if s.Width > 0 {
		width = min(width, s.Width)
	}
	var b strings.Builder
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(&b, format+"\n", args...) }
	about := c.Long
	if about == "" {
		about = c.Short + "."
	}
	say("%s\n", report.Prose(about, width))
	say("%s\n  %s", s.Bold("Usage"), usageLine(c))
	if examples := exampleOf(c); len(examples) > 0 {
		say("\n%s", s.Bold("Example"))
		for _, e := range examples {
			say("  %s", e)
		}
	}
	commandLists(c, s, say)
	flagList(c.LocalNonPersistentFlags(), "Flags", s, say)
	flagList(globalFlags(c), "Flags of every command", s, say)
	if codes := codesOf(c); len(codes) > 0 {
		say("\n%s", s.Bold("Exit codes"))
		for _, code := range codes {
			say("  %3d  %s", code.Code, code.Means)
		}
	}
	_, _ = a.out.Write([]byte(report.Fold(b.String(), width)))
}

// exampleOf is what the contract shows for a command.
func exampleOf(c *cobra.Command) []string {
	if c.Example != "" {
		return strings.Split(c.Example, "\n")
	}
	return contractOf(c).Examples
}

func codesOf(c *cobra.Command) []exitCode {
	if !c.Runnable() || c.CommandPath() == "rekey" {
		return exitCodes()
	}
	var out []exitCode
	for _, code := range exitCodes() {
		for _, n := range contractOf(c).Exits {
			if n == code.Code {
				out = append(out, code)
			}
		}
	}
	return out
}

func usageLine(c *cobra.Command) string {
	line := c.UseLine()
	if c.HasAvailableSubCommands() && c.CommandPath() == "rekey" {
		return "rekey COMMAND [flags]"
	}
	return line
}

// groups of commands, in the order in which somebody needs them.
func groups() [][]string {
	return [][]string{
		{"Begin", "demo", "init", "lint", "doctor", "check"},
		{"Rotate", "plan", "run", "resume", "rollback", "rehearse", "revoke"},
		{"Watch over all credentials", "status", "schedule", "drift", "repair", "discover", "findings", "acknowledge", "names"},
		{"Agree", "approvals", "approve", "refuse", "notify"},
		{"Show and prove", "log", "sop", "evidence", "verify", "checkpoint", "journal", "whoami"},
		{"Servers", "serve", "login", "logout", "token"},
		{"Besides", "explain", "sim", "schema", "driver", "completion", "version", "help"},
	}
}

func commandLists(c *cobra.Command, s report.Style, say func(string, ...any)) {
	line := func(sub *cobra.Command) { say("  %s  %s", fmt.Sprintf("%-10s", sub.Name()), sub.Short) }
	if c.HasParent() {
		subs := c.Commands()
		if len(subs) > 0 {
			say("\n%s", s.Bold("Commands"))
		}
		for _, sub := range subs {
			line(sub)
		}
		return
	}
	by, told := map[string]*cobra.Command{}, map[string]bool{}
	for _, sub := range c.Commands() {
		by[sub.Name()] = sub
	}
	for _, g := range groups() {
		say("\n%s", s.Bold(g[0]))
		for _, name := range g[1:] {
			if sub := by[name]; sub != nil {
				line(sub)
				told[name] = true
			}
		}
	}
	var rest []string
	for name := range by {
		if !told[name] && !by[name].Hidden {
			rest = append(rest, name)
		}
	}
	sort.Strings(rest)
	for _, name := range rest {
		line(by[name])
	}
}

func globalFlags(c *cobra.Command) *pflag.FlagSet {
	if c.HasParent() {
		return c.InheritedFlags()
	}
	return c.PersistentFlags()
}

// flagList lists flags, each with its meaning beside or under it.
func flagList(flags *pflag.FlagSet, head string, s report.Style, say func(string, ...any)) {
	if !flags.HasAvailableFlags() {
		return
	}
	say("\n%s", s.Bold(head))
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name := "    --" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", --" + f.Name
		}
		kind, text := pflag.UnquoteUsage(f)
		if kind != "" {
			name += " " + strings.ToUpper(kind)
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0s" {
			text += " (else " + f.DefValue + ")"
		}
		say("  %s  %s", fmt.Sprintf("%-24s", name), text)
	})
}
