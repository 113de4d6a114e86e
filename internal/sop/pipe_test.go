//go:build !windows

package sop

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestAPipeIsReadOrEmpty: what a shell hands over as <(command) is read to its
// end; a pipe that nobody writes into holds nothing, and does not hold us.
func TestAPipeIsReadOrEmpty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rekey.yaml")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil {
		t.Error("nothing was taken for a configuration")
	}
	w, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for _, part := range []string{Example()[:100], Example()[100:]} {
			time.Sleep(10 * time.Millisecond)
			_, _ = w.WriteString(part)
		}
		time.Sleep(50 * time.Millisecond)
		_ = w.Close()
	}()
	if c, err := Load(path); err != nil || len(c.Specs) != 2 {
		t.Errorf("%v", err)
	}
}
