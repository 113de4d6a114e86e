//go:build !windows

package outside

import (
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// Group lets a program be ended with everything that it started.
func Group(c *exec.Cmd) (end func()) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	end = func() {
		if c.Process != nil {
			_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		}
	}
	c.Cancel = func() error { end(); return nil }
	return end
}

func owner(info fs.FileInfo) (uid, gid int, id string) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, -1, ""
	}
	return int(s.Uid), int(s.Gid), strconv.FormatUint(uint64(s.Dev), 16) + ":" + strconv.FormatUint(s.Ino, 10)
}

func chown(f *os.File, uid, gid int) error { return f.Chown(uid, gid) }

// syncFolder makes a rename outlive a power cut.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	_ = d.Close()
	return err
}
