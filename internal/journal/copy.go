package journal

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Bounds of what is carried at once: what is in memory is never more than that.
const (
	rowsAtOnce  = 500
	bytesAtOnce = 4 << 20
)

// rows are rows of one table that are written together.
type rows struct {
	to      *Journal
	table   string
	columns []string
	values  []any
	bytes   int
}

// add adds a row, and writes what has come together once it is enough.
func (r *rows) add(ctx context.Context, values ...any) error {
	for _, v := range values {
		if s, ok := v.(string); ok {
			r.bytes += len(s)
		}
	}
	r.values = append(r.values, values...)
	if len(r.values) < rowsAtOnce*len(r.columns) && r.bytes < bytesAtOnce {
		return nil
	}
	return r.write(ctx)
}

// write writes what has come together; what is there already stays as it is.
func (r *rows) write(ctx context.Context) error {
	if len(r.values) == 0 {
		return nil
	}
	write := r.each
	if r.to.server != nil {
		write = r.atOnce
	}
	err := write(ctx)
	r.values, r.bytes = r.values[:0], 0
	if err != nil {
		return &elsewhere{r.to.told(err)}
	}
	return nil
}

// atOnce writes all by one statement: a server is asked once.
func (r *rows) atOnce(ctx context.Context) error {
	marks, n := make([]string, 0, len(r.values)/len(r.columns)), 0
	for range len(r.values) / len(r.columns) {
		row := make([]string, len(r.columns))
		for i := range row {
			n++
			row[i] = fmt.Sprintf("$%d", n)
		}
		marks = append(marks, "("+strings.Join(row, ", ")+")")
	}
	_, err := r.to.db.ExecContext(ctx, r.into()+strings.Join(marks, ", ")+" ON CONFLICT DO NOTHING", r.values...)
	return err
}

func (r *rows) into() string {
	return "INSERT INTO " + r.table + " (" + strings.Join(r.columns, ", ") + ") VALUES "
}

// each writes row by row in one transaction: SQLite takes longer to read a statement of
// thousands of values than to write them.
func (r *rows) each(ctx context.Context) error {
	tx, err := r.to.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	one, err := tx.PrepareContext(ctx, r.into()+"("+strings.TrimSuffix(strings.Repeat("?, ", len(r.columns)), ", ")+") ON CONFLICT DO NOTHING")
	if err != nil {
		return err
	}
	for n := len(r.columns); n <= len(r.values); n += len(r.columns) {
		if _, err := one.ExecContext(ctx, r.values[n-len(r.columns):n]...); err != nil {
			return err
		}
	}
	return errors.Join(one.Close(), tx.Commit())
}

// elsewhere is an error of the database that is written, and not of the one that is read.
type elsewhere struct{ error }

func (e *elsewhere) Unwrap() error { return e.error }

// told names the database in an error of the one that is read; one that is written has
// named itself.
func (d *duplicate) told(err error) error {
	if e, ok := errors.AsType[*elsewhere](err); ok {
		return e.error
	}
	return damaged(d.of, err)
}

// duplicate carries what one database holds into another one, in pieces; what is there
// already is not carried again.
type duplicate struct {
	from querier
	of   string // the name of what is carried, for errors
	to   *Journal
	last Entry       // the newest that is there
	tell func(int64) // of the entries that are there; nil: nobody
}

// entries carries the entries that are missing, each held against the one before it.
func (d *duplicate) entries(ctx context.Context) error {
	w := &rows{to: d.to, table: "entries", columns: strings.Split(columns, ", ")}
	last := d.last
	err := each(ctx, d.from, func(e Entry) error {
		if err := e.Follows(last); err != nil {
			return err
		}
		last = e
		if err := w.add(ctx, e.Seq, e.At.UTC().Format(time.RFC3339Nano), e.Run, e.Subject, e.Kind, string(e.Body), e.Prev, e.Hash); err != nil {
			return err
		}
		if d.tell != nil && len(w.values) == 0 {
			d.tell(last.Seq)
		}
		return nil
	}, `SELECT `+columns+` FROM entries WHERE seq > $1 ORDER BY seq`, last.Seq)
	if err == nil {
		err = w.write(ctx)
	}
	if err != nil {
		return err
	}
	d.last = last
	return nil
}

