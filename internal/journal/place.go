package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Damaged means that the file cannot be used as the journal it has to be.
type Damaged struct {
	Path   string
	Why    string
	Server bool // it is in a database of a server
}

func (d *Damaged) Error() string {
	if d.Server {
		return fmt.Sprintf("%s cannot be used as the journal: %s\n  next  restore a backup of the database and check what is live: rekey drift", d.Path, d.Why)
	}
	return fmt.Sprintf("%s cannot be used as the journal: %s\n  next  restore a backup of the folder %s and check what is live: rekey drift\n  or    if there is none, move the folder away; a new journal then starts, without any history",
		d.Path, d.Why, filepath.Dir(d.Path))
}

// otherTables is why a database is no journal that does not know a question as it stands.
const otherTables = "its tables are not those of a journal"

// Replaced means that the file is not the one that this process has opened: what it
// writes would be read by nobody.
type Replaced struct {
	Path string
	What string // what happened to it
	Seq  int64  // of the newest entry that was seen there and no longer exists; 0: not known
}

func (r *Replaced) Error() string {
	return fmt.Sprintf("%s was %s while it was in use", r.Path, r.What)
}

// damaged tells SQLite's answers that say that the file itself is not sound from
// those that say that it could not be used now.
func damaged(path string, err error) error {
	if err == nil {
		return nil
	}
	if none := unreached(path, err); none != nil {
		return none
	}
	var theirs *pgconn.PgError
	if errors.As(err, &theirs) {
		return answered(path, theirs)
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		if strings.HasPrefix(path, "postgres://") && broken(err) {
			return fmt.Errorf("the connection with %s has broken: %w", path, err)
		}
		return refused(path, err)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_NOTADB:
		return &Damaged{Path: path, Why: "it is not a database"}
	case sqlite3.SQLITE_CORRUPT:
		return &Damaged{Path: path, Why: "the database in it is damaged"}
	case sqlite3.SQLITE_ERROR: // of a question that is asked as it stands: the tables are others
		return &Damaged{Path: path, Why: otherTables}
	case sqlite3.SQLITE_CONSTRAINT:
		if moved := bars(path, e.Error()); moved != nil {
			return moved
		}
	case sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("%s cannot be opened: %w", path, err)
	case sqlite3.SQLITE_FULL:
		return refused(path, syscall.ENOSPC)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return refused(path, fs.ErrPermission)
	case sqlite3.SQLITE_IOERR:
		return fmt.Errorf("%s cannot be read or written: the disk fails, or the folder has gone: %w", path, err)
	case sqlite3.SQLITE_INTERRUPT:
		return context.Canceled
	case sqlite3.SQLITE_BUSY:
		return fmt.Errorf("other processes have kept %s busy for too long: %w", path, err)
	}
	return err
}

// refused says why the file system does not let the journal be written, whether SQLite
// or a call of our own met that: a journal that is being made meets it first.
func refused(path string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%s cannot be written: the disk is full; make room on it, then run this again", path)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s cannot be written: its file system is read-only; use another folder (journal in rekey.yaml, or -C)", path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s cannot be written by this user; change its owner, or use another folder (journal in rekey.yaml, or -C)", path)
	}
	return err
}

// answered is damaged for what PostgreSQL answers
// [postgresql.org/docs/current/errcodes-appendix.html].
func answered(name string, e *pgconn.PgError) error {
	switch e.Code {
	case "42P01", "42703": // undefined_table, undefined_column
		return &Damaged{Path: name, Server: true, Why: otherTables}
	case "XX001", "XX002": // data_corrupted, index_corrupted
		return &Damaged{Path: name, Server: true, Why: "the database is damaged"}
	case "42501": // insufficient_privilege
		return fmt.Errorf("%s does not permit this to this role: %s", name, e.Message)
	case "25006": // read_only_sql_transaction
		return fmt.Errorf("%s cannot be written here: the session or the server is read-only", name)
	case "53100": // disk_full
		return fmt.Errorf("%s cannot be written: the server's disk is full; make room on it", name)
	case "55P03": // lock_not_available
		return fmt.Errorf("other processes have kept %s busy for too long: %w", name, e)
	case "57P01", "57P02", "57P03": // admin_shutdown, crash_shutdown, cannot_connect_now
		return fmt.Errorf("the server of %s is stopping or starting: %w", name, e)
	case "57014": // query_canceled
		return context.Canceled
	}
	return fmt.Errorf("%s: %w", name, e)
}

