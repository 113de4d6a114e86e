package screen_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"

	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/screen"
	"rekey/internal/sim/stage"
)

// terminal is a terminal emulator in memory, and what stood on it before.
type terminal struct {
	*vt.Emulator
	mu            sync.Mutex
	columns, rows int
}

func newTerminal(columns, rows int) *terminal {
	t := &terminal{Emulator: vt.NewEmulator(columns, rows), columns: columns, rows: rows}
	_, _ = t.WriteString("$ ls\nrekey.yaml\n$ rekey run NAME\n")
	return t
}

// Write does what the terminal driver does to a newline.
func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err := t.Emulator.WriteString(strings.ReplaceAll(strings.ReplaceAll(string(p), "\r\n", "\n"), "\n", "\r\n"))
	return len(p), err
}

// WriteString is the same; the emulator's own knows no driver.
func (t *terminal) WriteString(s string) (int, error) { return t.Write([]byte(s)) }

func (t *terminal) resize(columns, rows int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.columns, t.rows = columns, rows
	t.Resize(columns, rows)
}

func (t *terminal) size() (int, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.columns, t.rows
}

// String is what is on the screen.
func (t *terminal) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.Emulator.String()
}

// shown are the lines on the screen.
func (t *terminal) shown() []string { return strings.Split(t.String(), "\n") }

