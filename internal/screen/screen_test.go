package screen_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rekey/internal/report"
	"rekey/internal/screen"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

var update = flag.Bool("update", false, "write the golden files anew; read the diff")

// shown plays a run and shows its events on a screen.
func shown(t *testing.T, arrange func(*stage.Stage), open func(out *bytes.Buffer, now func() time.Time) screen.Screen) string {
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
	var out bytes.Buffer
	view := open(&out, func() time.Time { return s.Clock.Now() })
	for _, e := range events {
		view.Event(e)
	}
	view.End()
	return out.String()
}

func always(columns, rows int) screen.Size { return func() (int, int) { return columns, rows } }

func fine(*stage.Stage) {}

func refusedByHeroku(s *stage.Stage) {
	s.World.Inject(sim.Fault{Vendor: "heroku", Endpoint: "PATCH", Status: 422})
}

// TestGolden: the lines for a log, and the picture that a terminal keeps.
func TestGolden(t *testing.T) {
	style := report.Style{Width: 100}
	for name, arrange := range map[string]func(*stage.Stage){"rotated": fine, "rolled-back": refusedByHeroku} {
		calm := shown(t, arrange, func(out *bytes.Buffer, now func() time.Time) screen.Screen {
			return screen.NewCalm(out, report.Style{}, now)
		}) // a log has no width
		live := shown(t, arrange, func(out *bytes.Buffer, now func() time.Time) screen.Screen {
			return screen.NewLive(out, style, always(100, 40), now)
		})
		_, last, ended := strings.Cut(live, "\x1b[?1049l")
		if !ended {
			t.Error("the terminal stays on its second screen")
		}
		for _, line := range strings.Split(last, "\n") {
			if n := report.Columns(line); n > style.Width {
				t.Errorf("%d columns on a terminal of %d: %s", n, style.Width, line)
			}
		}
		same(t, name+"-calm", calm)
		same(t, name+"-live", last)
	}
}

// TestJSON: one object per line, the version first, every event with its body.
func TestJSON(t *testing.T) {
	out := shown(t, fine, func(out *bytes.Buffer, _ func() time.Time) screen.Screen { return screen.NewJSON(out, "test") })
	kinds := map[string]int{}
	for i, line := range strings.Split(strings.TrimSpace(out), "\n") {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		switch kind, _ := o["kind"].(string); {
		case i == 0:
			if o["type"] != "version" || o["stream"] != 1.0 {
				t.Errorf("the first line is %s", line)
			}
		case o["type"] != "event" || o[kind] == nil || o["run"] == "" || o["at"] == nil:
			t.Errorf("line %d is %s", i+1, line)
		default:
			kinds[kind]++
		}
	}
	if kinds["opened"] != 1 || kinds["planned"] != 1 || kinds["closed"] != 1 || kinds["intent"] == 0 || kinds["outcome"] < kinds["intent"] {
		t.Errorf("events: %v", kinds)
	}
}

func same(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant\n%s\n(-update writes it anew)", path, got, want)
	}
}
