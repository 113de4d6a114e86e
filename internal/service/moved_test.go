package service_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

// TestAServerNoticesThatItsJournalWasMoved although it does nothing: it ends, and says
// where the journal is.
func TestAServerNoticesThatItsJournalWasMoved(t *testing.T) {
	t.Parallel()
	p := serve(t)
	p.until("/api/v1/status", "credentials")
	found, err := filepath.Glob(filepath.Join(filepath.Dir(p.file), "*", "journal.db"))
	if err != nil || len(found) != 1 {
		t.Fatalf("journals: %v (%v)", found, err)
	}
	db, err := sql.Open("sqlite", "file:"+found[0]+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	// What a move leaves behind.
	for _, statement := range []string{`CREATE TABLE moved (one BIGINT PRIMARY KEY, id TEXT NOT NULL, whither TEXT NOT NULL, named TEXT NOT NULL, at TEXT NOT NULL, done BIGINT NOT NULL)`,
		`INSERT INTO moved VALUES (1, 'm', 'postgres://rekey@db.example.com/rekey', 'env:REKEY_DATABASE', '2026-11-28T04:00:00Z', 1)`} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-p.ended:
		p.ended <- nil
		if err == nil || !strings.Contains(err.Error(), "moved from") || !strings.Contains(err.Error(), "postgres://rekey@db.example.com/rekey") || !strings.Contains(err.Error(), "next  write in rekey.yaml") {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it goes on")
	}
}
