//go:build !windows

package refs

import (
	"os"
	"os/exec"
	"syscall"

	"rekey/internal/outside"
)

// together lets a command be ended with everything that it started: in a group of
// its own. At a terminal it stays in ours, for only that may read from the
// terminal, and a password manager asks there; Ctrl-C ends them all.
func together(c *exec.Cmd) (end func()) {
	if tty, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0); err == nil {
		_ = tty.Close()
		return func() {}
	}
	return outside.Group(c)
}
