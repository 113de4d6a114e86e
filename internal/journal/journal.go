// Package journal keeps append-only, hash-linked entries on SQLite; it knows nothing of rotation.
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
// The statements are plain SQL that Postgres takes as they are.
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
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // pure Go: one binary without cgo
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

// Journal is one opened journal.
type Journal struct {
	db  *sql.DB
	dir string
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
`

// Open opens the journal in a folder, making both if need be. Every commit is
// synced to disk before it returns.
func Open(dir string) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return open(dir, "rwc", schema+treeSchema)
}

// OpenExisting opens a journal for reading and refuses to make one.
func OpenExisting(dir string) (*Journal, error) {
	if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
		return nil, ErrNone
	}
	return open(dir, "rw", "")
}

// OpenCopy opens a journal that may lie where nothing can be written: an auditor's
// copy on a read-only medium. It writes nothing.
func OpenCopy(dir string) (*Journal, error) {
	j, err := OpenExisting(dir)
	if err == nil || errors.Is(err, ErrNone) {
		return j, err
	}
	// A database in WAL mode makes a file beside it even to be read, unless it is
	// promised that nobody writes (sqlite.org/wal.html, "Read-Only Databases").
	return open(dir, "ro&immutable=1", "")
}

// ErrNone means that there is no journal yet.
var ErrNone = errors.New("there is no journal yet")

const file = "journal.db"

func open(dir, mode, setup string) (*Journal, error) {
	path := filepath.ToSlash(filepath.Join(dir, file))
	dsn := "file:" + strings.ReplaceAll(path, "?", "%3f") + "?mode=" + mode +
		"&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	// One connection: the pragmas belong to a connection, and there is one writer.
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(setup); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("open journal: %w", err)
	}
	_ = os.Chmod(filepath.Join(dir, file), 0o600)
	return &Journal{db: db, dir: dir}, nil
}

// Close closes the journal.
func (j *Journal) Close() error { return j.db.Close() }

// Append writes drafts as the next entries, all or none, and returns when they
// are on disk. It is not idempotent; after an error the caller must stop, for
// what is on disk is then unknown to it.
func (j *Journal) Append(ctx context.Context, drafts ...Draft) error {
	tx, err := j.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("append to journal: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	last, err := head(ctx, tx)
	if err != nil {
		return fmt.Errorf("append to journal: %w", err)
	}
	for _, d := range drafts {
		if strings.ContainsAny(d.Run+d.Subject+d.Kind, "\n\r") {
			// Each stands on a line of its own in what is hashed.
			return fmt.Errorf("append to journal: run, subject and kind of an entry are one line each")
		}
		var body bytes.Buffer
		if err := json.Compact(&body, d.Body); err != nil {
			return fmt.Errorf("append to journal: body of %s: %w", d.Kind, err)
		}
		e := Entry{Seq: last.Seq + 1, At: d.At.UTC(), Run: d.Run, Subject: d.Subject, Kind: d.Kind, Body: body.Bytes(), Prev: last.Hash}
		e.Hash = e.Sum()
		_, err := tx.ExecContext(ctx, `INSERT INTO entries (seq, at, run, subject, kind, body, prev, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			e.Seq, e.At.Format(time.RFC3339Nano), e.Run, e.Subject, e.Kind, string(e.Body), e.Prev, e.Hash)
		if err != nil {
			return fmt.Errorf("append to journal: %w", err)
		}
		last = e
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("append to journal: %w", err)
	}
	return nil
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
