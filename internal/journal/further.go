package journal

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// Further are tables beside the entries that go with the journal when it is moved: those
// of a name (Tables), or some of them.
type Further struct {
	Name       string
	Migrations []Migration
	Tables     []string
}

// Make makes them, or brings them up to date: see Journal.Tables.
func (f Further) Make(ctx context.Context, j *Journal) error {
	return j.Tables(ctx, f.Name, f.Migrations...)
}

// furtherTo carries them as they are in this moment; what the other place has of an
// earlier stay is out of date. Nothing is changed here any more afterwards: what would be
// would be lost.
func (j *Journal) furtherTo(ctx context.Context, tx *sql.Tx, dest *Journal, all []Further, l leaving, at time.Time) error {
	for _, f := range all {
		version, err := j.version(ctx, tx, f.Name)
		if err != nil || version == 0 {
			if err != nil {
				return err
			}
			continue
		}
		if version > len(f.Migrations) {
			return &Newer{Path: j.path, Name: f.Name, Version: version, Known: len(f.Migrations)}
		}
		if err := f.Make(ctx, dest); err != nil {
			return &elsewhere{err}
		}
		for _, table := range f.Tables {
			if err := j.table(ctx, tx, dest, table); err != nil {
				return err
			}
			if l.done {
				continue
			}
			for _, statement := range j.closing(table, l.to, at) {
				if _, err := tx.ExecContext(ctx, statement); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// closing lets a table refuse what would be changed in it.
func (j *Journal) closing(table, to string, at time.Time) (out []string) {
	if j.server != nil {
		return []string{`ALTER TABLE ` + table + ` DROP CONSTRAINT IF EXISTS moved`, `ALTER TABLE ` + table + ` ADD CONSTRAINT moved CHECK (false) NOT VALID`}
	}
	for _, what := range []string{"INSERT", "UPDATE"} {
		out = append(out, fmt.Sprintf(`CREATE TRIGGER IF NOT EXISTS moved_%s_%s BEFORE %[2]s ON %[1]s BEGIN SELECT RAISE(ABORT, '%s'); END`, table, what, barredText(to, at)))
	}
	return out
}

// reopening takes that back in a place to which the journal returns.
func (j *Journal) reopening(table string) []string {
	if j.server != nil {
		return []string{`ALTER TABLE ` + table + ` DROP CONSTRAINT IF EXISTS moved`}
	}
	return []string{`DROP TRIGGER IF EXISTS moved_` + table + `_INSERT`, `DROP TRIGGER IF EXISTS moved_` + table + `_UPDATE`}
}

func (j *Journal) table(ctx context.Context, tx *sql.Tx, dest *Journal, table string) error {
	if j.server != nil {
		if _, err := tx.ExecContext(ctx, `LOCK TABLE `+table+` IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
	}
	for _, statement := range append(dest.reopening(table), `DELETE FROM `+table) {
		if _, err := dest.db.ExecContext(ctx, statement); err != nil {
			return &elsewhere{dest.told(err)}
		}
	}
	w := &rows{to: dest, table: table}
	err := scan(ctx, tx, func(r *sql.Rows) (err error) {
		if w.columns == nil {
			if w.columns, err = r.Columns(); err != nil {
				return err
			}
		}
		texts := make([]string, len(w.columns)) // numbers too: each database takes them as its column wants
		into, values := make([]any, len(texts)), make([]any, len(texts))
		for i := range texts {
			into[i] = &texts[i]
		}
		if err := r.Scan(into...); err != nil {
			return err
		}
		for i := range texts {
			values[i] = texts[i]
		}
		return w.add(ctx, values...)
	}, `SELECT * FROM `+table)
	if err == nil {
		err = w.write(ctx)
	}
	return err
}

// barredText is what a file says, as a text of SQL's.
func barredText(to string, at time.Time) string {
	return strings.ReplaceAll(barred+to+" at "+at.UTC().Format(time.RFC3339)+", and nothing more is written here", "'", "''")
}

// Again opens the same journal once more, knowing nothing of what was seen of it before: one
// that has missed entries (*Replaced) writes nothing more. The caller closes it.
func (j *Journal) Again(ctx context.Context) (*Journal, error) {
	if j.server == nil {
		return Open(filepath.Dir(j.path))
	}
	again := of(&server{name: j.server.name, schema: j.server.schema, config: j.server.config.Copy()})
	return opened(again, again.found(ctx, true, false))
}

// Whereabouts refuses a journal that was moved away since it was opened (*Moved), and one on
// a server that has lost entries which this process has seen (*Replaced): the database failed
// over to a standby that was behind, or was restored. It reads three rows.
func (j *Journal) Whereabouts(ctx context.Context) error {
	there := `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'moved'`
	var args []any
	if j.server != nil {
		there, args = `SELECT COUNT(*) FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'moved'`, []any{j.server.schema}
	}
	n, err := scanned(j.db, there, args...)
	if err != nil {
		return j.told(err)
	}
	if n > 0 {
		if err := whereabouts(ctx, j.db, j.path, true, false); err != nil {
			return err
		}
	}
	if j.server != nil {
		return j.server.stays(ctx)
	}
	return nil
}
