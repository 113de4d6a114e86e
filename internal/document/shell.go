package document

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"rekey/internal/byhand"
	"rekey/internal/sop"
)

// deskShell are the functions that all recipes share.
//
//go:embed desk.sh
var deskShell string

// on runs lines in the working folder: a mistake ends the block and not the terminal,
// and the folder stays as it is.
func on(lines ...string) block {
	var kept []string
	for _, l := range lines {
		if l != "" {
			kept = append(kept, l)
		}
	}
	return shell("( set -euo pipefail; cd \"$DESK\"\n" + strings.Join(kept, "\n") + "\n)")
}

// dirs are the folders of stores and consumers in the working folder.
func (b *builder) dirs() []string {
	out := []string{byhand.StoreDir}
	for i := range b.Spec.Further {
		out = append(out, byhand.FurtherDir(i))
	}
	for i := range b.Spec.Consumers {
		out = append(out, byhand.ConsumerDir(i))
	}
	return out
}

// places are stores and consumers, in the order of dirs.
func (b *builder) places() []sop.Place { return b.Spec.Places() }

// store is one of the stores: its folder in the working folder, and how it is done by hand.
func (b *builder) store(p sop.Place) (dir string, r byhand.Recipe) {
	for i, f := range b.Spec.Further {
		if f.Key == p.Key {
			return byhand.FurtherDir(i), b.Further[f.Key]
		}
	}
	return byhand.StoreDir, b.Store
}

func (b *builder) desk() string {
	var dirs []string
	for _, d := range b.dirs() {
		dirs = append(dirs, `"$DESK/`+d+`"`)
	}
	return strings.Replace(deskShell, "@dirs@", strings.Join(dirs, " "), 1)
}

// addresses are shell variables, so that the whole page can be practised on a
// simulated world.
func (b *builder) addresses() string {
	var lines []string
	add := func(name, address string) {
		// Not ${NAME:-default}: a default may hold anything, and is quoted.
		line := fmt.Sprintf("[ -n \"${%s:-}\" ] || %s=%s", name, name, byhand.Quote(address))
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	for _, r := range b.recipes() {
		for _, a := range r.Addresses {
			add(a.Var, a.Default)
		}
	}
	for i, p := range b.Spec.Validate {
		if p.URL != sop.IssuerItself && p.Vendor == "" {
			add(gate(i), p.URL)
		}
	}
	for i, c := range b.Spec.Verify {
		if c.URL != "" {
			add(fmt.Sprintf("CHECK_%d", i+1), c.URL)
		}
	}
	return strings.Join(lines, "\n")
}

// apostrophed quotes a program that may have several lines.
func apostrophed(s string) string {
	for _, r := range s {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return byhand.Quote(s)
		}
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// refWord is a reference as put takes it: a text that is written down is marked.
func refWord(in byhand.Input, ref string) string {
	if in.Plain && !strings.HasPrefix(ref, "env:") {
		return byhand.Quote("text:" + ref)
	}
	return byhand.Quote(ref)
}

// credentials puts every input into the working folder and logs in.
func (b *builder) credentials() block {
	var lines []string
	for _, in := range b.inputs() {
		words := []string{"put", in.File}
		for _, r := range in.Refs {
			words = append(words, refWord(in, r))
		}
		lines = append(lines, strings.Join(words, " "))
	}
	for i, c := range b.Spec.Verify {
		lines = append(lines, fmt.Sprintf(": > check-%d.header", i+1))
		for j, name := range sortedKeys(c.Headers) {
			lines = append(lines, fmt.Sprintf(`printf '%%s: %%s\n' %s "$(<check-%d.value-%d)" >> check-%d.header`, byhand.Quote(name), i+1, j+1, i+1))
		}
	}
	var seen []string
	for _, r := range b.recipes() {
		if r.Login != "" && !slices.Contains(seen, r.Login) {
			seen = append(seen, r.Login)
			lines = append(lines, r.Login)
		}
	}
	return on(append(lines, "echo 'ok: everything is at hand'")...)
}

// tools are the functions of the vendors, each once.
func (b *builder) tools() string {
	var out []string
	for _, r := range b.recipes() {
		for _, part := range strings.Split(r.Desk, "\n\n") {
			if part != "" && !slices.Contains(out, part) {
				out = append(out, part)
			}
		}
	}
	if b.asksPeople() {
		out = append(out, byHand)
	}
	if c := b.checks(); c != "" {
		out = append(out, c)
	}
	if b.surveys() {
		out = append(out, strings.TrimSpace(seekShell))
	}
	return strings.Join(out, "\n\n")
}

var jqWords = regexp.MustCompile(`^(def|if|then|elif|else|end|as|reduce|foreach|try|catch|label|import|include|and|or|not|__loc__)$`)

// made writes what slots are to hold, made from the bundle in a folder.
func made(slots []sop.Slot, bundle, file string) string {
	var args, lines []string
	for _, s := range slots {
		value, used := rendered(s.Template, bundle)
		for _, a := range used {
			if !slices.Contains(args, a) {
				args = append(args, a)
			}
		}
		lines = append(lines, "  "+byhand.JQ(s.Name)+": "+value)
	}
	return "jq -n " + strings.Join(args, " ") + " '{\n" + strings.Join(lines, ",\n") + "\n}' > " + file
}

// fields are all that any slot uses, the bundle's own first.
func (b *builder) fields() []string {
	out := slices.Clone(b.Spec.Issuer.Fields)
	for _, p := range b.places() {
		for _, s := range p.Slots {
			for _, f := range s.Template.Fields() {
				if !slices.Contains(out, f) {
					out = append(out, f)
				}
			}
		}
	}
	return out
}

// newName is the pattern of the new generation's name as words of the shell, with
// a label of its own, as Rekey's runs have.
func (b *builder) newName() string {
	pattern := b.Spec.Issuer.Name
	if !strings.Contains(pattern, "<run>") {
		pattern += "-<run>"
	}
	var words []string
	for pattern != "" {
		i := strings.IndexAny(pattern, "<")
		date, run := strings.HasPrefix(pattern, "<date>"), strings.HasPrefix(pattern, "<run>")
		switch {
		case date:
			words, pattern = append(words, `"$(date -u +%F)"`), pattern[len("<date>"):]
		case run:
			words, pattern = append(words, `"hand$(random 3)"`), pattern[len("<run>"):]
		case i <= 0:
			n := 1
			if i < 0 {
				n = len(pattern)
			}
			words, pattern = append(words, byhand.Quote(pattern[:n])), pattern[n:]
		default:
			words, pattern = append(words, byhand.Quote(pattern[:i])), pattern[i:]
		}
	}
	return "printf %s " + strings.Join(words, "") + " > new-name"
}