// beside carries tree, checkpoints, and what was sent.
func (d *duplicate) beside(ctx context.Context) error {
	kept := map[int64]int64{} // the newest that is there, by level
	err := scan(ctx, d.to.db, func(r *sql.Rows) error {
		var level, n int64
		err := r.Scan(&level, &n)
		kept[level] = n
		return err
	}, `SELECT level, MAX(n) FROM tree GROUP BY level`)
	if err != nil {
		return &elsewhere{d.to.told(err)}
	}
	w := &rows{to: d.to, table: "tree", columns: []string{"level", "n", "hash"}}
	err = scan(ctx, d.from, func(r *sql.Rows) error {
		var level, n int64
		var hash string
		if err := r.Scan(&level, &n, &hash); err != nil {
			return err
		}
		if newest, some := kept[level]; some && n <= newest {
			return nil
		}
		return w.add(ctx, level, n, hash)
	}, `SELECT level, n, hash FROM tree ORDER BY level, n`)
	if err == nil {
		err = w.write(ctx)
	}
	if err != nil {
		return err
	}
	w = &rows{to: d.to, table: "checkpoints", columns: []string{"id", "size", "made", "note"}}
	err = scan(ctx, d.from, func(r *sql.Rows) error {
		var id, size int64
		var made, note string
		if err := r.Scan(&id, &size, &made, &note); err != nil {
			return err
		}
		return w.add(ctx, id, size, made, note)
	}, `SELECT id, size, made, note FROM checkpoints ORDER BY id`)
	if err == nil {
		err = w.write(ctx)
	}
	if err != nil {
		return err
	}
	w = &rows{to: d.to, table: "sent", columns: []string{"sink", "checkpoint", "at"}}
	err = scan(ctx, d.from, func(r *sql.Rows) error {
		var sink, at string
		var checkpoint int64
		if err := r.Scan(&sink, &checkpoint, &at); err != nil {
			return err
		}
		return w.add(ctx, sink, checkpoint, at)
	}, `SELECT sink, checkpoint, at FROM sent ORDER BY sink, checkpoint`)
	if err == nil {
		err = w.write(ctx)
	}
	return err
}

// all carries everything that is missing.
func (d *duplicate) all(ctx context.Context) error {
	if err := d.entries(ctx); err != nil {
		return d.told(err)
	}
	return d.told(d.beside(ctx))
}

// everything but the entries.
var everything = []string{
	`SELECT level, n, hash FROM tree`,
	`SELECT id, size, made || ' ' || note FROM checkpoints`,
	`SELECT checkpoint, 0, sink || ' ' || at FROM sent`,
}

// sumOf is one sum over tree, checkpoints and what was sent, in whatever order the
// database tells it: no row is there twice.
func sumOf(ctx context.Context, q querier) (string, error) {
	var sum [sha256.Size]byte
	for i, query := range everything {
		err := scan(ctx, q, func(r *sql.Rows) error {
			var a, b int64
			var text string
			if err := r.Scan(&a, &b, &text); err != nil {
				return err
			}
			row := sha256.Sum256(fmt.Appendf(nil, "%d %d %d %s", i, a, b, text))
			subtle.XORBytes(sum[:], sum[:], row[:])
			return nil
		}, query)
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum[:]), nil
}

// same fails unless both hold the same; of the entries the newest one says it.
func (d *duplicate) same(ctx context.Context) error {
	theirs, err := head(ctx, d.from)
	if err != nil {
		return d.told(err)
	}
	ours, err := head(ctx, d.to.db)
	if err != nil {
		return d.to.told(err)
	}
	if theirs.Seq != ours.Seq || theirs.Hash != ours.Hash {
		return fmt.Errorf("what was carried over ends with entry %d (%.12s), and %s with entry %d (%.12s)", ours.Seq, ours.Hash, d.of, theirs.Seq, theirs.Hash)
	}
	was, err := sumOf(ctx, d.from)
	if err != nil {
		return d.told(err)
	}
	is, err := sumOf(ctx, d.to.db)
	if err != nil {
		return d.to.told(err)
	}
	if was != is {
		return fmt.Errorf("the tree or the checkpoints that were carried over are not those of %s", d.of)
	}
	return nil
}
