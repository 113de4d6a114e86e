package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

// bench is a folder with a rekey.yaml of the procedure's two credentials and a
// simulated world in a file, in which nothing takes long.
type bench struct {
	t   *testing.T
	dir string
}

// newBench lays one out, in whose world things go wrong.
func newBench(t *testing.T, faults ...sim.Fault) bench {
	t.Helper()
	b := bench{t: t, dir: t.TempDir()}
	quick := regexp.MustCompile(`(?m)^( +(?:poll|quiet|watch|grace): )[0-9a-z]+`).ReplaceAllString(demoConfig(), "${1}20ms")
	b.write("rekey.yaml", quick)
	state := sim.New(sim.Options{Seed: 7, Now: time.Now(), Knobs: sim.Knobs{Shutdown: sim.Duration(10 * time.Millisecond)}})
	for _, f := range faults {
		state.Faults = append(state.Faults, &f)
	}
	if err := sim.Save(filepath.Join(b.dir, "world.json"), &state); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b bench) write(name, text string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// rekey carries a command out in the folder, from another one.
func (b bench) rekey(args ...string) (code int, said string) {
	b.t.Helper()
	here, err := os.Getwd()
	if err != nil {
		b.t.Fatal(err)
	}
	dir, err := filepath.Rel(here, b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.plain(append([]string{"-C", dir}, args...)...)
}

// plain carries a command out without a terminal, with nothing to read.
func (b bench) plain(args ...string) (code int, said string) {
	var both bytes.Buffer
	a := &app{streams: streams{in: strings.NewReader(""), out: &both, err: &both}}
	code = a.execute(context.Background(), args)
	return code, both.String()
}

// situation is one in which a person is told what to do next.
type situation struct {
	about  string
	faults []sim.Fault
	first  []string // commands before it, one a line
	set    func(bench)
	say    string // the command
	code   int
}

const formerConsole = "CF_ACCESS_SERVICE_TOKEN_CONSOLE"

// situations are those in which commands end otherwise than one would like, and
// some in which they end well.
func situations() []situation {
	always := func(vendor, endpoint string, status int) []sim.Fault {
		return []sim.Fault{{Vendor: vendor, Endpoint: endpoint, Status: status, Times: -1}}
	}
	run := "run " + console + " --confirm " + console
	return []situation{
		{about: "a command that there is not", say: "rnu", code: exitUsage},
		{about: "a flag that there is not", say: "check --hepl", code: exitUsage},
		{about: "a flag of another command", say: "names --out x", code: exitUsage},
		{about: "no name, with flags", say: "plan --strategy roll", code: exitUsage},
		{about: "no name for run", say: "run --reason scheduled --ticket OPS-1", code: exitUsage},
		{about: "no name for check", say: "check", code: exitUsage},
		{about: "no name for revoke", say: "revoke --reason stolen", code: exitUsage},
		{about: "no former name", say: "names retire", code: exitUsage},
		{about: "two names", say: "check A B", code: exitUsage},
		{about: "too many words", say: "status now", code: exitUsage},
		{about: "a name that there is not", say: "check CF_ACCESS_SVC_CONSOL", code: exitUsage},
		{about: "a run that there is not", say: "resume 222222", code: exitUsage},
		{about: "a log that there is not", say: "log 222222", code: exitFailed},
		{about: "another log that there is not", first: []string{run}, say: "log 222222", code: exitUsage},
		{about: "a rollback of none", say: "rollback", code: exitUsage},
		{about: "a resume of none", say: "resume", code: exitUsage},
		{about: "no terminal", say: "run " + console + " --reason scheduled --ticket OPS-1", code: exitUsage},
		{about: "another name confirmed", say: "run " + console + " --confirm " + vault, code: exitUsage},
		{about: "a strategy that there is not", say: "run " + console + " --strategy rool --confirm " + console, code: exitUsage},
		{about: "a strategy that is none", say: "plan " + console + " --strategy refresh", code: exitUsage},
		{about: "a place of nobody", say: "plan " + console + " --despite hreoku:x", code: exitUsage},
		{about: "no plan there", say: "run plan.json --confirm " + console, code: exitUsage},
		{about: "a plan that is none", set: func(b bench) { b.write("plan.json", "{}") }, say: "run plan.json --confirm " + console, code: exitUsage},
		{about: "a folder for a plan", say: "run .rekey.json", code: exitUsage},
		{about: "a plan written over", first: []string{"plan " + console + " --out plan.json"}, say: "plan " + console + " --out plan.json", code: exitUsage},
		{about: "a plan of another ending", say: "plan " + console + " --out plan.txt", code: exitUsage},
		{about: "a plan written", say: "plan " + console + " --out plan.json"},
		{about: "a plan that was carried out", first: []string{"plan " + console + " --out plan.json", "run plan.json --confirm " + console}, say: "run plan.json --confirm " + console, code: exitUsage},
		{about: "a plan and somebody without", first: []string{"plan " + console + " --out plan.json"}, say: "run plan.json --despite heroku:x --confirm " + console, code: exitUsage},
		{about: "a plan that does not hold", first: []string{"plan " + console + " --out plan.json", run}, say: "run plan.json --confirm " + console, code: exitFailed},
		{about: "an emergency without a reason", say: "revoke " + console, code: exitUsage},
		{about: "an emergency without a terminal", say: "revoke " + console + " --reason stolen", code: exitUsage},
		{about: "an emergency, looked at", say: "revoke " + console + " --plan"},
		{about: "an emergency", say: "revoke " + console + " --reason stolen --confirm " + console},
		{about: "after an emergency", first: []string{"revoke " + console + " --reason stolen --confirm " + console}, say: "status", code: exitDone},
		{about: "a check after an emergency", first: []string{"revoke " + console + " --reason stolen --confirm " + console}, say: "check " + console, code: exitFailed},
		{about: "a rehearsal, looked at", say: "rehearse " + console + " --plan"},
		{about: "a rehearsal", say: "rehearse " + console},
		{about: "a repair of nothing", say: "repair " + console + " --confirm " + console},
		{about: "a repair, looked at", set: drifts, say: "repair " + console + " --plan"},
		{about: "a repair without a terminal", set: drifts, say: "repair " + console, code: exitUsage},
		{about: "a repair from nowhere", set: drifts, say: "repair " + console + " --from heroku:x --plan", code: exitUsage},
		{about: "drifted", set: drifts, say: "drift", code: exitNeeds},
		{about: "drifted, and nobody to ask", set: drifts, first: []string{"drift"}, say: "status --fail-if drift", code: exitNeeds},
		{about: "a former name, looked at", say: "names retire " + formerConsole + " --plan"},
		{about: "a former name without a terminal", say: "names retire " + formerConsole, code: exitUsage},
		{about: "a former name that is one", say: "names retire " + console, code: exitUsage},
		{about: "a former name of nobody", say: "names retire NOBODY", code: exitUsage},
		{about: "names", say: "names"},
		{about: "a backup of no journal", say: "journal backup copy.db", code: exitFailed},
		{about: "a backup", first: []string{run}, say: "journal backup copy.db"},
		{about: "a backup written over", first: []string{run, "journal backup copy.db"}, say: "journal backup copy.db", code: exitUsage},
		{about: "a backup nowhere", first: []string{run}, say: "journal backup none/copy.db", code: exitFailed},
		{about: "a backup without a file", say: "journal backup", code: exitUsage},
		{about: "never compared", say: "status --fail-if due,drift", code: exitNeeds},
		{about: "a wrong reason to fail", say: "status --fail-if never", code: exitUsage},
		{about: "evidence of no period", say: "evidence", code: exitUsage},
		{about: "evidence of a wrong period", say: "evidence --from yesterday", code: exitUsage},
		{about: "evidence", first: []string{run}, say: "evidence --from 2020-01-01"},
		{about: "evidence written", first: []string{run}, say: "evidence --from 2020-01-01 --out evidence"},
		{about: "evidence written over", first: []string{run, "evidence --from 2020-01-01 --out evidence"}, say: "evidence --from 2020-01-01 --out evidence", code: exitUsage},
		{about: "an export without a key", first: []string{run, "evidence --from 2020-01-01 --out evidence"}, say: "verify --export evidence/evidence.jsonl", code: exitUsage},
		{about: "verified", first: []string{run}, say: "verify"},
		{about: "nothing to verify", say: "verify", code: exitFailed},
		{about: "a checkpoint", first: []string{run}, say: "checkpoint"},
		{about: "a key", first: []string{run}, say: "checkpoint key"},
		{about: "procedures", say: "sop"},
		{about: "a page of none", say: "sop --html", code: exitUsage},
		{about: "no copy", say: "sop " + console + " --check copy.md", code: exitFailed},
		{about: "another copy", set: func(b bench) { b.write("copy.md", "<!-- rekey sop -->\n") }, say: "sop " + console + " --check copy.md", code: exitNeeds},
		{about: "a word that there is not", say: "explain stukc", code: exitUsage},
		{about: "a configuration that is there", say: "init --yes", code: exitUsage},
		{about: "a mistake", set: func(b bench) { b.write("rekey.yaml", "rekey: 1\nvendors: {x: {}}\n") }, say: "status", code: exitUsage},
		{about: "nothing configured", set: func(b bench) { _ = os.Remove(filepath.Join(b.dir, "rekey.yaml")) }, say: "status", code: exitUsage},
		{about: "no simulated world", set: func(b bench) { _ = os.Remove(filepath.Join(b.dir, "world.json")) }, say: "check " + console, code: exitFailed},
		{about: "no simulated world, looked at by the doctor", set: func(b bench) { _ = os.Remove(filepath.Join(b.dir, "world.json")) }, say: "doctor", code: exitFailed},
		{about: "a doctor", say: "doctor"},
		{about: "a vendor that does not answer", faults: always("heroku", "GET", 503), say: "check " + console, code: exitFailed},
		{about: "a plan although a vendor does not answer", faults: always("heroku", "GET", 403), say: "plan " + console, code: exitFailed},
		{about: "an emergency although a vendor does not answer", faults: always("cloudflare", "GET", 403), say: "revoke " + console + " --plan", code: exitFailed},
		{about: "a comparison although a vendor does not answer", faults: always("heroku", "GET", 403), say: "drift", code: exitFailed},
		{about: "a discovery although a vendor does not answer", faults: always("heroku", "GET", 403), say: "discover", code: exitNeeds},
		{about: "refused", faults: always("cloudflare", "GET", 403), say: run, code: exitFailed},
		{about: "rolled back", faults: always("heroku", "PATCH", 422), say: run, code: exitRolledBack},
		{about: "stuck", faults: always("cloudflare", "DELETE", 403), say: run, code: exitStuck},
		{about: "stuck still", faults: always("cloudflare", "DELETE", 403), first: []string{run}, say: "resume --confirm " + console, code: exitStuck},
		{about: "the status of a stuck one", faults: always("cloudflare", "DELETE", 403), first: []string{run}, say: "status --fail-if due", code: exitNeeds},
		{about: "a rollback of a stuck one", faults: always("cloudflare", "DELETE", 403), first: []string{run}, say: "rollback --plan", code: exitUsage},
		{about: "a run beside a stuck one", faults: always("cloudflare", "DELETE", 403), first: []string{run}, say: run, code: exitLocked},
		{about: "a rehearsal that fails", faults: always("infisical", "PATCH", 403), say: "rehearse " + console, code: exitRolledBack},
		{about: "a repair that fails", faults: always("heroku", "PATCH", 422), set: drifts, say: "repair " + console + " --confirm " + console, code: exitStuck},
		{about: "discovered", say: "discover", code: exitNeeds},
		{about: "statuses", say: "status"},
		{about: "statuses after a run", first: []string{run}, say: "status --live"},
		{about: "rotated", say: run},
		{about: "a log of all", first: []string{run}, say: "log"},
		{about: "who", say: "whoami"},
		{about: "a journal of real runs", first: []string{run}, set: nil, say: "log"},
		{about: "a shell that there is not", say: "completion zhs", code: exitUsage},
		{about: "an address that others reach", say: "sim --listen 0.0.0.0:0", code: exitUsage},
	}
}

// drifts lets an app hold something else than the store.
func drifts(b bench) {
	b.t.Helper()
	w, unlock, err := sim.Load(filepath.Join(b.dir, "world.json"), time.Now)
	if err != nil {
		b.t.Fatal(err)
	}
	defer unlock()
	w.Look(func(s *sim.State) {
		for _, app := range s.Heroku.Apps {
			if app.Name == "raxx-console-prod" {
				app.Releases[len(app.Releases)-1].Vars[console] = "something:else"
			}
		}
		err = sim.Save(filepath.Join(b.dir, "world.json"), s)
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// advised are the lines that say what to do next.
var advised = regexp.MustCompile(`(?m)^.*\b(?:next|or|then|go on) +(.*)$`)

// advice are the commands that a text advises to run, as they stand there.
func advice(said string) (out []string) {
	for _, m := range advised.FindAllStringSubmatch(said, -1) {
		if at := strings.Index(m[1], "rekey -"); at >= 0 {
			out = append(out, m[1][at:])
		}
	}
	return out
}

// unquoted are the words of a line as a shell has them.
func unquoted(line string) (words []string) {
	var word strings.Builder
	inside, any := false, false
	for _, r := range line + " " {
		switch {
		case r == '\'':
			inside, any = !inside, true
		case r == ' ' && !inside:
			if any {
				words = append(words, word.String())
			}
			word.Reset()
			any = false
		default:
			word.WriteRune(r)
			any = true
		}
	}
	return words
}

// placeholder is what a person would have to replace.
var placeholder = regexp.MustCompile(`(?:^| )(?:NAME|FILE|KEY|RUN|FOLDER|PLACE|WORD|…)(?: |$)`)

// TestEveryAdviceCanBePasted, from another folder than that of rekey.yaml: it names
// commands and flags that there are, nothing to fill in, and what is pasted is not
// refused as wrongly used. How the command ended before is what its help says.
func TestEveryAdviceCanBePasted(t *testing.T) {
	t.Parallel()
	var pasted atomic.Int32
	t.Cleanup(func() {
		if n := pasted.Load(); n < 60 {
			t.Errorf("only %d commands were advised", n)
		}
	})
	for _, s := range situations() {
		t.Run(s.about, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, s.faults...)
			if s.set != nil {
				s.set(b)
			}
			for _, f := range s.first {
				b.rekey(strings.Fields(f)...)
			}
			code, said := b.rekey(strings.Fields(s.say)...)
			if code != s.code {
				t.Errorf("rekey %s ended with %d, not %d:\n%s", s.say, code, s.code, said)
			}
			b.promised(s.say, code)
			for _, line := range advice(said) {
				b.paste(line, 2)
				pasted.Add(1)
			}
		})
	}
}

// promised checks that the command's help lists how it ended.
func (b bench) promised(line string, code int) {
	b.t.Helper()
	root := (&app{}).root()
	c, _, err := root.Find(unquoted(line))
	if err != nil || c == root {
		return // no command of ours
	}
	for _, e := range codesOf(c) {
		if e.Code == code {
			return
		}
	}
	b.t.Errorf("rekey %s ended with %d, which %s --help does not list", line, code, c.CommandPath())
}

// paste carries out what was advised, as it stands; so many times what that advises too.
func (b bench) paste(line string, deep int) {
	b.t.Helper()
	if placeholder.MatchString(line) {
		b.t.Errorf("something is to be filled in: %s", line)
		return
	}
	words := unquoted(line)[1:]
	if words[0] != "-C" && words[0] != "--help" {
		b.t.Errorf("it leads elsewhere: %s", line)
		return
	}
	if slices.Contains(words, "sim") || slices.Contains(words, "demo") {
		return // they need no folder, and go on for long
	}
	code, said := b.plain(words...)
	if words[0] == "-C" {
		b.promised(strings.Join(words[2:], " "), code)
	}
	if code != exitUsage {
		return
	}
	more := advice(said)
	for _, next := range more {
		if next == line {
			b.t.Errorf("it goes in a circle: %s\n%s", line, said)
			return
		}
	}
	if deep == 0 || len(more) == 0 {
		b.t.Errorf("it is refused as wrongly used: %s\n%s", line, said)
		return
	}
	for _, next := range more {
		b.paste(next, deep-1)
	}
}

// TestARunAtWorkIsInOrder for --fail-if, and one that was left or is stuck is not: a
// check by the clock does not wake anybody during a rotation.
func TestARunAtWorkIsInOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t, sim.Fault{Vendor: "heroku", Endpoint: "PATCH", Status: 503, Times: -1})
	for _, name := range []string{console, vault} {
		if code, said := b.rekey("check", name); code != exitDone {
			t.Fatal(said)
		}
	}
	a := &app{dir: b.dir}
	book := unfinished(t, a, "aaaaaa", console)
	if code, said := b.rekey("status", "--fail-if", "due,drift"); code != exitNeeds || !strings.Contains(said, "run aaaaaa is not over, and no process is at it") {
		t.Errorf("one that was left: exit %d: %s", code, said)
	}
	unlock, err := book.Lock(console)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if code, said := b.rekey("status", "--fail-if", "due,drift"); code != exitNeeds || strings.Contains(said, console+": ") {
		t.Errorf("one at work: exit %d: %s", code, said)
	}
	begin(t, book, b.dir, "bbbbbb", vault, time.Now().UTC().Add(-48*time.Hour))
	unlockOld, err := book.Lock(vault)
	if err != nil {
		t.Fatal(err)
	}
	defer unlockOld()
	if code, said := b.rekey("status", "--fail-if", "due"); code != exitNeeds || !strings.Contains(said, vault+": run bbbbbb has not come to an end since") {
		t.Errorf("one that goes on for two days: exit %d: %s", code, said)
	}
}

// TestWhatWasPractisedIsNeverTakenForReal, by whatever command reads the journal: most
// refuse it under a rekey.yaml without simulate, and those that read it say what it is.
func TestWhatWasPractisedIsNeverTakenForReal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if code, said := b.rekey("run", console, "--confirm", console); code != exitDone {
		t.Fatal(said)
	}
	b.write("rekey.yaml", regexp.MustCompile(`(?m)^(simulate|journal):.*\n`).ReplaceAllString(demoConfig(), ""))
	for _, line := range []string{
		"status", "status --live", "status --fail-if due", "log", "drift", "discover", "names", "checkpoint", "checkpoint key", "evidence --from 2020-01-01", "sop " + console, "check " + console,
		"plan " + console, "run " + console + " --confirm " + console, "resume", "rollback", "rehearse " + console, "revoke " + console + " --reason stolen --confirm " + console,
		"repair " + console + " --confirm " + console, "names retire " + formerConsole + " --confirm " + console,
	} {
		if code, said := b.rekey(strings.Fields(line)...); code == exitDone || !strings.Contains(said, "holds simulated runs") {
			t.Errorf("rekey %s: exit %d: %s", line, code, said)
		}
	}
	if code, said := b.rekey("doctor"); code == exitDone || !strings.Contains(said, "holds simulated runs") || !strings.Contains(said, "next  name another folder") {
		t.Errorf("doctor: exit %d: %s", code, said)
	}
	for _, line := range []string{"verify", "verify --journal .rekey"} {
		if code, said := b.rekey(strings.Fields(line)...); code != exitDone || !strings.Contains(said, "it proves nothing about anything real") {
			t.Errorf("rekey %s: exit %d: %s", line, code, said)
		}
	}
}

