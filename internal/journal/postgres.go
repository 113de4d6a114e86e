package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrUnknown means that it is not known whether an entry was written: the server did
// not answer, and could not be asked either.
var ErrUnknown = errors.New("whether the entry was written is not known: the database did not answer")

// headSchema keeps one row, which whoever writes holds until he is done: so there is
// one order of writers, and the chain cannot fork. It names the newest entry, so that
// one that was taken off the end is missed.
const headSchema = `
CREATE TABLE IF NOT EXISTS head (
	one  BIGINT PRIMARY KEY CHECK (one = 1),
	seq  BIGINT NOT NULL,
	hash TEXT NOT NULL
);
INSERT INTO head (one, seq, hash) VALUES (1, 0, '') ON CONFLICT (one) DO NOTHING;
`

// server is a journal's PostgreSQL.
type server struct {
	name   string // for people: without password
	schema string
	db     *sql.DB
	config *pgconn.Config
	known  atomic.Pointer[Entry] // the newest entry that this process has seen there
	locks  locks
}

// mostSessions bounds how many sessions one process has, beside the one of its locks.
const mostSessions = 8

// How long things may take, at most.
const (
	writeWithin = time.Minute      // an append, with the wait for others
	knownWithin = 45 * time.Second // to find out what became of one
	askAgain    = 100 * time.Millisecond
)

// OpenPostgres opens the journal in a PostgreSQL database (13 or newer, encoded as
// UTF8), making its tables if need be. Its address is
// postgres://USER:PASSWORD@HOST:PORT/DATABASE, with the options that libpq knows
// [postgresql.org/docs/current/libpq-connect.html]; without sslmode the server's
// certificate is verified, unless it is on this machine. The tables are in the schema
// rekey, or in the one that search_path names.
//
// An append returns when the server has it on disk. A lock lives as long as this
// process's session with the server; an append after it was lost is refused (ErrLost).
// Needed is a direct connection: a pooler that shares sessions out (PgBouncer's
// transaction mode) is refused by the server's or the pooler's answer.
func OpenPostgres(ctx context.Context, address string) (*Journal, error) {
	return openPostgres(ctx, address, true)
}

// OpenExistingPostgres opens a journal for reading, in sessions that can write nothing,
// and refuses to make one: a role that may only read is enough. ErrNone: there is none.
func OpenExistingPostgres(ctx context.Context, address string) (*Journal, error) {
	return openPostgres(ctx, address, false)
}

func openPostgres(ctx context.Context, address string, writes bool) (*Journal, error) {
	s, err := parse(address)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if !writes {
		s.config.RuntimeParams["default_transaction_read_only"] = "on"
	}
	s.db = sql.OpenDB(dialer{s.config})
	s.db.SetMaxOpenConns(mostSessions)
	s.db.SetConnMaxIdleTime(time.Minute)
	s.locks.server = s
	j := &Journal{View: View{q: s.db, path: s.name}, db: s.db, server: s, whole: writes}
	if err := s.prepare(ctx, writes); err != nil {
		_ = s.db.Close()
		return nil, err
	}
	return j, nil
}

// oneSchema is a name that means the same with quotes and without.
var oneSchema = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// parse reads an address. No error repeats it: it holds a password.
func parse(address string) (*server, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, errors.New("the database's address is not postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	q := u.Query()
	if u.User.Username() == "" || strings.Trim(u.Path, "/") == "" || u.Host == "" && q.Get("host") == "" {
		return nil, errors.New("the database's address has to name user, host and database: postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	switch mode := q.Get("sslmode"); {
	case mode == "allow" || mode == "prefer":
		return nil, fmt.Errorf("sslmode=%s goes on in clear where the server wants it: take verify-full", mode)
	case mode == "" && here(u.Hostname(), q.Get("host")):
		q.Set("sslmode", "disable")
	case mode == "":
		q.Set("sslmode", "verify-full")
	}
	u.RawQuery = q.Encode()
	c, err := pgconn.ParseConfig(u.String())
	if err != nil {
		return nil, errors.New("the database's address has an option or a file that cannot be read")
	}
	s := &server{config: c, schema: "rekey"}
	if named := c.RuntimeParams["search_path"]; named != "" {
		s.schema = named
	}
	if !oneSchema.MatchString(s.schema) {
		return nil, errors.New("search_path names one schema, of small letters, digits and _")
	}
	s.name = fmt.Sprintf("postgres://%s/%s (schema %s)", net.JoinHostPort(c.Host, fmt.Sprint(c.Port)), c.Database, s.schema)
	for name, value := range map[string]string{
		"application_name": "rekey", "client_encoding": "UTF8", "search_path": s.schema, "TimeZone": "UTC", "DateStyle": "ISO",
		"synchronous_commit": "on", "standard_conforming_strings": "on", "lock_timeout": "20s", "idle_in_transaction_session_timeout": "30s",
		// A machine that has vanished frees its locks.
		"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
	} {
		c.RuntimeParams[name] = value
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 15 * time.Second
	}
	// A server that has vanished is missed.
	c.DialFunc = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}}).DialContext
	return s, nil
}

