package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// treeSchema is beside the entries and can be made anew from them, the
// checkpoints excepted.
const treeSchema = `
CREATE TABLE IF NOT EXISTS tree (
	level BIGINT NOT NULL,
	n     BIGINT NOT NULL,
	hash  TEXT NOT NULL,
	PRIMARY KEY (level, n)
);
CREATE TABLE IF NOT EXISTS checkpoints (
	id   BIGINT PRIMARY KEY,
	size BIGINT NOT NULL,
	made TEXT NOT NULL,
	note TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS sent (
	sink       TEXT NOT NULL,
	checkpoint BIGINT NOT NULL,
	at         TEXT NOT NULL,
	PRIMARY KEY (sink, checkpoint)
);
`

// Checkpoint is a signed note about the first Size entries, as it is kept.
type Checkpoint struct {
	ID   int64     `json:"id"` // from 1, in the order of making
	Size int64     `json:"size"`
	Made time.Time `json:"made"` // by this machine's clock
	Note string    `json:"note"`
}

// Sending is how far a sink has come.
type Sending struct {
	ID int64     `json:"id"` // of the newest checkpoint that it has
	At time.Time `json:"at"`
}

// Tree is the journal inside one transaction, for whoever tends its tree.
type Tree struct {
	ctx context.Context
	tx  *sql.Tx
}

// Tend runs f in one transaction: all that it keeps, or nothing. Others wait.
func (j *Journal) Tend(ctx context.Context, f func(*Tree) error) error {
	tx, err := j.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("tend the journal's tree: %w", j.told(err))
	}
	defer func() { _ = tx.Rollback() }()
	if j.server != nil {
		if err := j.server.still(ctx, tx); err != nil {
			return err
		}
	}
	if err := f(&Tree{ctx, tx}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("tend the journal's tree: %w", j.told(err))
	}
	return nil
}

// Head returns the newest entry; the zero Entry if there is none.
func (t *Tree) Head() (Entry, error) { return head(t.ctx, t.tx) }

// Entries returns the entries from..to (both included) that there are.
func (t *Tree) Entries(from, to int64) ([]Entry, error) {
	var out []Entry
	err := each(t.ctx, t.tx, func(e Entry) error { out = append(out, e); return nil },
		`SELECT `+columns+` FROM entries WHERE seq >= $1 AND seq <= $2 ORDER BY seq`, from, to)
	return out, err
}

// Hash returns a kept hash; "" if it is not kept.
func (t *Tree) Hash(level int, n int64) (string, error) {
	var h string
	err := t.tx.QueryRowContext(t.ctx, `SELECT hash FROM tree WHERE level = $1 AND n = $2`, level, n).Scan(&h)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return h, err
}

// Kept counts the hashes of a level.
func (t *Tree) Kept(level int) (n int64, err error) {
	err = t.tx.QueryRowContext(t.ctx, `SELECT COUNT(*) FROM tree WHERE level = $1`, level).Scan(&n)
	return n, err
}

// Keep keeps a hash; keeping it twice is an error.
func (t *Tree) Keep(level int, n int64, hash string) error {
	_, err := t.tx.ExecContext(t.ctx, `INSERT INTO tree (level, n, hash) VALUES ($1, $2, $3)`, level, n, hash)
	return err
}

// Newest returns the newest checkpoint; ok is false if there is none.
func (t *Tree) Newest() (c Checkpoint, ok bool, err error) {
	list, err := checkpoints(t.ctx, t.tx, ` ORDER BY id DESC LIMIT 1`)
	if err != nil || len(list) == 0 {
		return c, false, err
	}
	return list[0], true, nil
}

// Add keeps a checkpoint and gives it its id.
func (t *Tree) Add(c Checkpoint) (Checkpoint, error) {
	last, _, err := t.Newest()
	if err != nil {
		return c, err
	}
	c.ID = last.ID + 1
	_, err = t.tx.ExecContext(t.ctx, `INSERT INTO checkpoints (id, size, made, note) VALUES ($1, $2, $3, $4)`,
		c.ID, c.Size, c.Made.UTC().Format(time.RFC3339Nano), c.Note)
	return c, err
}

func checkpoints(ctx context.Context, q querier, rest string, args ...any) ([]Checkpoint, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, size, made, note FROM checkpoints`+rest, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []Checkpoint
	for rows.Next() {
		var c Checkpoint
		var made string
		if err := rows.Scan(&c.ID, &c.Size, &made, &c.Note); err != nil {
			return nil, err
		}
		c.Made, _ = time.Parse(time.RFC3339Nano, made) // a damaged time is none; the note is what counts
		out = append(out, c)
	}
	return out, rows.Err()
}

// hasTree tells whether the journal is of a version that keeps checkpoints.
func (j *Journal) hasTree(ctx context.Context) bool {
	var n int64
	return j.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM checkpoints LIMIT 1) AS any_of_them`).Scan(&n) == nil
}

