package outside

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"rekey/internal/secret"
)

// disk is the file system of this machine.
type disk struct{}

func (disk) Read(path string, limit int64) (File, error) {
	// What is no regular file is found out before it is opened: to open a pipe waits.
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return File{}, err
	case !info.Mode().IsRegular():
		return File{}, fmt.Errorf("%s: %w", path, ErrNotRegular)
	case info.Size() > limit:
		return File{}, fmt.Errorf("%s: %w", path, ErrTooLarge)
	}
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer func() { _ = f.Close() }()
	if info, err = f.Stat(); err != nil {
		return File{}, err
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return File{}, err
	case int64(len(b)) > limit:
		return File{}, fmt.Errorf("%s: %w", path, ErrTooLarge)
	}
	out := File{Content: secret.New(string(b)), Mode: uint32(info.Mode().Perm()), Changed: info.ModTime().UTC()}
	clear(b)
	out.UID, out.GID, out.ID = owner(info)
	return out, nil
}

func (disk) Replace(path string, f File) (err error) {
	// A link's target is replaced, not the link: whoever made it wants it.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir := filepath.Dir(path)
	t, err := os.CreateTemp(dir, "."+filepath.Base(path)+".rekey-*")
	if err != nil {
		return err
	}
	renamed := false
	defer func() {
		if !renamed {
			_ = t.Close()
			_ = os.Remove(t.Name())
		}
	}()
	// It is made readable by its owner only; the owner is changed before the mode, or
	// somebody else's group could read it for a moment.
	if f.UID >= 0 || f.GID >= 0 {
		if err := chown(t, f.UID, f.GID); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(t, f.Content.Reveal()); err != nil {
		return err
	}
	if err := t.Chmod(os.FileMode(f.Mode & 0o777)); err != nil {
		return err
	}
	if err := t.Sync(); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	if f.last != nil {
		if err := f.last(); err != nil {
			return err
		}
	}
	if err := os.Rename(t.Name(), path); err != nil {
		return err
	}
	renamed = true
	if err := syncFolder(dir); err != nil {
		return fmt.Errorf("%s: %w: %w", path, ErrUnsure, err)
	}
	return nil
}

func (disk) Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func (disk) Owner(name, group string) (uid, gid int, err error) {
	uid, gid = -1, -1
	if name != "" {
		if uid, err = strconv.Atoi(name); err != nil {
			u, err := user.Lookup(name)
			if err != nil {
				return -1, -1, err
			}
			uid, _ = strconv.Atoi(u.Uid)
		}
	}
	if group != "" {
		if gid, err = strconv.Atoi(group); err != nil {
			g, err := user.LookupGroup(group)
			if err != nil {
				return -1, -1, err
			}
			gid, _ = strconv.Atoi(g.Gid)
		}
	}
	return uid, gid, nil
}
