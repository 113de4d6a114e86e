package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

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
