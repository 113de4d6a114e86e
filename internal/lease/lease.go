// Package lease says who may advance a run: one holder at a time, on the database's clock, under a number that grows whenever a run is handed over; and what its holder asks a person.
//
// A row stands for each run that is open. Whoever advances the run is its holder, until a
// time that he moves on while he lives. Each time the run changes hands its epoch grows,
// so that who was overtaken finds neither his epoch nor his name there. What he writes to
// the journal renews the lease in the same transaction, or is not written.
//
// The lease guards the journal, and not the vendors: see Held.Ours.
package lease

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"rekey/internal/journal"
)

// ErrLost means that the run is not this holder's any more.
var ErrLost = errors.New("the lease on the run was lost: another process may have picked it up")

// ErrSaid means that somebody has said something to the run that its holder has not heard.
var ErrSaid = errors.New("the run has received another instruction meanwhile")

// ErrHeld means that somebody else holds the run.
var ErrHeld = errors.New("another process is working on the run")

// Migrations make the tables (journal.Tables). Times are milliseconds since 1970 on the
// database's clock, 0: none.
var migrations = []journal.Migration{{SQLite: `
CREATE TABLE lease_runs (
	run        TEXT PRIMARY KEY,
	credential TEXT NOT NULL,
	epoch      BIGINT NOT NULL,
	holder     TEXT NOT NULL,
	expires    BIGINT NOT NULL,
	wake       BIGINT NOT NULL,
	said       BIGINT NOT NULL,
	clean      BIGINT NOT NULL,
	was        BIGINT NOT NULL,
	tries      BIGINT NOT NULL,
	trouble    TEXT NOT NULL,
	waits      TEXT NOT NULL,
	plan       TEXT NOT NULL
);
CREATE TABLE lease_places (
	place TEXT PRIMARY KEY,
	run   TEXT NOT NULL,
	epoch BIGINT NOT NULL
);
CREATE TABLE lease_workers (
	name TEXT PRIMARY KEY,
	seen BIGINT NOT NULL
);
`}, {SQLite: `
CREATE TABLE lease_limits (
	vendor TEXT PRIMARY KEY,
	until  BIGINT NOT NULL
);
`}, {SQLite: `
CREATE TABLE lease_asked (
	id         TEXT PRIMARY KEY,
	run        TEXT NOT NULL,
	epoch      BIGINT NOT NULL,
	holder     TEXT NOT NULL,
	credential TEXT NOT NULL,
	at         BIGINT NOT NULL,
	task       TEXT NOT NULL,
	key        TEXT NOT NULL,
	stamp      TEXT NOT NULL,
	state      BIGINT NOT NULL,
	answer     TEXT NOT NULL,
	sealed     TEXT NOT NULL,
	signed     TEXT NOT NULL
);
`}, {SQLite: `ALTER TABLE lease_runs ADD COLUMN rank BIGINT NOT NULL DEFAULT 0;`}, {SQLite: `ALTER TABLE lease_runs ADD COLUMN keeps TEXT NOT NULL DEFAULT '';`}, {SQLite: `ALTER TABLE lease_runs ADD COLUMN line TEXT NOT NULL DEFAULT '';`}, {SQLite: `ALTER TABLE lease_limits ADD COLUMN changes BIGINT NOT NULL DEFAULT 0;`}}

// Further are the tables that go along when a journal is moved: which run a worker is to
// take up, and when. Workers look for such rows by themselves.
func Further() journal.Further {
	return journal.Further{Name: "lease", Migrations: migrations, Tables: []string{"lease_runs"}}
}

// InCopy is what is otherwise in a backup of a file: whoever goes on from it may be the
// second one to do so, and looks at what is live before he acts. PostgreSQL tells by itself
// that it was restored (line).
func InCopy() journal.InCopy {
	return journal.InCopy{Table: "lease_runs", Statement: `UPDATE lease_runs SET clean = 0`}
}

// Store keeps the leases, beside the journal.
type Store struct {
	db   *sql.DB
	told func(error) error // in words
	now  string            // the time, in the database's words
	line string            // which line of its history the database is in; it changes with each failover and restored backup
	skip string            // passes over rows that somebody else is at; "": there is one writer anyway
}