// here tells whether all that was named is on this machine.
func here(host, option string) bool {
	if option != "" {
		host = option
	}
	ip := net.ParseIP(host)
	return strings.HasPrefix(host, "/") || host == "localhost" || ip != nil && ip.IsLoopback()
}

// prepare sees that the database can hold a journal, and makes or finds it.
func (s *server) prepare(ctx context.Context, writes bool) error {
	var encoding string
	var tables int64
	err := s.db.QueryRowContext(ctx, `SELECT current_setting('server_encoding'), (SELECT COUNT(*) FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename IN ('entries', 'head'))`, s.schema).Scan(&encoding, &tables)
	switch {
	case err != nil:
		return fmt.Errorf("open journal: %w", damaged(s.name, err))
	case encoding != "UTF8":
		return fmt.Errorf("open journal: %s is encoded as %s; a journal needs UTF8", s.name, encoding)
	case tables == 1:
		return &Damaged{Path: s.name, Server: true, Why: "some of its tables are missing"}
	case tables == 0 && !writes:
		return ErrNone
	case tables == 0:
		if err := s.make(ctx); err != nil {
			return fmt.Errorf("open journal: %w", damaged(s.name, err))
		}
	}
	last, err := head(ctx, s.db)
	if err != nil {
		return fmt.Errorf("open journal: %w", damaged(s.name, err))
	}
	s.known.Store(&last)
	return nil
}

// make makes the tables, all or none, one process at a time.
func (s *server) make(ctx context.Context) error {
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
	setup := schema + treeSchema + standingSchema + headSchema
	if there == 0 { // asked for only then: it takes a right that the role may lack
		setup = "CREATE SCHEMA " + s.schema + ";" + setup
	}
	if _, err := tx.ExecContext(ctx, setup); err != nil {
		return err
	}
	return tx.Commit()
}

// still holds the head, and sees that the journal is the one that this process has
// seen, and that its locks are still its own.
func (s *server) still(ctx context.Context, tx *sql.Tx) error {
	var named Entry
	err := tx.QueryRowContext(ctx, `SELECT seq, hash FROM head WHERE one = 1 FOR UPDATE`).Scan(&named.Seq, &named.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		return &Damaged{Path: s.name, Server: true, Why: "it does not name its newest entry"}
	}
	if err != nil {
		return fmt.Errorf("append to journal: %w", damaged(s.name, err))
	}
	last, err := head(ctx, tx)
	switch {
	case err != nil:
		return fmt.Errorf("append to journal: %w", damaged(s.name, err))
	case last.Seq != named.Seq || last.Hash != named.Hash:
		return &Damaged{Path: s.name, Server: true, Why: fmt.Sprintf("entry %d was written last, and entry %d is the newest", named.Seq, last.Seq)}
	}
	if known := s.known.Load(); known != nil && known.Seq > 0 {
		there, err := has(ctx, tx, *known)
		if err != nil {
			return fmt.Errorf("append to journal: %w", damaged(s.name, err))
		}
		if !there {
			return &Replaced{Path: s.name, What: "set back or replaced"}
		}
	}
	return s.locks.still(ctx, tx)
}

// wrote notes the newest entry where the next writer looks.
func (s *server) wrote(ctx context.Context, tx *sql.Tx, last Entry) error {
	_, err := tx.ExecContext(ctx, `UPDATE head SET seq = $1, hash = $2 WHERE one = 1`, last.Seq, last.Hash)
	return err
}

func has(ctx context.Context, q querier, e Entry) (bool, error) {
	found := false
	err := scan(ctx, q, func(rows *sql.Rows) error { found = true; return nil }, `SELECT seq FROM entries WHERE seq = $1 AND hash = $2`, e.Seq, e.Hash)
	return found, err
}

// settled tells, after a COMMIT without an answer, whether it was done: nil if so. It
// looks while it holds the head, which it gets only after the server has ended the
// transaction, one way or the other.
func (s *server) settled(ctx context.Context, e Entry, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), knownWithin)
	defer cancel()
	for {
		there, err := s.look(ctx, e)
		switch {
		case err == nil && there:
			return nil
		case err == nil:
			return fmt.Errorf("append to journal: it was not written: %w", damaged(s.name, why))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("append to journal: %w: %w", ErrUnknown, damaged(s.name, why))
		case <-time.After(askAgain):
		}
	}
}

func (s *server) look(ctx context.Context, e Entry) (bool, error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, `SELECT seq FROM head WHERE one = 1 FOR UPDATE`); err != nil {
		return false, err
	}
	return has(ctx, tx, e)
}
