package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrThere means that something has the name that a backup was to get.
var ErrThere = errors.New("it exists already, and is not overwritten")

// Backup writes a copy of the journal, as it is at one moment, to a new file that only
// its owner may read, while others write on. It is verified before it gets its name: a
// file of that name is whole. n and last are its number of entries and its last hash.
// Of one on a server it is a file as Open takes it, of one snapshot. in is carried out in
// the copy: what is true of the journal only as long as it goes on from where it is now.
func (j *Journal) Backup(ctx context.Context, path string, in ...InCopy) (n int64, last string, err error) {
	if _, err := os.Lstat(path); err == nil {
		return 0, "", fmt.Errorf("back up the journal: %s: %w", path, ErrThere)
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".new-backup-") // 0700
	if err != nil {
		return 0, "", fmt.Errorf("back up the journal: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	fresh := filepath.Join(dir, file)
	fill := j.copyFile
	if j.server != nil {
		fill = j.copyServer
	}
	if err := fill(ctx, dir); err != nil {
		return 0, "", fmt.Errorf("back up the journal: %w", err)
	}
	if err := carriedOut(ctx, fresh, in); err != nil {
		return 0, "", fmt.Errorf("back up the journal: %w", err)
	}
	if n, last, err = verified(ctx, dir); err != nil {
		return 0, "", fmt.Errorf("back up the journal: what was copied does not verify: %w", err)
	}
	if err := onDisk(fresh); err != nil {
		return 0, "", fmt.Errorf("back up the journal: %w", err)
	}
	switch err := os.Link(fresh, path); {
	case errors.Is(err, os.ErrExist):
		return 0, "", fmt.Errorf("back up the journal: %s: %w", path, ErrThere)
	case err != nil: // a file system without hard links
		if err := os.Rename(fresh, path); err != nil {
			return 0, "", fmt.Errorf("back up the journal: %w", err)
		}
	}
	// Not every system can sync a folder; the file itself is on disk.
	_ = onDisk(filepath.Dir(path))
	return n, last, nil
}

// InCopy is a statement that is carried out in a backup, if it has the table.
type InCopy struct{ Table, Statement string }

func carriedOut(ctx context.Context, path string, in []InCopy) error {
	if len(in) == 0 {
		return nil
	}
	db, err := connect(path, "rw")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for _, c := range in {
		there := 0
		err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1`, c.Table).Scan(&there)
		if err == nil && there > 0 {
			_, err = db.ExecContext(ctx, c.Statement)
		}
		if err != nil {
			return fmt.Errorf("change the table %s in the copy: %w", c.Table, err)
		}
	}
	return db.Close()
}

// verified opens a copy that nobody writes, and walks its chain.
func verified(ctx context.Context, dir string) (n int64, last string, err error) {
	c, err := open(dir, "ro&immutable=1", "")
	if err != nil {
		return 0, "", err
	}
	n, last, err = c.Verify(ctx)
	return n, last, errors.Join(err, c.Close())
}

// onDisk returns when a file or a folder is on disk.
func onDisk(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		f, err = os.Open(path) // a folder
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// copyFile fills a folder with a copy of a file.
func (j *Journal) copyFile(ctx context.Context, dir string) error {
	fresh := filepath.Join(dir, file)
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	// One transaction that reads [sqlite.org/lang_vacuum.html, VACUUM INTO]; the file
	// may be there if it is empty, and keeps its mode.
	_, err = j.db.ExecContext(ctx, `VACUUM INTO $1`, fresh)
	return j.told(err)
}

// copyServer fills a folder with a copy of a server's journal, as one snapshot shows it.
func (j *Journal) copyServer(ctx context.Context, dir string) error {
	copied, err := Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = copied.Close() }()
	tx, err := j.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return j.told(err)
	}
	defer func() { _ = tx.Rollback() }()
	d := &duplicate{from: tx, of: j.path, to: copied}
	if err := d.all(ctx); err != nil {
		return err
	}
	if err := j.besideTo(ctx, tx, copied); err != nil {
		return d.told(err)
	}
	if err := d.same(ctx); err != nil {
		return err
	}
	if _, err := copied.db.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		return copied.told(err)
	}
	return copied.Close()
}
