package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// First returns the oldest entry of a kind; false where there is none.
func (j *Journal) First(ctx context.Context, kind string) (Entry, bool, error) {
	var e Entry
	var at, body string
	row := j.db.QueryRowContext(ctx, `SELECT seq, at, run, subject, kind, body, prev, hash FROM entries WHERE kind = $1 ORDER BY seq LIMIT 1`, kind)
	err := row.Scan(&e.Seq, &at, &e.Run, &e.Subject, &e.Kind, &body, &e.Prev, &e.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		return Entry{}, false, nil
	}
	if err == nil {
		e.At, err = time.Parse(time.RFC3339Nano, at)
	}
	if err != nil {
		return Entry{}, false, fmt.Errorf("read journal: %w", j.told(err))
	}
	e.Body = []byte(body)
	return e, true, nil
}