// Told says in words what the database has answered to a question about a table beside the
// journal, and what to do about it where somebody can.
func (j *Journal) Told(err error) error { return j.told(err) }

// told is damaged for an opened journal.
func (v View) told(err error) error { return damaged(v.path, err) }

// place is the file of a journal as this process knows it.
type place struct {
	path    string
	db, wal os.FileInfo
	known   Entry // the newest entry that this process has seen there
}

func newPlace(path string) *place {
	p := &place{path: path}
	p.db, _ = os.Stat(path)
	p.wal, _ = os.Stat(path + "-wal")
	return p
}

// look compares the files with those that were opened. Only a checkpoint of the
// write-ahead log changes the database file; changed tells that somebody wrote it.
func (p *place) look() (changed bool, err error) {
	for _, f := range []struct {
		path string
		was  *os.FileInfo
	}{{p.path, &p.db}, {p.path + "-wal", &p.wal}} {
		now, err := os.Stat(f.path)
		switch {
		case *f.was == nil:
			*f.was = now // there was none yet, or it cannot be known
		case errors.Is(err, os.ErrNotExist):
			return false, &Replaced{Path: f.path, What: "deleted"}
		case err != nil:
			return false, &Replaced{Path: f.path, What: "put out of reach (" + err.Error() + ")"}
		case !os.SameFile(now, *f.was):
			return false, &Replaced{Path: f.path, What: "replaced by another file"}
		}
	}
	now, err := os.Stat(p.path)
	if err != nil || p.db == nil {
		return false, nil
	}
	if now.Size() < p.db.Size() {
		return false, &Replaced{Path: p.path, What: "cut short"}
	}
	changed = !now.ModTime().Equal(p.db.ModTime()) || now.Size() != p.db.Size()
	p.db = now
	return changed, nil
}

// thorough bounds the size up to which the whole file is checked after somebody has
// written it: some hundredths of a second.
const thorough = 32 << 20

// chained is how many of the newest entries have to follow each other.
const chained = 64

// still reports, as a *Replaced, that the file is not the journal any more that was
// opened. A file that was written over in place keeps its identity, and SQLite's
// cache hides it: so it is read through a connection of its own.
func (j *Journal) still(ctx context.Context, tx *sql.Tx) error {
	if j.server != nil {
		return j.server.still(ctx, tx)
	}
	if j.file == nil {
		return nil
	}
	changed, err := j.file.look()
	if err != nil || !changed {
		return err
	}
	over := &Replaced{Path: j.file.path, What: "written over"}
	db, err := connect(j.file.path, "ro")
	if err != nil {
		return fmt.Errorf("append to journal: %w", err)
	}
	defer func() { _ = db.Close() }()
	if j.file.db.Size() <= thorough {
		var sound string
		if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&sound); err != nil || sound != "ok" {
			return over
		}
	}
	known := j.file.known
	found := known.Seq == 0
	var prev *Entry
	err = each(ctx, db, func(e Entry) error {
		if prev != nil {
			if err := prev.Follows(e); err != nil {
				return err
			}
		}
		found = found || e.Seq == known.Seq && e.Hash == known.Hash
		prev = &e
		return nil
	}, `SELECT `+columns+` FROM entries WHERE seq >= $1 ORDER BY seq DESC`, known.Seq-chained)
	if err != nil || !found {
		return over
	}
	return nil
}

// wrote notes what was written, and that it is in the file that everybody sees.
func (j *Journal) wrote(last Entry) error {
	if j.file == nil {
		return nil
	}
	j.file.known = last
	was := j.file.db
	_, err := j.file.look()
	j.file.db = was // whoever wrote the file meanwhile is looked at with the next entry
	return err
}
