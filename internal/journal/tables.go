package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"

	"github.com/jackc/pgx/v5/pgconn"
)

// Dialect is whose SQL a journal's database speaks.
type Dialect string

// The dialects. Both take $1, $2, … for values.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// DB is the database of the journal, for the further tables that Tables has made: they
// can be written in the transaction of an entry (AppendWith).
//
// SQLite has one connection: who asks for a second one while he holds a transaction or
// rows waits for ever. On PostgreSQL there are a few, values travel as text (numbers,
// texts, bools, bytes, times, and whatever is a driver.Valuer of these), and an error
// of COMMIT does not tell whether it was done: a transaction that matters writes an
// entry, by AppendWith, which finds that out. Time is the database's own there; on
// SQLite it is this machine's.
//
// Who needs the newest entry and rows of his own in one transaction takes the entry
// first, as AppendWith does: two that go about it in different orders wait for each
// other, until PostgreSQL ends one of them.
func (j *Journal) DB() (*sql.DB, Dialect) {
	if j.server != nil {
		return j.db, Postgres
	}
	return j.db, SQLite
}

// Migration is statements that bring tables from one version to the next, in each
// dialect. They run in a transaction, so none of them may begin or end one.
//
// One only adds: tables, indexes, and columns that have a default. Then a process of the
// version before goes on beside it, and that version can be started again; internal/house
// asserts it.
type Migration struct {
	SQLite   string
	Postgres string // "": the same
	// Breaks: it does more than that, or an older version that does not know it would do harm.
	// Processes of older versions end, and are not started again.
	Breaks bool
}

// Newer means that tables were made by a newer version of Rekey than this one.
type Newer struct {
	Path    string
	Name    string // of the tables
	Version int    // that they have
	Known   int    // the newest that this Rekey knows
}

func (n *Newer) Error() string {
	return fmt.Sprintf("a newer version of Rekey has been at %s: its tables for the %s are of version %d, and this one knows %d\n  next  install the version that the others use: rekey version", n.Path, n.Name, n.Version, n.Known)
}

// Unprivileged means that the role which Rekey signs in with lacks a right.
type Unprivileged struct {
	Path string
	Why  string
	SQL  string // what its owner says to grant it
}

func (u *Unprivileged) Error() string {
	return fmt.Sprintf("%s: %s\n  next  let the owner of the schema run this command once, or grant it: %s", u.Path, u.Why, u.SQL)
}

// oneName is a name of tables: their own names begin with it and _.
var oneName = regexp.MustCompile(`^[a-z][a-z0-9]{0,30}$`)

const versionsSchema = `
CREATE TABLE IF NOT EXISTS versions (
	name    TEXT PRIMARY KEY,
	version BIGINT NOT NULL
);
`

// Tables makes further tables in the journal's database or brings them up to date: the
// migrations of a name that have not been carried out yet are, in their order, all or
// none. The list of a name only ever grows. Idempotent; of several processes at once one
// does it, and the others find it done. Where nothing is to be done, a role needs no more
// than to read which version there is.
//
// Tables of a newer version will do, unless one of its migrations Breaks.
//
// Errors: *Newer, *Unprivileged (PostgreSQL: which right the role lacks), or the
// database's own.
func (j *Journal) Tables(ctx context.Context, name string, migrations ...Migration) error {
	if !oneName.MatchString(name) {
		return fmt.Errorf("make the tables for the %s: a name is of small letters and digits", name)
	}
	version, err := j.version(ctx, j.db, name)
	if err == nil && version < len(migrations) {
		version, err = j.migrate(ctx, name, migrations)
	}
	if err == nil {
		err = j.beyond(ctx, j.db, name, version, len(migrations))
	}
	if newer, ok := errors.AsType[*Newer](err); ok {
		return newer
	}
	if err != nil {
		return fmt.Errorf("make the tables for the %s: %w", name, j.lacking(err))
	}
	j.tables.Store(name, len(migrations))
	return nil
}

// HasTables tells whether the tables of a name are there, for who only looks: he makes
// none, and one who may not write can ask. Errors: *Newer, or the database's own.
func (j *Journal) HasTables(ctx context.Context, name string, migrations ...Migration) (bool, error) {
	there, err := j.hasTables(ctx, j.db, name, migrations)
	return there, j.told(err)
}

func (j *Journal) hasTables(ctx context.Context, q querier, name string, migrations []Migration) (bool, error) {
	n, err := j.version(ctx, q, name)
	if err == nil {
		err = j.beyond(ctx, q, name, n, len(migrations))
	}
	return n > 0 && err == nil, err
}

// version is which version the tables of a name have; 0 where there are none.
func (j *Journal) version(ctx context.Context, q querier, name string) (version int, err error) {
	there := `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'versions'`
	var args []any
	if j.server != nil {
		there, args = `SELECT COUNT(*) FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'versions'`, []any{j.server.schema}
	}
	n := 0
	if err := scan(ctx, q, func(rows *sql.Rows) error { return rows.Scan(&n) }, there, args...); err != nil || n == 0 {
		return 0, err
	}
	err = scan(ctx, q, func(rows *sql.Rows) error { return rows.Scan(&version) }, `SELECT version FROM versions WHERE name = $1`, name)
	return version, err
}

// migrate carries out what has not been yet, and tells which version there is then.
func (j *Journal) migrate(ctx context.Context, name string, migrations []Migration) (version int, err error) {
	tx, err := j.db.BeginTx(ctx, nil) // SQLite: which writes from the beginning, one at a time
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }()
	if j.server != nil {
		if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, j.server.key("make")); err != nil {
			return 0, err
		}
	}
	if version, err = j.version(ctx, tx, name); err != nil || version >= len(migrations) {
		return version, err // somebody else has been faster
	}
	if _, err := tx.ExecContext(ctx, versionsSchema); err != nil {
		return 0, err
	}
	for _, m := range migrations[version:] {
		statements := m.SQLite
		if j.server != nil && m.Postgres != "" {
			statements = m.Postgres
		}
		if _, err := tx.ExecContext(ctx, statements); err != nil {
			return 0, err
		}
	}
	version = len(migrations)
	for of, v := range map[string]int{name: version, name + ofLeast: least(migrations)} {
		if _, err := tx.ExecContext(ctx, `INSERT INTO versions (name, version) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET version = excluded.version`, of, v); err != nil {
			return 0, err
		}
	}
	return version, tx.Commit()
}

// lacking says which right a role lacks to make tables.
func (j *Journal) lacking(err error) error {
	if err == nil {
		return nil
	}
	var theirs *pgconn.PgError
	if j.server == nil || !errors.As(err, &theirs) || theirs.Code != "42501" {
		told := j.told(err)
		if d, ok := errors.AsType[*Damaged](told); ok && d.Why == otherTables {
			return err // a mistake in a migration says nothing of the journal
		}
		return told
	}
	s := j.server
	there, _ := scanned(j.db, `SELECT COUNT(*) FROM pg_catalog.pg_namespace WHERE nspname = $1`, s.schema)
	grant := fmt.Sprintf("GRANT CREATE ON SCHEMA %s TO %s", s.schema, s.config.User)
	if there == 0 {
		grant = fmt.Sprintf("CREATE SCHEMA %s AUTHORIZATION %s", s.schema, s.config.User)
	}
	return &Unprivileged{Path: s.name, Why: fmt.Sprintf("the role %s may not make tables there (%s)", s.config.User, theirs.Message), SQL: grant}
}

// scanned is the one number that answers.
func scanned(db *sql.DB, query string, args ...any) (n int64, err error) {
	err = db.QueryRow(query, args...).Scan(&n)
	return n, err
}
