package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
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
	// Further are tables beside the entries that go with them, as they are when the old
	// journal refuses writes; it refuses what would be changed in them from then on.
	Further []Further
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
	if err := j.furtherTo(ctx, tx, dest, c.Further, l, c.At); err != nil {
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
