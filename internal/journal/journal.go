// Package journal keeps append-only, hash-linked entries on SQLite or PostgreSQL; it knows nothing of rotation.
//
// Each entry's hash is SHA-256 over these lines, each ended by a newline:
//
//	rekey-journal-v1
//	<seq>            decimal, from 1, without gaps
//	<at>             RFC 3339 with nanoseconds, UTC
//	<run>
//	<subject>
//	<kind>
//	<body>           compact JSON, so it holds no newline
//	<prev>           hash of the entry before, in hex; empty for the first
//
// so that editing, leaving out or reordering entries breaks the chain. The same
// lines are the leaf of a Merkle tree (internal/evidence), whose hashes and signed
// heads are kept in tables of their own beside the entries. The format is frozen:
// checkpoints that have left the machine are over these bytes.
//
// The statements are plain SQL that both databases take as they are.
package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Entry is one line of the journal.
type Entry struct {
	Seq     int64           `json:"seq"`
	At      time.Time       `json:"at"`
	Run     string          `json:"run"`
	Subject string          `json:"subject"`
	Kind    string          `json:"kind"`
	Body    json.RawMessage `json:"body"`
	Prev    string          `json:"prev"`
	Hash    string          `json:"hash"`
}

// Draft is an entry before it has its place.
type Draft struct {
	At      time.Time
	Run     string
	Subject string
	Kind    string
	Body    json.RawMessage
}

// Journal is one opened journal. What can be read of it is read through its View.
type Journal struct {
	View
	db     *sql.DB
	dir    string
	file   *place  // nil: a copy that nobody writes, or a server
	server *server // nil: a file
	mu     sync.Mutex

	whole  bool     // it has all tables of this version
	tables sync.Map // names of further tables, and how many of their migrations this process knows
}

const schema = `
CREATE TABLE IF NOT EXISTS entries (
	seq     BIGINT PRIMARY KEY,
	at      TEXT NOT NULL,
	run     TEXT NOT NULL,
	subject TEXT NOT NULL,
	kind    TEXT NOT NULL,
	body    TEXT NOT NULL,
	prev    TEXT NOT NULL,
	hash    TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_run ON entries (run, seq);
CREATE INDEX IF NOT EXISTS entries_subject ON entries (subject, kind, seq);
CREATE INDEX IF NOT EXISTS entries_kind ON entries (kind, run);
CREATE INDEX IF NOT EXISTS entries_kind_seq ON entries (kind, seq, run);
`

// Append writes drafts as the next entries, all or none, and returns when they
// are on disk. It is not idempotent; after an error the caller must stop, for
// what is on disk is then unknown to it.
func (j *Journal) Append(ctx context.Context, drafts ...Draft) error {
	_, err := j.AppendIf(ctx, func(View) error { return nil }, drafts...)
	return err
}

// AppendIf is Append under a condition, which is looked at in the transaction that
// writes: between the look and the entry nobody else can write. The condition's
// error is returned as it is. last is the newest entry written.
func (j *Journal) AppendIf(ctx context.Context, condition func(View) error, drafts ...Draft) (last Entry, err error) {
	return j.append(ctx, func(v View, _ *sql.Tx) error { return condition(v) }, drafts)
}

// AppendWith is AppendIf whose condition may also write to the further tables of the
// journal's database (Tables), by the transaction that it is handed: what it writes is
// there if and only if the entries are. It may neither commit nor roll back, and must not
// use DB. It is called once at most; whether a lost answer was a yes is found out by the
// entries, so there has to be one at least.
func (j *Journal) AppendWith(ctx context.Context, with func(View, *sql.Tx) error, drafts ...Draft) (last Entry, err error) {
	if len(drafts) == 0 {
		return last, errors.New("append to journal: what is written beside entries needs an entry")
	}
	return j.append(ctx, with, drafts)
}

func (j *Journal) append(ctx context.Context, with func(View, *sql.Tx) error, drafts []Draft) (last Entry, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	ctx, cancel := j.bounded(ctx)
	defer cancel()
	tx, err := j.db.BeginTx(ctx, nil)
	if err != nil {
		return last, fmt.Errorf("append to journal: %w", j.told(err))
	}
	defer func() { _ = tx.Rollback() }()
	if err := j.still(ctx, tx); err != nil {
		return last, err
	}
	if last, err = head(ctx, tx); err != nil {
		return last, fmt.Errorf("append to journal: %w", j.told(err))
	}
	if err := with(View{tx, j.path, j.whole}, tx); err != nil {
		return last, err
	}
	for _, d := range drafts {
		e, err := d.after(last)
		if err != nil {
			return last, fmt.Errorf("append to journal: %w", err)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO entries (seq, at, run, subject, kind, body, prev, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			e.Seq, e.At.Format(time.RFC3339Nano), e.Run, e.Subject, e.Kind, string(e.Body), e.Prev, e.Hash)
		if err != nil {
			return last, fmt.Errorf("append to journal: %w", j.told(err))
		}
		last = e
	}
	if j.server != nil {
		return last, j.commit(ctx, tx, last)
	}
	if err := tx.Commit(); err != nil {
		return last, fmt.Errorf("append to journal: %w", j.told(err))
	}
	// Written to a file that was deleted meanwhile is not written.
	return last, j.wrote(last)
}

// bounded is the context of an append: a file's own timeout bounds it, a server's
// cannot where the server does not answer.
func (j *Journal) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if j.server == nil {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, writeWithin)
}

// commit ends an append to a server: nil only if it is written.
func (j *Journal) commit(ctx context.Context, tx *sql.Tx, last Entry) error {
	if err := j.server.wrote(ctx, tx, last); err != nil {
		return fmt.Errorf("append to journal: %w", j.told(err))
	}
	if err := tx.Commit(); err != nil {
		if err := j.server.settled(ctx, last, err); err != nil {
			return err
		}
	}
	j.server.known.Store(&last)
	return nil
}

// after gives a draft its place.
func (d Draft) after(last Entry) (Entry, error) {
	if strings.ContainsAny(d.Run+d.Subject+d.Kind, "\n\r") {
		// Each stands on a line of its own in what is hashed.
		return Entry{}, fmt.Errorf("run, subject and kind of an entry are one line each")
	}
	var body bytes.Buffer
	if err := json.Compact(&body, d.Body); err != nil {
		return Entry{}, fmt.Errorf("body of %s: %w", d.Kind, err)
	}
	e := Entry{Seq: last.Seq + 1, At: d.At.UTC(), Run: d.Run, Subject: d.Subject, Kind: d.Kind, Body: body.Bytes(), Prev: last.Hash}
	e.Hash = e.Sum()
	return e, nil
}

// Sum is the hash that the entry should have.
func (e Entry) Sum() string {
	h := sha256.Sum256(e.Leaf())
	return hex.EncodeToString(h[:])
}

// Leaf is the bytes that the entry's hash covers, and that a Merkle tree takes as
// its leaf: the lines of the package comment.
func (e Entry) Leaf() []byte {
	return fmt.Appendf(nil, "rekey-journal-v1\n%d\n%s\n%s\n%s\n%s\n%s\n%s\n",
		e.Seq, e.At.UTC().Format(time.RFC3339Nano), e.Run, e.Subject, e.Kind, e.Body, e.Prev)
}
