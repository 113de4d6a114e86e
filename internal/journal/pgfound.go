package journal

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// journalVersion is the version of the journal's own tables on PostgreSQL, kept under
// the name "journal" beside those of others.
const journalVersion = 1

// oldest is the oldest PostgreSQL that has what is used here.
const oldest = 13

// Facts are what a server says of itself and of the session.
type Facts struct {
	Name      string // for people: without password
	Version   string // of the server: 16.4
	Role      string // that has signed in
	Encrypted bool   // by TLS
	Replica   bool   // it can only be read
	Makes     bool   // the role may make tables in the schema, or the schema itself
}

// looked is what one question tells of a server.
type looked struct {
	Facts
	number         int64
	brand          string
	encoding       string
	readOnly       bool
	pooled         bool
	thereAre       []string // tables
	barred         bool     // the schema is there, and this role may not use it
	blind          bool     // it may use it, and not read a table of the journal
	dropsParameter bool
}

// mine are the tables that say what a schema holds.
const mine = `'entries', 'head', 'versions', 'moved', 'arriving'`

// look asks a server what it is.
func (s *server) look(ctx context.Context) (l looked, err error) {
	c, err := s.db.Conn(ctx)
	if err != nil {
		return l, err
	}
	defer func() { _ = c.Close() }()
	var pid uint32
	if err := c.Raw(func(of any) error { pid = of.(*session).conn.PID(); return nil }); err != nil {
		return l, err
	}
	var tables string
	var backend int64
	l.Name = s.name
	err = c.QueryRowContext(ctx, `SELECT current_setting('server_version'), current_setting('server_version_num')::bigint, version(), current_setting('server_encoding'),
		current_user, pg_is_in_recovery(), current_setting('transaction_read_only') = 'on', current_setting('lock_timeout') <> '20s', pg_backend_pid()::bigint,
		COALESCE((SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_backend_pid()), false),
		NOT COALESCE(has_schema_privilege((SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1), 'USAGE'), true),
		COALESCE(has_schema_privilege((SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1), 'CREATE'), has_database_privilege(current_database(), 'CREATE')),
		COALESCE((SELECT string_agg(tablename, ' ') FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename IN (`+mine+`)), ''),
		EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = $1 AND c.relkind = 'r' AND c.relname IN (`+mine+`) AND NOT has_table_privilege(c.oid, 'SELECT'))`, s.schema).
		Scan(&l.Version, &l.number, &l.brand, &l.encoding, &l.Role, &l.Replica, &l.readOnly, &l.dropsParameter, &backend, &l.Encrypted, &l.barred, &l.Makes, &tables, &l.blind)
	l.pooled = int64(pid) != backend
	l.thereAre = strings.Fields(tables)
	l.Version, _, _ = strings.Cut(l.Version, " ")
	return l, err
}

// suits says why a server cannot hold a journal.
func (s *server) suits(l looked, writes bool) error {
	no := func(why string, next ...string) error { return &Unusable{Path: s.name, Why: why, Next: next} }
	switch {
	case !strings.HasPrefix(l.brand, "PostgreSQL "):
		first, _, _ := strings.Cut(l.brand, " ")
		return no("it is no PostgreSQL, but calls itself "+first+", and its locks may mean something else", "name a PostgreSQL, 13 or newer")
	case l.number < oldest*10_000:
		return no(fmt.Sprintf("it is PostgreSQL %s, and %d is the oldest supported", l.Version, oldest), "upgrade the server, or name another one")
	case l.pooled || l.dropsParameter:
		return no("a connection pooler (such as PgBouncer) is between here and the server; it may share sessions, so locks would not hold", "name the server itself, past the pooler")
	case l.encoding != "UTF8":
		return no(fmt.Sprintf("it is encoded as %s; a journal needs UTF8", l.encoding), "make another one: CREATE DATABASE rekey ENCODING 'UTF8' TEMPLATE template0")
	case l.barred: // whose tables then look to it as if they were not there
		return no(fmt.Sprintf("the role %s may not use the schema %s", l.Role, s.schema), "let the owner of the schema grant it: GRANT USAGE ON SCHEMA "+s.schema+" TO "+l.Role)
	case l.blind:
		return no(fmt.Sprintf("the role %s may not read the journal's tables in the schema %s", l.Role, s.schema),
			"let the owner of the schema grant it: GRANT SELECT ON ALL TABLES IN SCHEMA "+s.schema+" TO "+l.Role+"; whoever writes needs more: docs/journal.md, Least privilege")
	case writes && l.Replica:
		return no("it is a replica, which can only be read", "name the primary, or all hosts, separated by commas, with target_session_attrs=read-write")
	case writes && l.readOnly:
		return no("sessions of the role "+l.Role+" only read there", "ALTER ROLE "+l.Role+" SET default_transaction_read_only = off")
	}
	return nil
}