// Open opens the leases of a journal, making their tables if need be.
func Open(ctx context.Context, j *journal.Journal) (*Store, error) {
	if err := j.Tables(ctx, "lease", migrations...); err != nil {
		return nil, err
	}
	s := of(j)
	if s.skip != "" {
		// A database that goes without PostgreSQL's log tells nothing of it.
		const line = `substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)`
		if _, err := s.ask(ctx, s.db, `SELECT `+line, nil, new(string)); err == nil {
			s.line = line
		}
	}
	return s, nil
}

func of(j *journal.Journal) *Store {
	db, dialect := j.DB()
	if dialect == journal.Postgres {
		return &Store{db: db, told: j.Told, now: `(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint`, line: `''`, skip: ` FOR UPDATE SKIP LOCKED`}
	}
	return &Store{db: db, told: j.Told, now: `CAST(unixepoch('subsec') * 1000 AS INTEGER)`, line: `''`}
}

// Querier is the database or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Due is a run that a worker is to take up, under this epoch.
type Due struct {
	Run   string
	Epoch int64
	Wake  time.Duration // from now on; 0: at once
	Rank  int64         // how soon a worker is wanted, among those that wait: the higher, the sooner
}

// How soon a worker is wanted for a run, among those that wait for one.
const (
	Scheduled int64 = iota
	Wanted          // a person has asked for it, or said something to it
	Urgent          // a credential has to be gone, its consumers have no access, or it is to go back
)

// Add makes the row of a run that is opened in this transaction, for a worker to take up.
// plan is what the worker needs to know that the journal does not.
func (s *Store) Add(ctx context.Context, tx Querier, run, credential, plan string, rank int64) (Due, error) {
	_, err := s.ask(ctx, tx, `INSERT INTO lease_runs (run, credential, epoch, holder, expires, wake, said, clean, was, tries, trouble, waits, plan, rank, line)
		VALUES ($1, $2, 1, '', 0, `+s.now+`, 0, 1, 0, 0, '', '', $3, $4, `+s.line+`)`, []any{run, credential, plan, rank})
	return Due{Run: run, Epoch: 1, Rank: rank}, err
}

// AddHeld makes the row of a run that is opened in this transaction, held by who opens it.
func (s *Store) AddHeld(ctx context.Context, tx Querier, run, credential, holder string, term time.Duration, rank int64) (*Held, error) {
	h := s.held(run, holder, term)
	h.Epoch = 1
	_, err := s.ask(ctx, tx, `INSERT INTO lease_runs (run, credential, epoch, holder, expires, wake, said, clean, was, tries, trouble, waits, plan, rank)
		VALUES ($1, $2, 1, $3, `+s.now+` + $4, 0, 0, 0, 0, 0, '', '', '', $5)`, []any{run, credential, holder, term.Milliseconds(), rank})
	return h, err
}

// Say notes, in the transaction that writes what a person says to a run, that something
// was said: its holder hears it, and where there is none the run is due, and ranks at least
// so high from now on; due is nil in the first case.
func (s *Store) Say(ctx context.Context, tx Querier, run, credential string, rank int64) (due *Due, err error) {
	const free = `CASE WHEN holder = '' THEN `
	d, holder := Due{Run: run}, ""
	query := `UPDATE lease_runs SET said = said + 1, epoch = epoch + ` + free + `1 ELSE 0 END, wake = ` + free + s.now + ` ELSE wake END, tries = 0, trouble = '', waits = '',
		rank = CASE WHEN rank < $2 THEN $2 ELSE rank END WHERE run = $1 RETURNING epoch, holder, rank`
	n, err := s.ask(ctx, tx, query, []any{run, rank}, &d.Epoch, &holder, &d.Rank)
	if err == nil && n == 0 {
		// It was opened by a version that knew no leases, or in a journal that was moved.
		if d, err = s.Add(ctx, tx, run, credential, "", rank); err == nil {
			_, err = s.ask(ctx, tx, `UPDATE lease_runs SET clean = 0, said = 1 WHERE run = $1`, []any{run})
		}
	}
	if err != nil || holder != "" {
		return nil, err
	}
	return &d, nil
}

// Claim takes a run up as a worker: it must be due under this epoch. ErrHeld: it is not,
// or not any more.
func (s *Store) Claim(ctx context.Context, d Due, holder string, term time.Duration) (*Held, error) {
	h := s.held(d.Run, holder, term)
	return h, s.claim(ctx, h, `run = $3 AND holder = '' AND epoch = $4 AND wake <> 0 AND wake <= `+s.now, d.Run, d.Epoch)
}

