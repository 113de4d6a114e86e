package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Where is a place for a journal: one of the two.
type Where struct {
	Folder  string // absolute
	Address string // of a PostgreSQL, as OpenPostgres takes it
}

// Carrying is what a move is told.
type Carrying struct {
	ID   string // of this move, if it is a new one: nobody else's
	Name string // how the new place was named to whoever moves it
	At   time.Time
	// Busy is asked with the old journal held against all writers, in the transaction that
	// holds it: its error refuses the move, and all goes on as before. What it locks it
	// keeps until Move returns.
	Busy func(View, *sql.Tx) error
	// Beside carries what belongs to the journal and is not in it, before the old one
	// refuses writes. It is called again if the move is repeated.
	Beside func(ctx context.Context, to *Journal) error
	// Tell is told how many entries are there so far; nil: nobody is.
	Tell func(entries int64)
}

// Carried is what a move has come to.
type Carried struct {
	To      string // for people: without password
	Entries int64
	Last    string // hash of the newest
	Already bool   // nothing was left to be done
}

// Taken means that a place holds another journal.
type Taken struct {
	Path string
	Why  string
}

func (t *Taken) Error() string { return t.Path + " cannot take the journal: " + t.Why }

// OpenLeaving opens a journal that is to be moved, or was. Who goes on to write to it
// has to know which.
func OpenLeaving(ctx context.Context, from Where) (*Journal, error) {
	if from.Address != "" {
		return openMoving(ctx, from.Address)
	}
	if err := exists(from.Folder); err != nil {
		return nil, err
	}
	// One of an older version is brought up to date: it may have no tree yet.
	return openAs(from.Folder, "rw", schema+treeSchema+standingSchema, true)
}

// Move carries the journal to another place: the same entries, tree and checkpoints. It
// may be killed at any moment and is then done again; until the new place has all of it,
// and it verifies there, the old journal is the one that counts, and others write to it.
// Then the old one refuses all writes, in one transaction, and only after that the new
// one can be opened. A journal that does not verify is not moved.
//
// Errors: *Moved (it was moved elsewhere), *Taken, *Broken, ErrLocked (somebody else moves
// it), whatever Busy and Beside say, or the databases' own.
func (j *Journal) Move(ctx context.Context, to Where, c Carrying) (Carried, error) {
	unlock, err := j.Lock("the move of the journal")
	if err != nil {
		return Carried{}, err
	}
	defer unlock()
	a, err := arrivalAt(to)
	if err != nil {
		return Carried{}, err
	}
	l, err := j.leave(ctx, a.name(), c)
	if err != nil {
		return Carried{}, err
	}
	dest, arrived, err := a.open(ctx, l)
	if err != nil {
		return Carried{}, err
	}
	defer func() { _ = dest.Close() }()
	out := Carried{To: a.name(), Already: l.done && arrived}
	if !arrived {
		if err := j.carry(ctx, dest, l, c); err != nil {
			return Carried{}, fmt.Errorf("move the journal: %w", err)
		}
	}
	last, err := dest.Last(ctx)
	if err != nil {
		return Carried{}, err
	}
	out.Entries, out.Last = last.Seq, last.Hash
	if arrived { // others may have gone on there; it has to be the one that was moved
		was, err := head(ctx, j.db)
		if err != nil {
			return Carried{}, j.told(err)
		}
		if there, err := has(ctx, dest.db, was); err != nil || !there && was.Seq > 0 {
			return Carried{}, errors.Join(&Taken{Path: a.name(), Why: "there is another journal in it"}, dest.told(err))
		}
		return out, nil
	}
	if err := a.finish(ctx, dest); err != nil {
		return Carried{}, fmt.Errorf("move the journal: %w", err)
	}
	return out, nil
}