// found sees that the database can hold a journal, and makes or finds it. moving: for
// whoever carries journals over, one that has moved or is arriving will do.
func (j *Journal) found(ctx context.Context, writes, moving bool) error {
	s := j.server
	l, err := s.look(ctx)
	if err == nil {
		err = s.suits(l, writes)
	}
	if err != nil {
		return fmt.Errorf("open journal: %w", damaged(s.name, err))
	}
	has := func(table string) bool { return slices.Contains(l.thereAre, table) }
	switch {
	case has("entries") != has("head"):
		return &Damaged{Path: s.name, Server: true, Why: "some of its tables are missing"}
	case !has("entries") && !writes:
		return ErrNone
	case !has("entries"):
		if err := s.make(ctx, ""); err != nil {
			return fmt.Errorf("open journal: %w", j.lacking(err))
		}
	}
	if has("versions") {
		version, err := j.version(ctx, j.db, "journal")
		if err != nil {
			return fmt.Errorf("open journal: %w", damaged(s.name, err))
		}
		if version > journalVersion {
			return &Newer{Path: s.name, Name: "journal", Version: version, Known: journalVersion}
		}
	}
	if !moving {
		if err := whereabouts(ctx, s.db, s.name, has("moved"), has("arriving")); err != nil {
			return err
		}
	}
	last, err := head(ctx, s.db)
	if err != nil {
		return fmt.Errorf("open journal: %w", damaged(s.name, err))
	}
	s.known.Store(&last)
	return nil
}

// make makes the tables, all or none, one process at a time. id: a journal is to arrive
// there by this move, and until it has nobody may write; "": a new one begins.
func (s *server) make(ctx context.Context, id string) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, s.key("make")); err != nil {
		return err
	}
	var there int64
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM pg_catalog.pg_namespace WHERE nspname = $1`, s.schema).Scan(&there); err != nil {
		return err
	}
	setup := schema + treeSchema + standingSchema + headSchema + versionsSchema + fmt.Sprintf(`
INSERT INTO versions (name, version) VALUES ('journal', %d) ON CONFLICT (name) DO NOTHING;`, journalVersion)
	if there == 0 { // asked for only then: it takes a right that the role may lack
		setup = "CREATE SCHEMA " + s.schema + ";" + setup
	}
	if _, err := tx.ExecContext(ctx, setup); err != nil {
		return err
	}
	if id != "" {
		if err := expect(ctx, tx, id); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE head SET seq = $1 WHERE one = 1`, headMoved); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// Facts asks the server of a journal what it is; false: it is in a file.
func (j *Journal) Facts(ctx context.Context) (Facts, bool, error) {
	if j.server == nil {
		return Facts{}, false, nil
	}
	l, err := j.server.look(ctx)
	return l.Facts, true, j.told(err)
}

// PostgresFacts is Facts of a server on which there need be no journal. Errors: as of
// OpenExistingPostgres, ErrNone excepted.
func PostgresFacts(ctx context.Context, address string) (Facts, error) {
	s, err := parse(address)
	if err != nil {
		return Facts{}, fmt.Errorf("open journal: %w", err)
	}
	s.db = sql.OpenDB(dialer{s.config})
	defer func() { _ = s.db.Close() }()
	l, err := s.look(ctx)
	if err == nil {
		err = s.suits(l, false)
	}
	return l.Facts, damaged(s.name, err)
}

// String says what the server is, and who works there.
func (f Facts) String() string {
	out := "PostgreSQL " + f.Version + ", as " + f.Role
	if f.Encrypted {
		out += ", encrypted"
	}
	if f.Replica {
		out += ", a replica"
	}
	return out
}

// writing are the tables of a journal with what a writer does to each.
const writing = `('entries', 'INSERT'), ('tree', 'INSERT'), ('checkpoints', 'INSERT'), ('sent', 'INSERT'), ('standing', 'INSERT'), ('standing', 'UPDATE'), ('head', 'UPDATE')`

// Writable tells, without writing, whether the role that has signed in may do what a
// writer does: *Unprivileged says what it lacks. Of a file it says nothing.
func (j *Journal) Writable(ctx context.Context) error {
	if j.server == nil {
		return nil
	}
	s := j.server
	var lacks string
	err := j.db.QueryRowContext(ctx, `SELECT COALESCE(string_agg('GRANT ' || r.what || ' ON ' || $1 || '.' || r.name || ' TO ' || current_user, '; '), '')
		FROM (VALUES `+writing+`) AS r (name, what) WHERE NOT has_table_privilege($1 || '.' || r.name, r.what)`, s.schema).Scan(&lacks)
	if err != nil {
		return j.told(err)
	}
	if lacks != "" {
		return &Unprivileged{Path: s.name, Why: "the role " + s.config.User + " may not write the journal there", SQL: lacks}
	}
	return nil
}
