package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rekey/internal/report"
	"rekey/internal/sop"
)

// dirVariable names the folder to work in, where -C does not.
const dirVariable = "REKEY_DIR"

// begin notes which command this is, and where it works.
func (a *app) begin(c *cobra.Command, _ []string) {
	a.command = c
	a.args = c.Flags().Args()
	if dir := os.Getenv(dirVariable); dir != "" && !c.Flags().Changed("dir") {
		a.dir, a.fromEnv = dir, true
	}
	a.leadTo(c)
}

// beginAt is begin for a command that may ask a server.
func (a *app) beginAt(c *cobra.Command, args []string) error {
	a.begin(c, args)
	return a.elsewhere(c)
}

// configuration is where rekey.yaml is: in the folder that was named, or in this
// one or the nearest above that has it.
func (a *app) configuration() string {
	here := a.path(a.file)
	if a.dir != "." || a.file != defaultFile {
		return here
	}
	dir, err := os.Getwd()
	if err != nil {
		return here
	}
	for up := ""; ; up = filepath.Join("..", up) {
		candidate := filepath.Join(up, a.file)
		if _, err := os.Stat(candidate); err == nil {
			return candidate
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return here
		}
		dir = parent
	}
}

// self is how this program is called here, with the flags that lead it to the same
// rekey.yaml.
func (a *app) self() string {
	out := a.called
	if out == "" {
		out = "rekey"
	}
	if a.server != "" {
		if !a.serverFromEnv {
			out += " --server " + report.Quote(a.server)
		}
		return out
	}
	if a.dir != "." && a.dir != "" && !a.fromEnv {
		out += " -C " + report.Quote(a.dir)
	}
	if a.file != defaultFile && a.file != "" {
		out += " -f " + report.Quote(a.file)
	}
	if a.database != "" && sop.CheckDatabase(a.database) == nil {
		out += " --database " + report.Quote(a.database)
	}
	return out
}

// verbs are what may follow rekey in a command that somebody is told to run; true: it
// goes by no rekey.yaml.
var verbs = map[string]bool{
	"--help": true, "help": true, "completion": true, "demo": true, "driver": true, "explain": true,
	"login": true, "logout": true, "schema": true, "sim": true, "version": true,
	"acknowledge": false, "approvals": false, "approve": false, "check": false, "checkpoint": false, "discover": false, "doctor": false,
	"drift": false, "evidence": false, "findings": false, "init": false, "journal": false, "lint": false, "log": false, "names": false,
	"notify": false, "plan": false, "refuse": false, "rehearse": false, "repair": false, "resume": false,
	"revoke": false, "rollback": false, "run": false, "schedule": false, "serve": false, "sop": false,
	"status": false, "token": false, "verify": false, "whoami": false,
}

// pasteable makes every command in a text one that can be pasted as it stands: the
// program as it was called, and where it works.
func (a *app) pasteable(text string) string {
	self := a.self()
	if self == "rekey" {
		return text
	}
	const program = "rekey "
	var b strings.Builder
	rest, from := text, 0 // what is not written yet, and where in it is looked next
	for {
		i := strings.Index(rest[from:], program)
		if i < 0 {
			break
		}
		i += from
		from = i + len(program)
		verb := firstWord(rest[from:])
		bare, known := verbs[verb]
		if begins := i == 0 && len(rest) == len(text) || i > 0 && strings.IndexByte(" \t\n\f\r(`", rest[i-1]) >= 0; !begins || !known {
			continue
		}
		switch {
		case !bare:
			b.WriteString(rest[:i] + self + " ")
		case a.called != "":
			b.WriteString(rest[:i] + a.called + " ")
		default:
			b.WriteString(rest[:from])
		}
		rest, from = rest[from:], 0
	}
	if b.Len() == 0 {
		return text
	}
	b.WriteString(rest)
	return b.String()
}

// firstWord is the word that a text begins with: letters, digits and _, with -- before it
// if that is there.
func firstWord(text string) string {
	n := 0
	if strings.HasPrefix(text, "--") {
		n = 2
	}
	for n < len(text) && (text[n] == '_' || '0' <= text[n] && text[n] <= '9' || 'a' <= text[n]|0x20 && text[n]|0x20 <= 'z') {
		n++
	}
	return text[:n]
}

// again is the command that is being carried out, with everything that was said,
// and something more.
func (a *app) again(more ...string) string {
	words := []string{"rekey"}
	if a.command == nil {
		return strings.Join(append(words, quoted(more)...), " ")
	}
	words = append(words, strings.Fields(a.command.CommandPath())[1:]...)
	words = append(words, quoted(a.args)...)
	a.command.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Changed && a.command.InheritedFlags().Lookup(f.Name) == nil && !saidIn("--"+f.Name, more) {
			words = append(words, asGiven(f)...)
		}
	})
	return strings.Join(append(words, quoted(more)...), " ")
}

// instead is the same command without one of its flags, and with something more.
func (a *app) instead(without string, more ...string) string {
	if a.command == nil {
		return a.again(more...)
	}
	if f := a.command.Flags().Lookup(without); f != nil {
		defer func(was bool) { f.Changed = was }(f.Changed)
		f.Changed = false
	}
	return a.again(more...)
}

func saidIn(flag string, words []string) bool {
	for _, w := range words {
		if w == flag {
			return true
		}
	}
	return false
}

// asGiven is a flag as it would be given again.
func asGiven(f *pflag.Flag) (out []string) {
	name := "--" + f.Name
	switch list, many := f.Value.(pflag.SliceValue); {
	case many:
		for _, v := range list.GetSlice() {
			out = append(out, name, report.Quote(v))
		}
	case f.Value.Type() == "bool" && f.Value.String() == "true":
		out = []string{name}
	case f.Value.Type() == "bool":
		out = []string{name + "=false"}
	default:
		out = []string{name, report.Quote(f.Value.String())}
	}
	return out
}

func quoted(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = report.Quote(w)
	}
	return out
}

// invocation is how this program was started: `go run` leaves no binary behind.
func invocation() string {
	me, err := os.Executable()
	if err != nil || strings.Contains(me, string(filepath.Separator)+"go-build") {
		return "go run ./cmd/rekey"
	}
	return report.Quote(os.Args[0])
}
