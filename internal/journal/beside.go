package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// besideTables hold what belongs to a journal that several machines share, and is no
// entry: public keys, check values of keys that are kept elsewhere, and marks. None of
// it is secret. They are further tables, of the name "beside".
var besideTables = []Migration{{SQLite: `
CREATE TABLE beside_keys (
	n      BIGINT PRIMARY KEY,
	public TEXT NOT NULL UNIQUE
);
CREATE TABLE beside_checks (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
);
CREATE TABLE beside_marks (
	name TEXT PRIMARY KEY,
	body TEXT NOT NULL
);
`}}

// Beside makes the tables for what Keys, Check and Mark keep. Idempotent. Errors: those
// of Tables.
func (j *Journal) Beside(ctx context.Context) error { return j.Tables(ctx, "beside", besideTables...) }

func (j *Journal) hasBeside(ctx context.Context, q querier) (bool, error) {
	return j.hasTables(ctx, q, "beside", besideTables)
}

// Keys are the public keys that have signed checkpoints, oldest first.
func (j *Journal) Keys(ctx context.Context) (out []string, err error) {
	there, err := j.hasBeside(ctx, j.db)
	if err != nil || !there {
		return nil, j.told(err)
	}
	err = scan(ctx, j.db, func(r *sql.Rows) error {
		var k string
		err := r.Scan(&k)
		out = append(out, k)
		return err
	}, `SELECT public FROM beside_keys ORDER BY n`)
	return out, j.told(err)
}

// ErrOtherKey means that another key was kept first.
var ErrOtherKey = errors.New("another key was kept first")

// AddKey keeps a public key. Idempotent. first: only if there is none yet, or this one;
// otherwise ErrOtherKey.
func (j *Journal) AddKey(ctx context.Context, public string, first bool) error {
	if err := j.Beside(ctx); err != nil {
		return err
	}
	tx, err := j.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("keep a public key: %w", j.told(err))
	}
	defer func() { _ = tx.Rollback() }()
	if j.server != nil { // one after the other, as on SQLite
		if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, j.server.key("keys")); err != nil {
			return fmt.Errorf("keep a public key: %w", j.told(err))
		}
	}
	var n, same int64
	err = tx.QueryRowContext(ctx, `SELECT COUNT(*), COUNT(CASE WHEN public = $1 THEN 1 END) FROM beside_keys`, public).Scan(&n, &same)
	switch {
	case err != nil:
		return fmt.Errorf("keep a public key: %w", j.told(err))
	case same > 0:
		return nil
	case first && n > 0:
		return ErrOtherKey
	}
	if _, err = tx.ExecContext(ctx, `INSERT INTO beside_keys (n, public) SELECT COALESCE(MAX(n), 0) + 1, $1 FROM beside_keys`, public); err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("keep a public key: %w", j.told(err))
	}
	return nil
}

// CheckOf returns the check value that is kept under a name; "": none.
func (j *Journal) CheckOf(ctx context.Context, name string) (value string, err error) {
	there, err := j.hasBeside(ctx, j.db)
	if err == nil && there {
		err = scan(ctx, j.db, func(r *sql.Rows) error { return r.Scan(&value) }, `SELECT value FROM beside_checks WHERE name = $1`, name)
	}
	return value, j.told(err)
}

// Check keeps a check value unless there is one, and returns the one that there is then:
// of several processes at once, all get the same.
func (j *Journal) Check(ctx context.Context, name, value string) (kept string, err error) {
	if err := j.Beside(ctx); err != nil {
		return "", err
	}
	if _, err := j.db.ExecContext(ctx, `INSERT INTO beside_checks (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name, value); err != nil {
		return "", fmt.Errorf("keep a check value: %w", j.told(err))
	}
	return j.CheckOf(ctx, name)
}

// ChangeCheck replaces a check value in the transaction of AppendWith.
func ChangeCheck(ctx context.Context, tx *sql.Tx, name, value string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO beside_checks (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}

// MarkOf returns what is kept under a name; "": nothing.
func (j *Journal) MarkOf(ctx context.Context, name string) (body string, err error) {
	there, err := j.hasBeside(ctx, j.db)
	if err == nil && there {
		err = scan(ctx, j.db, func(r *sql.Rows) error { return r.Scan(&body) }, `SELECT body FROM beside_marks WHERE name = $1`, name)
	}
	return body, j.told(err)
}

// Mark keeps something under a name, in the place of what was there; "" forgets it.
func (j *Journal) Mark(ctx context.Context, name, body string) error {
	var err error
	if body == "" {
		_, err = j.db.ExecContext(ctx, `DELETE FROM beside_marks WHERE name = $1`, name)
	} else {
		_, err = j.db.ExecContext(ctx, `INSERT INTO beside_marks (name, body) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET body = excluded.body`, name, body)
	}
	return j.told(err)
}

// MarkTime keeps a time under a name, and makes the tables for that where there are none.
func (j *Journal) MarkTime(ctx context.Context, name string, at time.Time) error {
	if err := j.Beside(ctx); err != nil {
		return err
	}
	return j.Mark(ctx, name, at.UTC().Format(time.RFC3339))
}

// TimeOf returns the time that is kept under a name; the zero time: none.
func (j *Journal) TimeOf(ctx context.Context, name string) (at time.Time, err error) {
	body, err := j.MarkOf(ctx, name)
	if err != nil || body == "" {
		return at, err
	}
	return time.Parse(time.RFC3339, body)
}

// besideTo carries what is kept beside the entries into another journal.
func (j *Journal) besideTo(ctx context.Context, from querier, to *Journal) error {
	there, err := j.hasBeside(ctx, from)
	if err != nil || !there {
		return err
	}
	if err := to.Beside(ctx); err != nil {
		return &elsewhere{err}
	}
	for _, t := range []struct{ table, a, b string }{{"beside_checks", "name", "value"}, {"beside_marks", "name", "body"}} {
		w := &rows{to: to, table: t.table, columns: []string{t.a, t.b}}
		err := scan(ctx, from, func(r *sql.Rows) error {
			var a, b string
			if err := r.Scan(&a, &b); err != nil {
				return err
			}
			return w.add(ctx, a, b)
		}, `SELECT `+t.a+`, `+t.b+` FROM `+t.table)
		if err == nil {
			err = w.write(ctx)
		}
		if err != nil {
			return err
		}
	}
	var keys []string
	err = scan(ctx, from, func(r *sql.Rows) error {
		var k string
		err := r.Scan(&k)
		keys = append(keys, k)
		return err
	}, `SELECT public FROM beside_keys ORDER BY n`)
	for _, k := range keys {
		if err == nil {
			err = to.AddKey(ctx, k, false)
		}
	}
	return err
}
