package notify

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"rekey/internal/journal"
)

// tables of what was told, in the journal's database: it is no evidence, and goes with it.
func tables() []journal.Migration {
	return []journal.Migration{{SQLite: `CREATE TABLE notices_told (
	id      TEXT   NOT NULL,
	channel TEXT   NOT NULL,
	first   BIGINT NOT NULL,
	sent    BIGINT NOT NULL DEFAULT 0,
	over    BIGINT NOT NULL DEFAULT 0,
	tries   BIGINT NOT NULL DEFAULT 0,
	due     BIGINT NOT NULL DEFAULT 0,
	problem TEXT   NOT NULL DEFAULT '',
	PRIMARY KEY (id, channel)
);`}}
}

// told is what became of one notice on one channel. Times are milliseconds since 1970;
// 0: it is not so yet.
type told struct {
	ID, Channel            string
	First, Sent, Over, Due int64
	Tries                  int
	Problem                string
}

// kept is how long is remembered that something was told and has ended: as long as it
// could come up again under the same id.
const kept = 400 * 24 * time.Hour

type store struct{ db *sql.DB }

// load reads what was told and is not over.
func (s store) load(ctx context.Context) (map[[2]string]told, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id, channel, first, sent, over, due, tries, problem FROM notices_told`)
	if err != nil {
		return nil, fmt.Errorf("read what was told: %w", err)
	}
	defer func() { _ = rows.Close() }()
	out := map[[2]string]told{}
	for rows.Next() {
		var t told
		if err := rows.Scan(&t.ID, &t.Channel, &t.First, &t.Sent, &t.Over, &t.Due, &t.Tries, &t.Problem); err != nil {
			return nil, fmt.Errorf("read what was told: %w", err)
		}
		out[[2]string{t.ID, t.Channel}] = t
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read what was told: %w", err)
	}
	return out, nil
}

// claimed is how long a process has that is about to send, before another may.
const claimed = firstPause

// claim notes that this process is about to send something, unless another one is, or has:
// as it was when it was loaded. A process that dies then leaves it to be sent again.
func (s store) claim(ctx context.Context, id, channel string, was told, now time.Time) (ours bool, err error) {
	got, err := s.db.ExecContext(ctx, `INSERT INTO notices_told (id, channel, first, due) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id, channel) DO UPDATE SET sent = 0, over = 0, due = excluded.due
		WHERE notices_told.sent = $5 AND notices_told.over = $6 AND notices_told.due = $7`,
		id, channel, now.UnixMilli(), now.Add(claimed).UnixMilli(), was.Sent, was.Over, was.Due)
	if err != nil {
		return false, fmt.Errorf("note what is told: %w", err)
	}
	n, err := got.RowsAffected()
	return n == 1, err
}

// save notes what became of it.
func (s store) save(ctx context.Context, t told) error {
	_, err := s.db.ExecContext(context.WithoutCancel(ctx), `UPDATE notices_told SET sent = $1, over = $2, due = $3, tries = $4, problem = $5 WHERE id = $6 AND channel = $7`,
		t.Sent, t.Over, t.Due, t.Tries, t.Problem, t.ID, t.Channel)
	if err != nil {
		return fmt.Errorf("note what was told: %w", err)
	}
	return nil
}

func (s store) forget(ctx context.Context, now time.Time) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM notices_told WHERE over > 0 AND over < $1`, now.Add(-kept).UnixMilli())
	if err != nil {
		return fmt.Errorf("forget what was told long ago: %w", err)
	}
	return nil
}
