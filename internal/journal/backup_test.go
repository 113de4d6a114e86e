package journal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestABackupIsTheJournalAsItWas, taken while another process writes: it has what was
// there when it began, opens as a journal in a folder of its own and goes on.
func TestABackupIsTheJournalAsItWas(t *testing.T) {
	j, dir := open3(t)
	if err := j.Tend(t.Context(), func(tree *Tree) error {
		_, err := tree.Add(Checkpoint{Size: 4, Note: "signed"})
		return errors.Join(err, tree.Keep(0, 0, "h"))
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	wrote := make(chan error, 1)
	other, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	begun := make(chan bool)
	go func() {
		for i := 0; ctx.Err() == nil; i++ {
			if err := other.Append(context.Background(), draft("beside")); err != nil {
				wrote <- err
				return
			}
			if i == 3 {
				close(begun)
			}
		}
		wrote <- nil
	}()
	<-begun
	before, err := j.Last(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	n, last, err := j.Backup(t.Context(), filepath.Join(to, file))
	cancel()
	if err := errors.Join(err, <-wrote); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(filepath.Join(to, file)); err != nil || runtime.GOOS != "windows" && st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", st, err)
	}
	if all, err := os.ReadDir(to); err != nil || len(all) != 1 {
		t.Errorf("beside it: %v %v", all, err)
	}
	back, err := Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = back.Close() }()
	got, hash, err := back.Verify(t.Context())
	if err != nil || got != n || hash != last || n < before.Seq {
		t.Errorf("%d entries, told %d, of %d: %v", got, n, before.Seq, err)
	}
	if all, err := back.Checkpoints(t.Context()); err != nil || len(all) != 1 || all[0].Note != "signed" {
		t.Errorf("%v %v", all, err)
	}
	if err := back.Append(t.Context(), draft("r2")); err != nil {
		t.Error(err)
	}
}

// TestABackupIsWholeOrNotThere: nothing is written over, and nothing is left of one
// that failed.
func TestABackupIsWholeOrNotThere(t *testing.T) {
	j, _ := open3(t)
	to := t.TempDir()
	taken := filepath.Join(to, "taken")
	if err := os.WriteFile(taken, []byte("dear"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := j.Backup(t.Context(), taken); !errors.Is(err, ErrThere) {
		t.Errorf("over another file: %v", err)
	}
	if b, _ := os.ReadFile(taken); string(b) != "dear" {
		t.Errorf("it was written over: %q", b)
	}
	if _, _, err := j.Backup(t.Context(), filepath.Join(to, "none", "x")); err == nil {
		t.Error("in a folder that is not there")
	}
	if _, err := j.db.Exec(`UPDATE entries SET body = '{}' WHERE seq = 2`); err != nil {
		t.Fatal(err)
	}
	var broken *Broken
	if _, _, err := j.Backup(t.Context(), filepath.Join(to, "edited")); !errors.As(err, &broken) || !strings.Contains(err.Error(), "does not verify") {
		t.Errorf("of a journal that does not verify: %v", err)
	}
	if all, err := os.ReadDir(to); err != nil || len(all) != 1 {
		t.Errorf("left behind: %v %v", all, err)
	}
}
