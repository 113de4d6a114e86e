package document

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"rekey/internal/byhand"
	"rekey/internal/cred"
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

func gate(i int) string { return fmt.Sprintf("GATE_%d", i+1) }

// probeArgs are address and status of a probe, for ask.
func (b *builder) probeArgs(i int) string {
	p := b.Spec.Validate[i]
	status := p.Status
	if status == 0 {
		status = 200
	}
	if p.URL == sop.IssuerItself {
		return fmt.Sprintf("issuer %d", status)
	}
	return fmt.Sprintf(`"$%s" %d`, gate(i), status)
}

// says is the shell that ends well once a protected place gives this verdict of a bundle.
func (b *builder) says(verdict, which string, i int) string {
	p := b.Spec.Validate[i]
	if p.Vendor == "" {
		return "gate_says " + verdict + " " + which + " " + b.probeArgs(i)
	}
	of := map[string]string{"-": "no credential", "wrong": "a made-up one", "was": "the old one", "new": "the new one"}[which]
	return "by_hand " + byhand.Quote(fmt.Sprintf("Ask %s with %s: it has to be %s.", p.Title(), of, verdict))
}

// asksPeople reports whether something is asked of which nothing tells how it is done
// in a shell.
func (b *builder) asksPeople() bool {
	return slices.ContainsFunc(b.Spec.Validate, func(p sop.Probe) bool { return p.Vendor != "" }) ||
		slices.ContainsFunc(b.Spec.Verify, func(c sop.Check) bool { return c.Query != "" })
}

// byHand asks whoever pastes the block.
const byHand = `by_hand() { # a person looks, and says so
  read -rp "$1 Press enter when it is so, or control-C. " _ < /dev/tty
}`

// commanded is a check that is a command or a query.
func commanded(n int, c sop.Check) string {
	if c.Query != "" {
		return fmt.Sprintf("check_%d() { by_hand %s; }", n, byhand.Quote("Ask "+c.Vendor+": "+c.Query+" It has to come out true."))
	}
	var words []string
	for _, w := range c.Command {
		if w == "$since" {
			words = append(words, `"$(if [ -e settled ]; then cat settled; fi)"`)
		} else {
			words = append(words, byhand.Quote(w))
		}
	}
	run := strings.Join(words, " ") + " > /dev/null 2>&1"
	t, err := cred.ParseTemplate(c.Stdin)
	if c.Stdin == "" || err != nil {
		return fmt.Sprintf("check_%d() { # true where it ends with status 0\n  %s < /dev/null\n}", n, run)
	}
	feed := func(bundle string) string {
		value, args := rendered(t, bundle)
		return "jq -nj " + strings.Join(args, " ") + " " + apostrophed(value)
	}
	return fmt.Sprintf("check_%d() { # true where it ends with status 0; the value goes by standard input\n"+`  if [ -n "$(cat settled 2> /dev/null)" ]; then %s; else %s; fi | %s`+"\n}", n, feed("new"), feed("was"), run)
}

// checks are the checks of the procedure, as functions.
func (b *builder) checks() string {
	var out []string
	for i, c := range b.Spec.Verify {
		if c.URL == "" {
			out = append(out, commanded(i+1, c))
			continue
		}
		status := c.Status
		if status == 0 {
			status = 200
		}
		n := i + 1
		lines := []string{
			fmt.Sprintf("check_%d() { # comes out true, and not the login page of a session that has ended", n),
			"  local status",
			fmt.Sprintf(`  status=$(curl -qsSg --max-time 15 -H @check-%d.header -o check.json -w '%%{http_code}' --url "$CHECK_%d") || return 1`, n, n),
			`  case $status in`,
			fmt.Sprintf(`    %d) ;;`, status),
			`    3?? | 401 | 403) stop "the check itself was denied ($status): is its header still valid?" ;;`,
			`    *) return 1 ;;`,
			`  esac`,
		}
		if c.JQ != "" {
			// At least one result, and each of them true: what selects nothing proves nothing (T33).
			lines = append(lines, `  jq -es --arg since "$(if [ -e settled ]; then cat settled; fi)" `+apostrophed("[.[] | (\n"+c.JQ+"\n)] | length > 0 and all(. == true)")+` check.json > /dev/null`)
		}
		out = append(out, strings.Join(append(lines, "}"), "\n"))
	}
	return strings.Join(out, "\n\n")
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
