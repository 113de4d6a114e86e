package report_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sim/stage"
	"rekey/internal/visible"
)

// FuzzEntries: whatever stands in a journal's entries of a run (one a line: its
// kind, a blank, its body) is told or refused, and what is shown is text.
func FuzzEntries(f *testing.F) {
	for name, arrange := range scenes {
		s := stage.New(1, stage.Knobs)
		arrange(s)
		if _, err := s.Play("CF_ACCESS_SVC_CONSOLE"); err != nil {
			f.Fatal(name, err)
		}
		events, err := s.Log.Events()
		if err != nil {
			f.Fatal(err)
		}
		var b bytes.Buffer
		for _, e := range events {
			body, err := e.Body()
			if err != nil {
				f.Fatal(err)
			}
			b.WriteString(string(e.Kind) + " " + string(body) + "\n")
		}
		f.Add(b.Bytes())
	}
	for _, line := range []string{"opened null", "planned {}", "outcome {}", "closed {}", "stuck {}", "intent {\"steps\":[\"\"]}", "turned {}", "resumed {}", "asked {}", "confirmed {}", "nothing {}"} {
		f.Add([]byte(line))
		f.Add([]byte("opened {}\n" + line + "\nplanned {}\n" + line))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		at := time.Unix(1_800_000_000, 0)
		var entries []journal.Entry
		for i, line := range bytes.Split(src, []byte("\n")) {
			kind, body, _ := bytes.Cut(line, []byte(" "))
			e := journal.Entry{Seq: int64(i + 1)}
			e.At, e.Run, e.Kind, e.Body = at.Add(time.Duration(i)*time.Second), "abcdef", string(kind), body
			entries = append(entries, e)
		}
		var kept []journal.Entry
		for i := range entries { // what is no event is refused, and does not spare us the others
			if _, err := history.Decode(entries[i : i+1]); err == nil {
				kept = append(kept, entries[i])
			}
		}
		events, err := history.Whole(kept)
		if err != nil || len(events) == 0 {
			return
		}
		style := report.Style{Width: 80}
		shown := report.Log(events, style)
		state := rotation.Fold(events)
		if state.Opened != nil {
			shown += report.Ending(state, style, at)
		}
		if state.Plan != nil {
			shown += report.Plan(state.Plan, style, at)
		}
		rotation.Generations(events)
		if bad := strings.IndexFunc(shown, func(r rune) bool { return !visible.Rune(r) && r != '\n' }); bad >= 0 {
			t.Fatalf("shown: %q", shown[max(0, bad-80):bad+4])
		}
	})
}
