package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

// typist is somebody at a terminal of a size, who says something when asked.
type typist struct {
	columns, rows int
	says          []string
}

// at carries a command out at a terminal and returns its exit code and everything
// that it wrote there.
func (p typist) at(t *testing.T, dir string, args ...string) (code int, written string) {
	t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = master.Close() }()
	if err := pty.Setsize(tty, &pty.Winsize{Cols: uint16(p.columns), Rows: uint16(p.rows)}); err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		b, err := io.ReadAll(master)
		if err != nil && !errors.Is(err, os.ErrClosed) && len(b) == 0 {
			t.Errorf("the terminal: %v", err)
		}
		read <- string(b)
	}()
	for _, line := range p.says {
		if _, err := io.WriteString(master, line+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	a := &app{streams: streams{in: tty, out: tty, err: tty}}
	code = a.execute(context.Background(), append([]string{"-C", dir}, args...))
	_ = tty.Close() // the last one: the other side reads to its end
	return code, <-read
}

// kept are the lines that a terminal of some width holds after that was written.
func kept(written string, columns, rows int) (lines []string) {
	term := vt.NewEmulator(columns, rows)
	_, _ = term.WriteString(written)
	for y := range term.ScrollbackLen() {
		var b strings.Builder
		for x := range columns {
			if c := term.ScrollbackCellAt(x, y); c != nil && c.Content != "" {
				b.WriteString(c.Content)
			} else {
				b.WriteByte(' ')
			}
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	return append(lines, strings.Split(term.String(), "\n")...)
}

// TestNothingIsWiderThanTheTerminal: what every command writes on a terminal of 60,
// 80 or 120 columns stands there as it stands on one that is wide enough for
// anything, so no line was wrapped. Every command is tried at 60 columns, and at one of
// the other widths by turns; with -whole at all of them.
func TestNothingIsWiderThanTheTerminal(t *testing.T) {
	t.Setenv("CI", "") // there a run is told line by line, instead of drawn
	dir := t.TempDir()
	world := filepath.Join(dir, "rekey-demo")
	if !*whole {
		sampled(t, "every command at 60 columns and at one other width")
	}
	for i, columns := range []int{60, 80, 120, 40, 20} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			commands := [][]string{
				{"status"}, {"plan", "CF_ACCESS_SVC_VAULT"}, {"check", "CF_ACCESS_SVC_VAULT"}, {"log"}, {"drift"}, {"discover"},
				{"names"}, {"names", "retire", "CF_ACCESS_SERVICE_TOKEN_CONSOLE", "--plan"}, {"verify"}, {"checkpoint"}, {"whoami"}, {"whoami", "--can"}, {"sop"},
				{"evidence", "--from", "2026-01-01"}, {"explain", "stuck"}, {"explain"}, {"plan", "CF_ACCESS_SVC_VAULT", "--strategy", "roll"}, {"lint"}, {"run"}, {"run", "nobody"},
				{"run", "CF_ACCESS_SVC_VAULT", "--confirm", "CF_ACCESS_SVC_CONSOLE"}, {"status", "--live"}, {"--help"}, {"doctor"}, {"status", "--fail-if", "due,drift"}, {"check"}, {"plan", "--strategy", "roll"}, {"explain", "stukc"},
				{"revoke", "CF_ACCESS_SVC_VAULT", "--plan"}, {"rehearse", "CF_ACCESS_SVC_VAULT", "--plan"}, {"repair", "CF_ACCESS_SVC_VAULT", "--plan"}, {"rollback", "--plan"},
				{"sop", "CF_ACCESS_SVC_VAULT", "--check", "none.md"}, {"init"}, {"rnu"}, {"status", "now"}, {"run", "plan.json"}, {"verify", "--export", "none"},
			}
			for _, path := range slices.Sorted(maps.Keys(contracts())) { // in the same order at every width
				commands = append(commands, append(slices.Clone(strings.Fields(path)[1:]), "--help"))
			}
			if i == 0 {
				commands = append([][]string{{"demo", "--latency", "0s"}}, commands...)
			}
			for n, command := range commands {
				if i > 0 && n%4 != i-1 && !*whole {
					continue
				}
				in := world
				if command[0] == "demo" {
					in = dir
				}
				_, written := typist{columns: columns, rows: 40}.at(t, in, command...)
				fits(t, written, columns, command)
			}
		})
	}
}

