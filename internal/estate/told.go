package estate

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"rekey/internal/journal"
)

// told is what the process that carried a run out has seen beside the run's events, as
// Ended has it. It is kept beside the entries, for whoever follows the run elsewhere.
type told struct {
	Waiting  string         `json:"waiting,omitempty"`
	Parked   bool           `json:"parked,omitempty"` // it goes on by itself, and its calls count on
	Others   []string       `json:"others,omitempty"`
	Calls    map[string]int `json:"calls,omitempty"`
	Evidence Signed         `json:"evidence"`
}

// toldFor is how long that is kept after a run has come to rest.
const toldFor = 90 * 24 * time.Hour

// toldTables are those that tell how runs came to rest.
func toldTables() journal.Further {
	return journal.Further{Name: "told", Tables: []string{"told_runs"}, Migrations: []journal.Migration{{SQLite: `
CREATE TABLE told_runs (
	run   TEXT PRIMARY KEY,
	told  TEXT NOT NULL,
	until BIGINT NOT NULL
);
CREATE INDEX told_runs_until ON told_runs (until);
`}}}
}

// tell keeps how a run came to rest in this process, before the process lets go of it. It
// fails nothing: whoever follows the run sees its events in any case.
func (w *work) tell(ctx context.Context, out *Ended) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	if toldTables().Make(ctx, w.book.J) != nil {
		return
	}
	db, _ := w.book.J.DB()
	t := told{Waiting: out.Waiting, Parked: out.Parked != nil, Others: out.Others, Calls: maps.Clone(out.Calls), Evidence: out.Evidence}
	if before, err := toldOf(ctx, db, out.State.Run); err == nil && before.Parked {
		for vendor, n := range before.Calls {
			t.Calls[vendor] += n
		}
	}
	text, err := json.Marshal(t)
	if err != nil {
		return
	}
	now := w.now()
	_, _ = db.ExecContext(ctx, `DELETE FROM told_runs WHERE until <= $1`, now.UnixMilli())
	_, _ = db.ExecContext(ctx, `INSERT INTO told_runs (run, told, until) VALUES ($1, $2, $3) ON CONFLICT (run) DO UPDATE SET told = excluded.told, until = excluded.until`,
		out.State.Run, string(text), now.Add(toldFor).UnixMilli())
}

func toldOf(ctx context.Context, db *sql.DB, run string) (t told, err error) {
	var text string
	if err := db.QueryRowContext(ctx, `SELECT told FROM told_runs WHERE run = $1`, run).Scan(&text); err != nil {
		return t, err
	}
	return t, json.Unmarshal([]byte(text), &t)
}

// Rested completes how a run came to rest, as its events tell it, by what the process has
// seen that carried it out. Where that has kept nothing, nothing is claimed.
func Rested(ctx context.Context, j *journal.Journal, out Ended) (Ended, error) {
	if err := toldTables().Make(ctx, j); err != nil {
		return out, failed(err)
	}
	db, _ := j.DB()
	t, err := toldOf(ctx, db, out.State.Run)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return out, nil
	case err != nil:
		return out, failed(fmt.Errorf("read how run %s ended: %w", out.State.Run, err))
	case t.Parked:
		return out, nil
	}
	out.Others, out.Calls, out.Evidence = t.Others, t.Calls, t.Evidence
	return out, nil
}

type faceKey struct{}

// Through says by which face of a service somebody asks, for the record: API, console.
func Through(ctx context.Context, face string) context.Context {
	return context.WithValue(ctx, faceKey{}, face)
}

// confirming is the word of the record for a name that was given beforehand.
func confirming(ctx context.Context) string {
	if face, ok := ctx.Value(faceKey{}).(string); ok {
		return face
	}
	return confirmedBefore
}

// After is how a run came out of an operation in which it came to rest before, for a
// person's word: the requests are those of both parts, and a key that was made is told.
func (e Ended) After(before Ended) Ended {
	if before.Calls != nil {
		all := maps.Clone(before.Calls)
		for vendor, n := range e.Calls {
			all[vendor] += n
		}
		e.Calls = all
	}
	e.Evidence.NewKey = e.Evidence.NewKey || before.Evidence.NewKey
	return e
}