// leave notes which move this is, so that it is found again if it is interrupted.
func (j *Journal) leave(ctx context.Context, to string, c Carrying) (leaving, error) {
	fresh := leaving{id: c.ID, to: to, named: c.Name, at: c.At}
	tx, err := j.db.BeginTx(ctx, nil)
	if err != nil {
		return fresh, j.told(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, movedSchema); err != nil {
		return fresh, j.lacking(err)
	}
	l, there, err := leavingOf(ctx, tx)
	switch {
	case err != nil:
		return fresh, j.told(err)
	case there && l.to == to:
		return l, tx.Commit()
	case there && l.done:
		return l, &Moved{Path: j.path, To: l.to, Name: l.named, At: l.at}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO moved (one, id, whither, named, at, done) VALUES (1, $1, $2, $3, $4, 0)
		ON CONFLICT (one) DO UPDATE SET id = excluded.id, whither = excluded.whither, named = excluded.named, at = excluded.at`, c.ID, to, c.Name, c.At.UTC().Format(time.RFC3339Nano))
	if err == nil {
		err = tx.Commit()
	}
	return fresh, j.told(err)
}

// carry carries everything, verifies it there, and then lets the old journal refuse
// writes.
func (j *Journal) carry(ctx context.Context, dest *Journal, l leaving, c Carrying) error {
	d := &duplicate{from: j.db, of: j.path, to: dest, tell: c.Tell}
	var err error
	if d.last, err = head(ctx, dest.db); err != nil {
		return dest.told(err)
	}
	// Others may write on meanwhile: what they write is carried at the end.
	if err := d.all(ctx); err != nil {
		return err
	}
	if n, last, err := dest.Verify(ctx); err != nil || n != d.last.Seq || last != d.last.Hash {
		return errors.Join(fmt.Errorf("what was carried over does not verify: %d entries of %d", n, d.last.Seq), err)
	}
	if c.Beside != nil {
		if err := c.Beside(ctx, dest); err != nil {
			return err
		}
	}
	tx, err := j.held(ctx, l.done)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	d.from = tx
	if c.Busy != nil && !l.done {
		if err := c.Busy(View{q: tx, path: j.path}, tx); err != nil {
			return err
		}
	}
	if err := d.all(ctx); err != nil {
		return err
	}
	if err := j.besideTo(ctx, tx, dest); err != nil {
		return d.told(err)
	}
	if err := d.same(ctx); err != nil {
		return err
	}
	if l.done {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `UPDATE moved SET done = 1, at = $1 WHERE one = 1`, c.At.UTC().Format(time.RFC3339Nano)); err != nil {
		return j.told(err)
	}
	if j.server == nil {
		err = bar(ctx, tx, l.to, c.At)
	} else {
		_, err = tx.ExecContext(ctx, `UPDATE head SET seq = $1, hash = '' WHERE one = 1`, headMoved)
	}
	if err == nil {
		// An answer that is lost leaves it open which journal counts: the same command
		// finds that out and goes on from there.
		err = tx.Commit()
	}
	return j.told(err)
}

// held begins a transaction beside which nobody writes to the journal. done: it refuses
// that by itself.
func (j *Journal) held(ctx context.Context, done bool) (*sql.Tx, error) {
	tx, err := j.db.BeginTx(ctx, nil)
	if err != nil || j.server == nil || done {
		return tx, j.told(err)
	}
	err = j.server.still(ctx, tx)
	if err == nil {
		_, err = tx.ExecContext(ctx, `LOCK TABLE entries, tree, checkpoints, sent IN SHARE ROW EXCLUSIVE MODE`)
	}
	if err != nil {
		_ = tx.Rollback()
		return nil, j.lacking(err)
	}
	return tx, nil
}

// arrival is a place that a journal is carried to.
type arrival interface {
	name() string // for people
	// open opens the place; arrived: the journal of this move is there and can be used.
	open(ctx context.Context, l leaving) (j *Journal, arrived bool, err error)
	// finish lets it be used. It closes what was opened, where it has to.
	finish(ctx context.Context, j *Journal) error
}

func arrivalAt(to Where) (arrival, error) {
	if to.Address == "" {
		return inFolder(to.Folder), nil
	}
	s, err := parse(to.Address)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return &inDatabase{to.Address, s.name}, nil
}

// inFolder is a folder for a journal. It comes together in a folder of its own there.
type inFolder string

const coming = "journal-arriving"

func (f inFolder) name() string { return string(f) }

func (f inFolder) open(ctx context.Context, l leaving) (*Journal, bool, error) {
	dir, part := string(f), filepath.Join(string(f), coming)
	if _, err := os.Lstat(filepath.Join(dir, file)); err == nil {
		old, err := openAs(dir, "rw", "", true)
		if err != nil {
			return nil, false, &Taken{Path: dir, Why: "there is a journal in it already, and it cannot be read: " + err.Error()}
		}
		gone, there, err := leavingOf(ctx, old.db)
		moved := err == nil && there && gone.done
		switch {
		case moved: // it was moved away from here before: it is put aside
			_ = old.Close()
		case l.done:
			return old, true, nil
		default:
			_ = old.Close()
			return nil, false, &Taken{Path: dir, Why: "there is a journal in it already"}
		}
	}
	if err := os.MkdirAll(part, 0o700); err != nil {
		return nil, false, fmt.Errorf("make the journal: %w", err)
	}
	j, err := Open(part)
	if arriving := (*Arriving)(nil); errors.As(err, &arriving) {
		j, err = openAs(part, "rw", "", true)
	}
	if err != nil {
		return nil, false, err
	}
	tx, err := j.db.BeginTx(ctx, nil)
	if err == nil {
		defer func() { _ = tx.Rollback() }()
		if err = expect(ctx, tx, l.id); err == nil {
			err = tx.Commit()
		}
	}
	if errors.Is(err, errOtherMove) {
		_ = j.Close()
		if err := os.RemoveAll(part); err != nil { // of a move that was given up
			return nil, false, fmt.Errorf("make the journal: %w", err)
		}
		return f.open(ctx, l)
	}
	if err != nil {
		_ = j.Close()
		return nil, false, j.told(err)
	}
	return j, false, nil
}

func (f inFolder) finish(ctx context.Context, j *Journal) error {
	dir, part := string(f), filepath.Join(string(f), coming)
	_, err := j.db.ExecContext(ctx, `DELETE FROM arriving; PRAGMA wal_checkpoint(TRUNCATE)`)
	if err = errors.Join(err, j.Close()); err != nil {
		return j.told(err)
	}
	// One that was moved away from here before keeps its content under another name.
	for _, end := range []string{"", "-wal", "-shm"} {
		old := filepath.Join(dir, file+end)
		if _, err := os.Lstat(old); err == nil {
			if err := os.Rename(old, filepath.Join(dir, "journal-moved.db"+end)); err != nil {
				return err
			}
		}
	}
	if err := os.Rename(filepath.Join(part, file), filepath.Join(dir, file)); err != nil {
		return err
	}
	_ = onDisk(dir)
	return os.RemoveAll(part)
}

// inDatabase is a PostgreSQL for a journal.
type inDatabase struct{ address, shown string }

func (d *inDatabase) name() string { return d.shown }

func (d *inDatabase) open(ctx context.Context, l leaving) (*Journal, bool, error) {
	j, err := openArriving(ctx, d.address, l.id)
	if err != nil {
		return nil, false, err
	}
	id := ""
	tables, err := j.server.look(ctx)
	if err == nil {
		for _, t := range tables.thereAre {
			if t == "arriving" && err == nil {
				id, err = arrivingOf(ctx, j.db)
			}
		}
	}
	last, headErr := head(ctx, j.db)
	if err = errors.Join(err, headErr); err != nil {
		_ = j.Close()
		return nil, false, j.told(err)
	}
	switch {
	case id == l.id:
		return j, false, nil
	case id != "":
		err = &Taken{Path: d.shown, Why: errOtherMove.Error()}
	case l.done:
		return j, true, nil
	case last.Seq > 0:
		err = &Taken{Path: d.shown, Why: "there is a journal in it already; name another schema: search_path=NAME"}
	default:
		if err = j.expects(ctx, l.id); err == nil {
			return j, false, nil
		}
	}
	_ = j.Close()
	return nil, false, err
}

// expects lets an empty journal be one that is to arrive: from then on nobody writes it.
func (j *Journal) expects(ctx context.Context, id string) error {
	tx, err := j.db.BeginTx(ctx, nil)
	if err != nil {
		return j.told(err)
	}
	defer func() { _ = tx.Rollback() }()
	if err := j.server.still(ctx, tx); err != nil {
		return err
	}
	if last, err := head(ctx, tx); err != nil || last.Seq > 0 {
		return errors.Join(&Taken{Path: j.path, Why: "there is a journal in it already"}, err)
	}
	if err := expect(ctx, tx, id); err != nil {
		return j.lacking(err)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE head SET seq = $1, hash = '' WHERE one = 1`, headMoved); err != nil {
		return j.told(err)
	}
	return j.told(tx.Commit())
}

func (d *inDatabase) finish(ctx context.Context, j *Journal) error {
	tx, err := j.db.BeginTx(ctx, nil)
	if err != nil {
		return j.told(err)
	}
	defer func() { _ = tx.Rollback() }()
	last, err := head(ctx, tx)
	if err == nil {
		_, err = tx.ExecContext(ctx, `UPDATE head SET seq = $1, hash = $2 WHERE one = 1`, last.Seq, last.Hash)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, `DELETE FROM arriving`)
	}
	if err == nil {
		err = tx.Commit()
	}
	return j.told(err)
}