// Checkpoints returns all checkpoints, oldest first; none for a journal of a
// version that knew of none.
func (j *Journal) Checkpoints(ctx context.Context) ([]Checkpoint, error) {
	if !j.hasTree(ctx) {
		return nil, nil
	}
	out, err := checkpoints(ctx, j.db, ` ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read checkpoints: %w", j.told(err))
	}
	return out, nil
}

// CheckpointsAfter returns the checkpoints that were made after the one with this id,
// oldest first.
func (j *Journal) CheckpointsAfter(ctx context.Context, id int64) ([]Checkpoint, error) {
	if !j.hasTree(ctx) {
		return nil, nil
	}
	out, err := checkpoints(ctx, j.db, ` WHERE id > $1 ORDER BY id`, id)
	if err != nil {
		return nil, fmt.Errorf("read checkpoints: %w", j.told(err))
	}
	return out, nil
}

// Newest returns the newest checkpoint; ok is false if there is none.
func (j *Journal) Newest(ctx context.Context) (c Checkpoint, ok bool, err error) {
	if !j.hasTree(ctx) {
		return c, false, nil
	}
	list, err := checkpoints(ctx, j.db, ` ORDER BY id DESC LIMIT 1`)
	if err != nil {
		return c, false, fmt.Errorf("read checkpoints: %w", j.told(err))
	}
	if len(list) == 0 {
		return c, false, nil
	}
	return list[0], true, nil
}

// Sent returns how far each sink has come, by its name.
func (j *Journal) Sent(ctx context.Context) (map[string]Sending, error) {
	out := map[string]Sending{}
	if !j.hasTree(ctx) {
		return out, nil
	}
	rows, err := j.db.QueryContext(ctx, `SELECT sink, checkpoint, at FROM sent ORDER BY checkpoint`)
	if err != nil {
		return nil, fmt.Errorf("read what was sent: %w", j.told(err))
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var sink, at string
		var s Sending
		if err := rows.Scan(&sink, &s.ID, &at); err != nil {
			return nil, fmt.Errorf("read what was sent: %w", j.told(err))
		}
		s.At, _ = time.Parse(time.RFC3339Nano, at)
		out[sink] = s
	}
	return out, j.told(rows.Err())
}

// SentTo returns how far a sink has come; the zero Sending where it has none yet.
func (j *Journal) SentTo(ctx context.Context, sink string) (s Sending, err error) {
	if !j.hasTree(ctx) {
		return s, nil
	}
	var at string
	err = j.db.QueryRowContext(ctx, `SELECT checkpoint, at FROM sent WHERE sink = $1 ORDER BY checkpoint DESC LIMIT 1`, sink).Scan(&s.ID, &at)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Sending{}, nil
	case err != nil:
		return s, fmt.Errorf("read what was sent: %w", j.told(err))
	}
	s.At, _ = time.Parse(time.RFC3339Nano, at)
	return s, nil
}

// MarkSent notes that a sink has a checkpoint. Idempotent.
func (j *Journal) MarkSent(ctx context.Context, sink string, id int64, at time.Time) error {
	_, err := j.db.ExecContext(ctx, `INSERT INTO sent (sink, checkpoint, at) VALUES ($1, $2, $3) ON CONFLICT (sink, checkpoint) DO NOTHING`,
		sink, id, at.UTC().Format(time.RFC3339Nano))
	if err != nil {
		return fmt.Errorf("note what was sent: %w", j.told(err))
	}
	return nil
}

// KeptHash is one kept hash of the tree.
type KeptHash struct {
	Level int
	N     int64
	Hash  string
}

// KeptHashes returns all kept hashes of the tree, for their verification.
func (j *Journal) KeptHashes(ctx context.Context) ([]KeptHash, error) {
	if !j.hasTree(ctx) {
		return nil, nil
	}
	rows, err := j.db.QueryContext(ctx, `SELECT level, n, hash FROM tree ORDER BY level, n`)
	if err != nil {
		return nil, fmt.Errorf("read the journal's tree: %w", j.told(err))
	}
	defer func() { _ = rows.Close() }()
	var out []KeptHash
	for rows.Next() {
		var k KeptHash
		if err := rows.Scan(&k.Level, &k.N, &k.Hash); err != nil {
			return nil, fmt.Errorf("read the journal's tree: %w", j.told(err))
		}
		out = append(out, k)
	}
	return out, j.told(rows.Err())
}

// Each calls f for every entry, in order, without holding them all.
func (j *Journal) Each(ctx context.Context, f func(Entry) error) error {
	return j.told(each(ctx, j.db, f, `SELECT `+columns+` FROM entries ORDER BY seq`))
}
