package estate_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rekey/internal/estate"
	"rekey/internal/evidence"
	"rekey/internal/journal"
)

// TestVerifyFindsAHiddenRun: which runs are open is kept beside the entries, where
// whoever can write the database could hide one.
func TestVerifyFindsAHiddenRun(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	look := func(v journal.View) error { _, err := v.Begun(t.Context(), "opened", "closed"); return err }
	for i := range 2 { // what had begun by then is kept by the second
		var drafts []journal.Draft
		for n := range 70 {
			drafts = append(drafts, journal.Draft{At: time.Unix(int64(i), 0), Run: fmt.Sprintf("r%d-%d", i, n), Subject: "X", Kind: "opened", Body: []byte("{}")})
		}
		if _, err := j.AppendIf(t.Context(), look, drafts...); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if v, err := estate.VerifyCopy(t.Context(), dir, estate.Verifying{}); err != nil || !v.Report.OK() {
		t.Fatalf("untouched: %+v %v", v.Report, err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := db.Exec(`UPDATE standing SET open = REPLACE(open, ',17,', ',')`)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := res.RowsAffected(); n != 1 {
		t.Fatalf("%d rows were changed", n)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	v, err := estate.VerifyCopy(t.Context(), dir, estate.Verifying{})
	if err != nil || v.Report.OK() {
		t.Fatalf("hidden: %+v %v", v.Report, err)
	}
	if f := v.Report.Findings[0]; len(v.Report.Findings) != 1 || f.Kind != evidence.KeptOpen || f.From != 17 || !strings.Contains(f.What, "leaves out run r0-16, which begins with entry 17") {
		t.Errorf("%+v", v.Report.Findings)
	}
}
