//go:build !windows

package service_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rekey/internal/service"
	"rekey/internal/sop"
)

// TestAFileThatCannotBeReadHoldsNothingUp: a disk that has stopped answering, a pipe in
// the file's place, a folder, a link to itself. The version before stays in use, everybody
// goes on meanwhile, and the file is taken again once it is there.
func TestAFileThatCannotBeReadHoldsNothingUp(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "rekey.yaml")
	write := func() {
		t.Helper()
		if err := os.WriteFile(file, []byte(sop.Example()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	hangs, reads := make(chan struct{}), make(chan struct{})
	n := 0
	c, err := service.Configure(file, func(file string) (*sop.Config, error) {
		if n++; n == 2 {
			close(reads)
			<-hangs
		}
		return sop.Load(file)
	}, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("rekey: 1\n# on a disk that hangs"), 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); c.Reload(true) }()
	<-reads
	if len(c.Now().Specs) == 0 || c.Told().Wrong != nil {
		t.Error("the version before is not in use while the file is read")
	}
	close(hangs)
	<-done
	for name, tt := range map[string]struct {
		put  func() error
		says string
	}{
		"a pipe":           {func() error { return syscall.Mkfifo(file, 0o600) }, "it is no file"},
		"a folder":         {func() error { return os.Mkdir(file, 0o700) }, "is a directory"},
		"a link to itself": {func() error { return os.Symlink("rekey.yaml", file) }, "too many"},
		"nothing":          {func() error { return nil }, "no such file"},
	} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if err := tt.put(); err != nil {
			t.Fatal(err)
		}
		c.Reload(true)
		if wrong := strings.Join(c.Mistakes(), "\n"); !strings.Contains(wrong, tt.says) || len(c.Now().Specs) == 0 {
			t.Errorf("%s: it says %q, and %d credentials are in use", name, wrong, len(c.Now().Specs))
		}
		_ = os.Remove(file)
		write()
		if c.Reload(true); len(c.Mistakes()) > 0 {
			t.Errorf("after %s the file is not taken again: %v", name, c.Mistakes())
		}
	}
}
