package report_test

import (
	"strings"
	"testing"
	"time"

	"rekey/internal/evidence"
	"rekey/internal/journal"
	"rekey/internal/report"
	"rekey/internal/sim/stage"
)

// TestAJournalWithoutCheckpoints verifies by its chain, and is told how little that
// proves.
func TestAJournalWithoutCheckpoints(t *testing.T) {
	e := journal.Entry{Seq: 1, At: stage.Start, Run: "r", Subject: "s", Kind: "k", Body: []byte(`{}`)}
	e.Hash = e.Sum()
	r, err := evidence.Verify(func(f func(journal.Entry) error) error { return f(e) }, nil, nil, nil)
	if err != nil || !r.OK() {
		t.Fatalf("%+v %v", r, err)
	}
	text := report.Verified(r, nil, report.Style{})
	for _, want := range []string{"✓ 1 entry in one chain; the last is " + e.Hash, "there is no checkpoint: somebody who knows the format could have rewritten everything; next  rekey checkpoint"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said: %s", want, text)
		}
	}
}

// TestEvidenceLine: one line where something is to be done, and none where not.
func TestEvidenceLine(t *testing.T) {
	now := stage.Start
	for name, tt := range map[string]struct {
		s    evidence.Standing
		want string
	}{
		"nothing was ever done": {evidence.Standing{}, ""},
		"all is well":           {evidence.Standing{Entries: 9, Covered: 9, Leaves: true}, ""},
		"never signed":          {evidence.Standing{Entries: 9, Uncovered: 9}, "nothing of the journal is signed yet; next  rekey checkpoint"},
		"behind":                {evidence.Standing{Entries: 9, Covered: 8, Uncovered: 1, Leaves: true}, "1 entry not signed yet; next  rekey checkpoint"},
		"not sent": {evidence.Standing{Entries: 9, Covered: 9, Leaves: true, Lagging: []evidence.Lag{{Sink: "file:x", Behind: 2, Since: now.Add(-3 * time.Hour)}}},
			"file:x does not have 2 checkpoints, the oldest made 3h ago; next  rekey checkpoint"},
		"never leaves": {evidence.Standing{Entries: 9, Covered: 9}, "9 entries signed, but no checkpoint ever leaves this machine"},
	} {
		got := report.EvidenceLine(tt.s, report.Style{}, now)
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) || strings.Count(strings.Trim(got, "\n"), "\n") > 0 {
			t.Errorf("%s: %q", name, got)
		}
	}
}
