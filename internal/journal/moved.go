package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// headMoved is what head says in a database whose journal was moved away.
const headMoved = -1

// Moved means that the journal is kept elsewhere now, and nothing is written here.
type Moved struct {
	Path string    // where it was
	To   string    // for people: without password
	Name string    // how To was named to whoever moved it: a reference, or a folder
	At   time.Time // zero: not known
}

func (m *Moved) Error() string {
	when := ""
	if !m.At.IsZero() {
		when = " at " + m.At.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("the journal was moved from %s to %s%s, and nothing more is written here", m.Path, m.To, when)
}

// Arriving means that a move into this place has begun and not ended.
type Arriving struct {
	Path string
}

func (a *Arriving) Error() string {
	return a.Path + " is the target of a move that was interrupted\n  next  do the move again, as it was called: rekey journal move"
}

// movedSchema is in the journal that is moved: done is 0 until it is.
const movedSchema = `
CREATE TABLE IF NOT EXISTS moved (
	one     BIGINT PRIMARY KEY CHECK (one = 1),
	id      TEXT NOT NULL,
	whither TEXT NOT NULL,
	named   TEXT NOT NULL,
	at      TEXT NOT NULL,
	done    BIGINT NOT NULL
);
`

// arrivingSchema is in the place that it is moved to, until it has arrived.
const arrivingSchema = `
CREATE TABLE IF NOT EXISTS arriving (
	one BIGINT PRIMARY KEY CHECK (one = 1),
	id  TEXT NOT NULL
);
`

// leaving is a row of moved.
type leaving struct {
	id, to, named string
	at            time.Time
	done          bool
}

// leavingOf reads that row; false where there is none.
func leavingOf(ctx context.Context, q querier) (l leaving, there bool, err error) {
	err = scan(ctx, q, func(rows *sql.Rows) error {
		var at string
		var done int64
		there = true
		err := rows.Scan(&l.id, &l.to, &l.named, &at, &done)
		l.at, _ = time.Parse(time.RFC3339Nano, at)
		l.done = done == 1
		return err
	}, `SELECT id, whither, named, at, done FROM moved WHERE one = 1`)
	return l, there, err
}

// arrivingOf reads which move is to arrive; "": none.
func arrivingOf(ctx context.Context, q querier) (id string, err error) {
	err = scan(ctx, q, func(rows *sql.Rows) error { return rows.Scan(&id) }, `SELECT id FROM arriving WHERE one = 1`)
	return id, err
}

// whereabouts refuses a journal that was moved away or has not arrived; which of the
// tables that say so there are is known.
func whereabouts(ctx context.Context, q querier, path string, moved, arriving bool) error {
	if moved {
		l, there, err := leavingOf(ctx, q)
		if err != nil {
			return fmt.Errorf("open journal: %w", damaged(path, err))
		}
		if there && l.done {
			return &Moved{Path: path, To: l.to, Name: l.named, At: l.at}
		}
	}
	if arriving {
		id, err := arrivingOf(ctx, q)
		if err != nil {
			return fmt.Errorf("open journal: %w", damaged(path, err))
		}
		if id != "" {
			return &Arriving{Path: path}
		}
	}
	return nil
}

// hasMoved is what an append fails with where the journal was moved away meanwhile.
func (s *server) hasMoved(ctx context.Context, q querier) error {
	there := map[string]bool{}
	err := scan(ctx, q, func(r *sql.Rows) error {
		var name string
		err := r.Scan(&name)
		there[name] = true
		return err
	}, `SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename IN ('moved', 'arriving')`, s.schema)
	if err == nil {
		err = whereabouts(ctx, q, s.name, there["moved"], there["arriving"])
	}
	if err != nil {
		return err
	}
	return &Damaged{Path: s.name, Server: true, Why: "it does not name its newest entry"}
}

// barred is what a file says to whoever writes to it after it was moved, older versions
// of Rekey too.
const barred = "this journal was moved to "

// guards are what says so: no version writes without one of these.
var guards = []string{"entries", "tree", "checkpoints", "sent"}

// bar lets a file refuse every write from now on.
func bar(ctx context.Context, tx *sql.Tx, to string, at time.Time) error {
	text := barredText(to, at)
	for _, table := range guards {
		_, err := tx.ExecContext(ctx, fmt.Sprintf(`CREATE TRIGGER IF NOT EXISTS moved_%[1]s BEFORE INSERT ON %[1]s BEGIN SELECT RAISE(ABORT, '%[2]s'); END`, table, text))
		if err != nil {
			return err
		}
	}
	return nil
}

// bars reads what such a file says; nil where it says something else.
func bars(path, said string) error {
	_, rest, ours := strings.Cut(said, barred)
	if !ours {
		return nil
	}
	to, rest, _ := strings.Cut(rest, " at ")
	when, _, _ := strings.Cut(rest, ",")
	at, _ := time.Parse(time.RFC3339, when)
	return &Moved{Path: path, To: to, At: at}
}

// expect notes that a journal is to arrive by a move; while one is, no other may begin.
func expect(ctx context.Context, tx *sql.Tx, id string) error {
	if _, err := tx.ExecContext(ctx, arrivingSchema); err != nil {
		return err
	}
	was, err := arrivingOf(ctx, tx)
	if err != nil || was == id {
		return err
	}
	if was != "" {
		return errOtherMove
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO arriving (one, id) VALUES (1, $1)`, id)
	return err
}

var errOtherMove = errors.New("another move into this place has begun and not ended")
