package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // pure Go: one binary without cgo
)

// ErrNone means that there is no journal yet.
var ErrNone = errors.New("there is no journal yet")

const file = "journal.db"

// left are files that lie beside a journal and never come before it: where one of
// them is and the journal is not, it was lost.
var left = []string{file + "-wal", "fingerprint.key", "evidence.pub"}

// Open opens the journal in a folder, making both if need be. Every commit is
// synced to disk before it returns.
func Open(dir string) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open journal: %w", refused(dir, err))
	}
	switch err := exists(dir); {
	case errors.Is(err, ErrNone):
		if err := create(dir); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	}
	return open(dir, "rw", schema+treeSchema+standingSchema)
}

// OpenExisting opens a journal for reading and refuses to make one.
func OpenExisting(dir string) (*Journal, error) {
	if err := exists(dir); err != nil {
		return nil, err
	}
	return open(dir, "rw", "")
}

// OpenCopy opens a journal that may lie where nothing can be written: an auditor's
// copy on a read-only medium; or one that was moved away since. It writes nothing.
func OpenCopy(dir string) (*Journal, error) {
	err := exists(dir)
	if err != nil && errors.Is(err, ErrNone) {
		return nil, err
	}
	if err == nil {
		var j *Journal
		if j, err = openAs(dir, "rw", "", true); err == nil {
			return j, nil
		}
	}
	// A database in WAL mode makes a file beside it even to be read, unless it is
	// promised that nobody writes (sqlite.org/wal.html, "Read-Only Databases").
	c, again := open(dir, "ro&immutable=1", "")
	if again != nil {
		return nil, err
	}
	return c, nil
}

// exists tells whether there is a journal: ErrNone if there never was one here, and
// a *Damaged where one must have been.
func exists(dir string) error {
	path := filepath.Join(dir, file)
	missing := func() bool { _, err := os.Stat(path); return errors.Is(err, os.ErrNotExist) }
	if !missing() {
		// SQLite would make a database of an empty file by opening it.
		switch st, err := os.Stat(path); {
		case err != nil: // told by opening it
		case !st.Mode().IsRegular():
			return &Damaged{Path: path, Why: "it is a folder or a device, not a file"}
		case st.Size() == 0:
			return &Damaged{Path: path, Why: "it is empty"}
		}
		return nil
	}
	for _, name := range left {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			if !missing() {
				return nil // another process has made it just now
			}
			return &Damaged{Path: path, Why: "it is missing, and " + name + " beside it says that there was one"}
		}
	}
	return ErrNone
}

// create makes an empty journal whole or not at all, and never over one that is
// there: half a journal that a crash left would be taken for an empty one. Its mode
// is that of all files that SQLite makes beside it.
func create(dir string) error {
	path := filepath.Join(dir, file)
	f, err := os.CreateTemp(dir, ".new-journal-")
	if err != nil {
		return fmt.Errorf("make the journal: %w", damaged(path, err))
	}
	fresh := f.Name()
	defer func() {
		for _, end := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(fresh + end)
		}
	}()
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return fmt.Errorf("make the journal: %w", damaged(path, err))
	}
	db, err := connect(fresh, "rw")
	if err != nil {
		return fmt.Errorf("make the journal: %w", damaged(path, err))
	}
	_, err = db.Exec(schema + treeSchema + standingSchema)
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("make the journal: %w", damaged(path, err))
	}
	err = os.Link(fresh, path)
	if err != nil && !errors.Is(err, os.ErrExist) && exists(dir) != nil {
		err = os.Rename(fresh, path) // a file system without hard links
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("make the journal: %w", damaged(path, err))
	}
	return nil
}

// connect opens a database file. The path is a part of an address there, in which
// some characters mean something.
func connect(path, mode string) (*sql.DB, error) {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // file:///C:/...
	}
	path = strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	db, err := sql.Open("sqlite", "file://"+path+"?mode="+mode+
		"&_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	// One connection: the pragmas belong to a connection, and there is one writer.
	db.SetMaxOpenConns(1)
	return db, nil
}

func open(dir, mode, setup string) (*Journal, error) { return openAs(dir, mode, setup, false) }

// openAs is open; moving: one that was moved away or has not arrived will do.
func openAs(dir, mode, setup string, moving bool) (*Journal, error) {
	path := filepath.Join(dir, file)
	written := !strings.Contains(mode, "immutable")
	if written {
		private(path)
	}
	db, err := connect(path, mode)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &Journal{View: View{q: db, path: path}, db: db, dir: dir, whole: setup != ""}
	if err := j.prepare(path, setup, written, moving); err != nil {
		_ = db.Close()
		return nil, err
	}
	return j, nil
}

// prepare sees that the file is a journal, and brings one of an older version up to
// date.
func (j *Journal) prepare(path, setup string, written, moving bool) error {
	ctx := context.Background()
	there := map[string]bool{}
	err := scan(ctx, j.db, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		there[name] = true
		return err
	}, `SELECT name FROM sqlite_master WHERE type = 'table' AND name IN (`+mine+`)`)
	switch {
	case err != nil:
		return fmt.Errorf("open journal: %w", damaged(path, err))
	case !there["entries"]:
		return &Damaged{Path: path, Why: "it is a database, but not a journal: it has no table of entries"}
	}
	if there["versions"] {
		version, err := j.version(ctx, j.db, "journal")
		if err != nil {
			return fmt.Errorf("open journal: %w", damaged(path, err))
		}
		if version > journalVersion {
			return &Newer{Path: path, Name: "journal", Version: version, Known: journalVersion}
		}
	}
	if written && !moving {
		if err := whereabouts(ctx, j.db, path, there["moved"], there["arriving"]); err != nil {
			return err
		}
	}
	if setup != "" {
		if _, err := j.db.ExecContext(ctx, setup); err != nil {
			return fmt.Errorf("open journal: %w", damaged(path, err))
		}
	}
	if written {
		j.file = newPlace(path)
		if j.file.known, err = head(ctx, j.db); err != nil {
			return fmt.Errorf("open journal: %w", damaged(path, err))
		}
		private(path)
	}
	return nil
}

// private takes from others what an older version, a copy or a restore gave them.
func private(path string) {
	for _, end := range []string{"", "-wal", "-shm"} {
		if st, err := os.Stat(path + end); err == nil && st.Mode().Perm()&0o077 != 0 {
			_ = os.Chmod(path+end, 0o600)
		}
	}
}

// Close closes the journal.
func (j *Journal) Close() error {
	if j.server != nil {
		j.server.locks.close()
	}
	if j.file != nil { // one that was written
		defer handOver(j.dir)
	}
	return j.db.Close()
}
