package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestABackupIsRestoredAsItsHelpSays: after the journal is lost, what was done before
// the backup is known again, and verifies.
func TestABackupIsRestoredAsItsHelpSays(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	do := func(want int, args ...string) string {
		t.Helper()
		code, out := b.rekey(args...)
		if code != want {
			t.Fatalf("rekey %s ended with %d:\n%s", strings.Join(args, " "), code, out)
		}
		return out
	}
	do(exitDone, "run", console, "--reason", "scheduled", "--ticket", "OPS-1", "--confirm", console)
	before := do(exitDone, "log", "--json") // times, and not how long ago
	do(exitDone, "journal", "backup", "copy.db")
	found, err := filepath.Glob(filepath.Join(b.dir, ".rekey*", "journal.db"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v %v", found, err)
	}
	folder := filepath.Dir(found[0])
	for _, name := range []string{"journal.db", "journal.db-wal", "journal.db-shm"} {
		if err := os.Remove(filepath.Join(folder, name)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	do(exitFailed, "log")
	if err := os.Rename(filepath.Join(b.dir, "copy.db"), filepath.Join(folder, "journal.db")); err != nil {
		t.Fatal(err)
	}
	if after := do(exitDone, "log", "--json"); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	do(exitDone, "verify")
	do(exitDone, "drift")
}
