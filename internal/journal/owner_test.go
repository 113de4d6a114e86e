//go:build !windows

package journal

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"rekey/internal/realserver"
)

// TestWhatRootMakesInAServicesFolderIsTheServices: a command of root leaves nothing there that
// the service, which runs as another user, could not open; and gives away nothing else.
func TestWhatRootMakesInAServicesFolderIsTheServices(t *testing.T) {
	const service = 65532
	if os.Geteuid() != 0 {
		realserver.Lacking(t, "a file of another user (making one needs root)", os.ErrPermission)
	}
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "of root")
	if err := os.WriteFile(elsewhere, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, service, service); err != nil {
		t.Fatal(err)
	}
	j, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := j.Lock("CF_X")
	if err != nil {
		t.Fatal(err)
	}
	release, err := j.Hold(t.Context(), "policy/1")
	if err != nil {
		t.Fatal(err)
	}
	owned := func() {
		t.Helper()
		err := filepath.WalkDir(filepath.Join(dir, "locks"), func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			st, err := os.Lstat(path)
			if err == nil && path != filepath.Join(dir, "locks") && st.Sys().(*syscall.Stat_t).Uid != service {
				t.Errorf("%s is root's", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	release()
	unlock()
	for name, make := range map[string]func(string) error{
		"key":       func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"symbolic":  func(p string) error { return os.Symlink(elsewhere, p) },
		"hard link": func(p string) error { return os.Link(elsewhere, p) },
	} {
		if err := make(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	owned()
	for name, want := range map[string]uint32{filepath.Join(dir, "key"): service, filepath.Join(dir, "journal.db"): service, filepath.Join(dir, "locks"): service, elsewhere: 0} {
		st, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := st.Sys().(*syscall.Stat_t).Uid; got != want {
			t.Errorf("%s is of user %d, want %d", name, got, want)
		}
	}
}
