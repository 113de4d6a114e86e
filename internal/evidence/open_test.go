package evidence_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rekey/internal/evidence"
	"rekey/internal/journal"
)

// runs opens so many runs, of which every seventh is left open, with what is kept of
// them, and returns the folder.
func runs(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	j, err := journal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	look := func(v journal.View) error { _, err := v.Begun(t.Context(), "opened", "closed"); return err }
	for i := range n {
		drafts := []journal.Draft{{At: start, Run: fmt.Sprint("r", i), Subject: "X", Kind: "opened", Body: []byte("{}")}}
		if i%7 != 0 {
			drafts = append(drafts, journal.Draft{At: start.Add(time.Second), Run: fmt.Sprint("r", i), Subject: "X", Kind: "closed", Body: []byte("{}")})
		}
		if _, err := j.AppendIf(t.Context(), look, drafts...); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// openRuns is what `rekey verify` finds of them.
func openRuns(t *testing.T, dir string) (kept int, found []evidence.Finding) {
	t.Helper()
	j, err := journal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	list, err := j.KeptOpen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o := evidence.NewOpenRuns(list)
	if err := j.Each(context.Background(), func(e journal.Entry) error { o.Entry(e); return nil }); err != nil {
		t.Fatal(err)
	}
	return len(list), o.Findings()
}

// TestAHiddenRunIsFound: what is kept of open runs saves reading every earlier run, so
// whoever can write the database could hide one there; the entries tell.
func TestAHiddenRunIsFound(t *testing.T) {
	dir := runs(t, 45)
	kept, found := openRuns(t, dir)
	if kept != 1 || len(found) != 0 {
		t.Fatalf("untouched: %d kept, %v", kept, found)
	}
	for name, c := range map[string]struct{ statement, says string }{
		"a run is left out":       {`UPDATE standing SET open = REPLACE(open, '[1,', '[')`, "leaves out run r0, which begins with entry 1"},
		"all are left out":        {`UPDATE standing SET open = '[]'`, "leaves out run r7"},
		"one that has ended":      {`UPDATE standing SET open = REPLACE(open, '[1,', '[1,2,')`, "names entry 2, which is not the beginning"},
		"of another journal":      {`UPDATE standing SET hash = 'of another'`, "does not match these entries, and is not used"},
		"of entries to come":      {`UPDATE standing SET seq = 100000`, "does not match these entries, and is not used"},
		"not to be read":          {`UPDATE standing SET open = 'none'`, "cannot be read, and is not used"},
		"nothing at all is there": {`DELETE FROM standing`, ""},
		"an older version":        {`DROP TABLE standing`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{T: t, dir: runs(t, 45)}
			b.sql(c.statement)
			_, found := openRuns(t, b.dir)
			if c.says == "" {
				if len(found) > 0 {
					t.Errorf("%v", found)
				}
				return
			}
			if len(found) == 0 || !strings.Contains(fmt.Sprint(found), c.says) || found[0].Kind != evidence.KeptOpen {
				t.Errorf("in %s: %v", filepath.Base(b.dir), found)
			}
		})
	}
}