// Seize takes a run up for a process that has locked its credential: no other process that
// does so is at it, whatever the row says. Of a worker it is taken only after its lease has
// lapsed. ErrHeld: one is at it.
func (s *Store) Seize(ctx context.Context, run, credential, holder string, term time.Duration) (*Held, error) {
	h := s.held(run, holder, term)
	_, err := s.ask(ctx, s.db, `INSERT INTO lease_runs (run, credential, epoch, holder, expires, wake, said, clean, was, tries, trouble, waits, plan)
		VALUES ($1, $2, 0, '', 0, 0, 0, 0, 0, 0, '', '', '') ON CONFLICT (run) DO NOTHING`, []any{run, credential})
	if err != nil {
		return nil, err
	}
	return h, s.claim(ctx, h, `run = $3 AND (holder = '' OR holder LIKE '`+Process+`%' OR expires < `+s.now+`)`, run)
}

// Process begins the name of a holder that has locked the credential, too.
const Process = "process "

func (s *Store) claim(ctx context.Context, h *Held, where string, args ...any) error {
	begun := h.clock()
	var clean int64
	n, err := s.ask(ctx, s.db, `UPDATE lease_runs SET holder = $1, expires = `+s.now+` + $2, wake = 0, epoch = epoch + 1, was = CASE WHEN line = `+s.line+` THEN clean ELSE 0 END, clean = 0, waits = '', keeps = '' WHERE `+where+`
		RETURNING epoch, said, was, plan, tries, credential`, append([]any{h.Holder, h.term.Milliseconds()}, args...), &h.Epoch, &h.said, &clean, &h.Plan, &h.Tries, &h.Credential)
	switch {
	case err != nil:
		return err
	case n == 0:
		return ErrHeld
	}
	h.heard, h.Clean, h.until = h.said, clean == 1, begun.Add(h.term)
	return nil
}

// left is a run that nobody is at although somebody should be: its holder's lease has
// lapsed, or it has been due for longer than $1.
func (s *Store) left() string {
	return `(holder <> '' AND expires < ` + s.now + ` OR holder = '' AND wake <> 0 AND wake < ` + s.now + ` - $1)`
}

// Left finds the runs whose holders' leases have lapsed, and those that have been due for
// longer than late: what was to wake a worker may be lost, or no worker has a hand free.
func (s *Store) Left(ctx context.Context, late time.Duration) (lapsed, due []Due, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT run, epoch, holder FROM lease_runs WHERE `+s.left()+` ORDER BY run`, late.Milliseconds())
	if err != nil {
		return nil, nil, fmt.Errorf("look for runs without a worker: %w", s.told(err))
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		d, holder := Due{}, ""
		if err := rows.Scan(&d.Run, &d.Epoch, &holder); err != nil {
			return nil, nil, fmt.Errorf("look for runs without a worker: %w", s.told(err))
		}
		if holder != "" {
			lapsed = append(lapsed, d)
		} else {
			due = append(due, d)
		}
	}
	return lapsed, due, rows.Err()
}

// HandOn hands a run on that Left has found, in this transaction. ErrHeld: somebody has
// taken it up or handed it on meanwhile, or is about to.
func (s *Store) HandOn(ctx context.Context, tx Querier, d Due, late time.Duration) (Due, error) {
	n, err := s.ask(ctx, tx, `UPDATE lease_runs SET epoch = epoch + 1, clean = CASE WHEN holder = '' THEN clean ELSE 0 END, holder = '', wake = `+s.now+`
		WHERE run IN (SELECT run FROM lease_runs WHERE run = $2 AND epoch = $3 AND `+s.left()+s.skip+`)
		RETURNING epoch, rank`, []any{late.Milliseconds(), d.Run, d.Epoch}, &d.Epoch, &d.Rank)
	if err == nil && n == 0 {
		err = ErrHeld
	}
	return d, err
}

// ask sends a statement, and reads the one row that answers, if there is one.
func (s *Store) ask(ctx context.Context, q Querier, query string, args []any, into ...any) (n int, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("lease: %w", s.told(err))
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		n++
		if err := rows.Scan(into...); err != nil {
			return n, fmt.Errorf("lease: %w", s.told(err))
		}
	}
	if err := rows.Err(); err != nil {
		return n, fmt.Errorf("lease: %w", s.told(err))
	}
	return n, nil
}
