//go:build !windows

package journal

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// handOver gives what root has made in somebody else's folder to whoever owns the folder: a
// service that runs as a user of its own has to go on with locks and keys that a command of
// root has made. SQLite does the same with its files. Nothing is told: what stays root's is
// told by whoever cannot read it.
func handOver(dir string) {
	if os.Geteuid() != 0 {
		return
	}
	in, err := os.Stat(dir)
	if err != nil {
		return
	}
	owner, is := in.Sys().(*syscall.Stat_t)
	if !is || owner.Uid == 0 {
		return
	}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != dir && (d.Type().IsRegular() || d.IsDir()) {
			give(path, int(owner.Uid), int(owner.Gid))
		}
		return nil
	})
}

// give gives one file away, if it is root's. The folder's owner can put anything in its place
// meanwhile, a link to a file of root's too: it is opened first, and has one name only.
func give(path string, uid, gid int) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		return
	}
	if s, is := st.Sys().(*syscall.Stat_t); is && s.Uid == 0 && (st.IsDir() || st.Mode().IsRegular() && s.Nlink == 1) {
		_ = f.Chown(uid, gid)
	}
}