// TestInitThatCannotAskSaysSo: names that were piped in are not those in the file.
func TestInitThatCannotAskSaysSo(t *testing.T) {
	t.Parallel()
	b := bench{t: t, dir: t.TempDir()}
	if code, said := b.rekey("init"); code != exitDone || !strings.Contains(said, "names of an example") {
		t.Errorf("exit %d: %s", code, said)
	}
}

// unfinished leaves a run open of which nothing was done.
func unfinished(t *testing.T, a *app, run, name string) *journal.Journal {
	t.Helper()
	config, err := sop.Load(filepath.Join(a.dir, "rekey.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	book, err := journal.Open(filepath.Join(config.Dir, config.Journal))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = book.Close() })
	begin(t, book, a.dir, run, name, time.Now().UTC())
	return book
}

// begin writes the first entry of a run.
func begin(t *testing.T, book *journal.Journal, dir, run, name string, at time.Time) {
	t.Helper()
	config, err := sop.Load(filepath.Join(dir, "rekey.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := config.Spec(name)
	if err != nil {
		t.Fatal(err)
	}
	r := &history.Recorder{Book: history.Book{J: book}, Credential: name}
	opened := &rotation.Opened{Credential: name, Spec: spec, Actor: "somebody", Simulated: true}
	if err := r.Append(t.Context(), rotation.Event{At: at, Run: run, Kind: rotation.KindOpened, Opened: opened}); err != nil {
		t.Fatal(err)
	}
}