// kept are the lines of scroll-back and screen.
func (t *terminal) kept() (lines []string) {
	for y := range t.ScrollbackLen() {
		var b strings.Builder
		for x := range t.columns {
			if c := t.ScrollbackCellAt(x, y); c != nil && c.Content != "" {
				b.WriteString(c.Content)
			} else {
				b.WriteByte(' ')
			}
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	return append(lines, t.shown()...)
}

// begins is how every line of the picture begins; the rest of a line that the
// terminal wrapped begins otherwise.
var begins = regexp.MustCompile(`^(|[a-z0-9]{6}  \S.*|  (✓|✗|○|…|\?|⠋|⠙|⠹|⠸|⠼|⠴|⠦|⠧|⠇|⠏|↩|⋮|──) .*|  waiting .*|  \d+ calls.*)$`)

// events of a whole run, with titles and evidence longer than any terminal.
func longEvents(t *testing.T, arrange func(*stage.Stage)) ([]rotation.Event, *stage.Stage) {
	t.Helper()
	s := stage.New(1, stage.Knobs)
	arrange(s)
	if _, err := s.Play("CF_ACCESS_SVC_CONSOLE"); err != nil {
		t.Fatal(err)
	}
	events, err := s.Log.Events()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Planned != nil {
			for i := range e.Planned.Steps {
				e.Planned.Steps[i].Title += " with a long name: 漢字漢字漢字 " + strings.Repeat("abcdefghi ", 12)
			}
		}
		if e.Outcome != nil {
			e.Outcome.Evidence = append(e.Outcome.Evidence, strings.Repeat("seen ", 40))
		}
	}
	return events, s
}

// TestNoLineWrapsAndTheScrollBackHoldsTheRunOnce on terminals of 60, 80 and 120
// columns, also where the size changes while it runs, a person is asked, and the
// titles are longer than the terminal is wide.
func TestNoLineWrapsAndTheScrollBackHoldsTheRunOnce(t *testing.T) {
	for name, arrange := range map[string]func(*stage.Stage){"rotated": fine, "rolled back": refusedByHeroku} {
		for _, sizes := range [][][2]int{{{60, 24}}, {{80, 24}}, {{120, 40}}, {{120, 30}, {60, 24}}, {{60, 16}, {120, 50}, {80, 12}}} {
			t.Run(fmt.Sprint(name, sizes), func(t *testing.T) {
				events, s := longEvents(t, arrange)
				term := newTerminal(sizes[0][0], sizes[0][1])
				view := screen.NewLive(term, report.Style{Color: true}, term.size, func() time.Time { return s.Clock.Now() })
				for i, e := range events {
					view.Event(e)
					if e.Intent != nil {
						view.Waits(rotation.Wait{Until: s.Clock.Now().Add(time.Hour), For: []string{strings.Repeat("something long ", 9)}})
					}
					free := i % 2 * 7
					release := view.Hold(free) // draws
					for _, line := range term.shown() {
						if !begins.MatchString(line) {
							t.Fatalf("after event %d a line was wrapped or is not a line of the picture: %q\n%s", i, line, term.String())
						}
					}
					if !strings.HasPrefix(term.shown()[0], e.Run) {
						t.Fatalf("the run's name is not the first line:\n%s", term.String())
					}
					if now := sizes[i*len(sizes)/len(events)]; now != [2]int{term.columns, term.rows} {
						term.resize(now[0], now[1])
					}
					release()
				}
				view.End()
				kept := term.kept()
				if strings.Join(kept[:3], "\n") != "$ ls\nrekey.yaml\n$ rekey run NAME" {
					t.Errorf("what stood there before no longer exists: %q", kept[:3])
				}
				text := strings.Join(kept[3:], "\n")
				for _, line := range kept[3:] {
					if !begins.MatchString(line) {
						t.Errorf("a line was wrapped: %q", line)
					}
				}
				for _, once := range []string{events[0].Run + "  CF_ACCESS_SVC_CONSOLE", "create the new credential", "observe everything"} {
					if n := strings.Count(text, once); n != 1 {
						t.Errorf("%q stands %d times in the scroll-back:\n%s", once, n, text)
					}
				}
			})
		}
	}
}

// TestAQuestionOutlivesAChangeOfSize: the picture above it is painted anew, as wide as
// the terminal is now, and the question stands where it stood.
func TestAQuestionOutlivesAChangeOfSize(t *testing.T) {
	events, s := longEvents(t, fine)
	term := newTerminal(60, 24)
	view := screen.NewLive(term, report.Style{}, term.size, func() time.Time { return s.Clock.Now() })
	defer view.End()
	for _, e := range events[:len(events)/2] {
		view.Event(e)
	}
	release := view.Hold(3)
	defer release()
	_, _ = term.WriteString("\n  Type NAME to go on: ")
	before := slices.IndexFunc(term.shown(), func(l string) bool { return strings.Contains(l, "Type NAME") })
	widest := func() (n int) {
		for _, l := range term.shown() {
			n = max(n, report.Columns(l))
		}
		return n
	}
	if before < 0 || widest() > 60 {
		t.Fatalf("before: %s", term)
	}
	term.resize(120, 24)
	for range 100 {
		if widest() > 60 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	after := slices.IndexFunc(term.shown(), func(l string) bool { return strings.Contains(l, "Type NAME") })
	if widest() <= 60 || after != before {
		t.Errorf("the question stood in line %d and stands in line %d, and the picture is %d wide:\n%s", before, after, widest(), term)
	}
	_, _ = term.WriteString("typed")
	if !strings.Contains(term.shown()[after], "to go on: typed") {
		t.Errorf("what is typed stands elsewhere:\n%s", term)
	}
}

// TestTheLineThatMattersIsShownOnALowTerminal: what does not fit is what is far
// from the step that is being done.
func TestTheLineThatMattersIsShownOnALowTerminal(t *testing.T) {
	events, s := longEvents(t, fine)
	term := newTerminal(60, 10)
	view := screen.NewLive(term, report.Style{}, term.size, func() time.Time { return s.Clock.Now() })
	defer view.End()
	titles := map[string]string{}
	for _, e := range events {
		view.Event(e)
		if e.Planned != nil {
			for _, st := range e.Planned.Steps {
				titles[st.ID] = st.Title
			}
		}
		if e.Intent == nil {
			continue
		}
		view.Hold(0)()
		if want := titles[e.Intent.Steps[0]][:14]; want != "" && !strings.Contains(term.String(), want) {
			t.Fatalf("%q is being done and is not shown:\n%s", want, term.String())
		}
	}
}

// TestAResumedRunDoesNotShowThePastAgain: it says that there is one, and where.
func TestAResumedRunDoesNotShowThePastAgain(t *testing.T) {
	events, s := longEvents(t, fine)
	half := len(events) / 2
	now := func() time.Time { return s.Clock.Now() }
	term := newTerminal(80, 40)
	live := screen.NewLive(term, report.Style{}, term.size, now)
	var log strings.Builder
	calm := screen.NewCalm(&log, report.Style{}, now)
	for _, view := range []screen.Screen{live, calm} {
		view.Past(events[:half])
		for _, e := range events[half:] {
			view.Event(e)
		}
		view.End()
	}
	for what, text := range map[string]string{"live": strings.Join(term.kept(), "\n"), "calm": log.String()} {
		if strings.Contains(text, "create the new credential") || !strings.Contains(text, "rekey log "+events[0].Run) || !strings.Contains(text, "delete the old") {
			t.Errorf("%s:\n%s", what, text)
		}
	}
}