// fits looks whether everything stands in so many columns as it stands in many.
func fits(t *testing.T, written string, columns int, command []string) {
	t.Helper()
	narrow, wide := kept(written, columns, 40), kept(written, 500, 40)
	for len(narrow) > 0 && narrow[len(narrow)-1] == "" {
		narrow = narrow[:len(narrow)-1]
	}
	if len(narrow) == 0 {
		t.Errorf("%v: nothing was written", command)
	}
	for i, line := range narrow {
		if i >= len(wide) || line != wide[i] {
			t.Errorf("%v at %d columns was wrapped from here on:\n%s\n%s", command, columns, line, wide[min(i, len(wide)-1)])
			break
		}
	}
}

// TestAWrongNameIsToldAndOnlyTheIrreversibleIsCalledSo: whoever types another name
// is told so and asked again, and the question separates what can be undone.
func TestAWrongNameIsToldAndOnlyTheIrreversibleIsCalledSo(t *testing.T) {
	dir := t.TempDir()
	world := filepath.Join(dir, "rekey-demo")
	// In CI nothing is drawn: a run is told line by line, and those fit as well.
	t.Setenv("CI", "true")
	demo := []string{"demo", "--latency", "0s"}
	code, written := typist{columns: 60, rows: 40}.at(t, dir, demo...)
	if code != exitDone || !strings.Contains(written, "planned 18 steps") {
		t.Fatal(written)
	}
	fits(t, written, 60, demo)
	code, written = typist{columns: 80, rows: 40, says: []string{"CF_ACCESS_SVC_CONSOLE", "CF_ACCESS_SVC_VAULT"}}.at(t, world, "run", "CF_ACCESS_SVC_VAULT")
	if code != exitDone || !strings.Contains(written, `"CF_ACCESS_SVC_CONSOLE" is not its name.`) {
		t.Errorf("exit %d: %s", code, written)
	}
	before, after, found := strings.Cut(written, "What cannot be undone:")
	question, _, _ := strings.Cut(after, "Type ")
	if !found || !strings.Contains(before, "What will be done, and can be undone until the next:") || !strings.Contains(question, "delete the old credential") ||
		strings.Contains(question, "switch the old credential off") || strings.Contains(question, "watch") {
		t.Errorf("what cannot be undone is said to be: %s", question)
	}
	if code, written = (typist{columns: 80, rows: 40, says: []string{"no", "nope", "never"}}).at(t, world, "run", "CF_ACCESS_SVC_CONSOLE"); code != exitWaiting || !strings.Contains(written, "not typed correctly in three attempts") {
		t.Errorf("exit %d: %s", code, written)
	}

	// What going back would do is shown from the journal, and nothing is done.
	var out bytes.Buffer
	a := &app{streams: streams{in: strings.NewReader(""), out: &out, err: io.Discard}}
	if code := a.execute(context.Background(), []string{"-C", world, "rollback", "--plan"}); code != exitUsage {
		t.Errorf("a rollback without a run: exit %d", code)
	}
	runs, err := a.opened.Runs(context.Background())
	if err != nil || len(runs) == 0 {
		t.Fatal(err)
	}
	out.Reset()
	a = &app{streams: streams{in: strings.NewReader(""), out: &out, err: io.Discard}}
	code = a.execute(context.Background(), []string{"-C", world, "rollback", runs[len(runs)-1].Run, "--plan"})
	for _, want := range []string{"nobody is without a credential", "its old values back", "next  rekey -C " + world + " rollback " + runs[len(runs)-1].Run + "\n"} {
		if code != exitDone || !strings.Contains(out.String(), want) {
			t.Errorf("exit %d, and %q is not said: %s", code, want, out.String())
		}
	}
	if again, err := a.opened.Runs(context.Background()); err != nil || !again[len(again)-1].Open() {
		t.Errorf("the run is not open any more: %v", err)
	}
}
