package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
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
	j, err := sessions(address, writes)
	if err == nil {
		err = j.found(ctx, writes, false)
	}
	return opened(j, err)
}

// openMoving opens a journal that was moved away, or is to be.
func openMoving(ctx context.Context, address string) (*Journal, error) {
	j, err := sessions(address, true)
	if err == nil {
		err = j.found(ctx, true, true)
	}
	return opened(j, err)
}

// openArriving opens a place that a journal is to be carried to by this move.
func openArriving(ctx context.Context, address, id string) (*Journal, error) {
	j, err := sessions(address, true)
	if err == nil {
		var l looked
		if l, err = j.server.look(ctx); err == nil {
			err = j.server.suits(l, true)
		}
		if err == nil && !slices.Contains(l.thereAre, "entries") {
			err = j.server.make(ctx, id)
		}
		err = j.lacking(err)
	}
	if err == nil {
		err = j.found(ctx, true, true)
	}
	return opened(j, err)
}

func opened(j *Journal, err error) (*Journal, error) {
	if err != nil && j != nil {
		_ = j.db.Close()
		return nil, err
	}
	return j, err
}

// sessions prepares for sessions with a server, and makes none.
func sessions(address string, writes bool) (*Journal, error) {
	s, err := parse(address)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if !writes {
		// Not as a parameter of the session: of several hosts, target_session_attrs=read-write
		// takes the one whose sessions may write.
		s.config.AfterConnect = func(ctx context.Context, c *pgconn.PgConn) error {
			_, err := c.Exec(ctx, "SET default_transaction_read_only = on").ReadAll()
			return err
		}
	}
	j := of(s)
	j.whole = writes
	return j, nil
}

// of is a journal that may be written, over sessions that are opened when they are needed.
func of(s *server) *Journal {
	s.db = sql.OpenDB(dialer{s.config})
	s.db.SetMaxOpenConns(mostSessions)
	s.db.SetConnMaxIdleTime(time.Minute)
	s.locks.server = s
	return &Journal{View: View{q: s.db, path: s.name}, db: s.db, server: s, whole: true}
}

// still holds the head, and sees that the journal is the one that this process has
// seen, and that its locks are still its own.
func (s *server) still(ctx context.Context, tx *sql.Tx) error {
	var named Entry
	err := tx.QueryRowContext(ctx, `SELECT seq, hash FROM head WHERE one = 1 FOR UPDATE`).Scan(&named.Seq, &named.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		return &Damaged{Path: s.name, Server: true, Why: "it does not name its newest entry"}
	}
	if err == nil && named.Seq == headMoved {
		return s.hasMoved(ctx, tx)
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
			return &Replaced{Path: s.name, What: "set back or replaced", Seq: known.Seq}
		}
	}
	return s.locks.still(ctx, tx)
}

// stays sees that what this process has seen there is there still, and sees what is there
// now: the more it has seen, the more it misses.
func (s *server) stays(ctx context.Context) error {
	known := s.known.Load()
	if known == nil || known.Seq == 0 {
		return nil
	}
	there, err := has(ctx, s.db, *known)
	if err != nil {
		return damaged(s.name, err)
	}
	if !there {
		return &Replaced{Path: s.name, What: "set back or replaced", Seq: known.Seq}
	}
	last, err := head(ctx, s.db)
	if err == nil && last.Seq > known.Seq {
		s.known.CompareAndSwap(known, &last)
	}
	return damaged(s.name, err)
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
		there, err := s.written(ctx, e)
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

func (s *server) written(ctx context.Context, e Entry) (bool, error) {
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
