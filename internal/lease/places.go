package lease

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// holdEvery is how often a place that somebody else writes is asked for again.
const holdEvery = 50 * time.Millisecond

// Hold waits until this run is the only one that writes a place, or until ctx is done. A
// place that is not let go of is free again after the term: who held it and was stopped
// writes nothing then, for he has lost his run as well (Held.Ours). Whoever holds one must
// not wait for another.
func (h *Held) Hold(ctx context.Context, place string) (release func(), err error) {
	holder := fmt.Sprintf("%s %d %s", h.Run, h.Epoch, h.Holder)
	// Twice the term: what it guards is written within a lease that may just have been
	// renewed.
	term := (2 * h.term).Milliseconds()
	for {
		n, err := h.store.ask(ctx, h.store.db, `INSERT INTO lease_places (place, holder, expires) VALUES ($1, $2, `+h.store.now+` + $3)
			ON CONFLICT (place) DO UPDATE SET holder = excluded.holder, expires = excluded.expires WHERE lease_places.expires < `+h.store.now+` OR lease_places.holder = excluded.holder
			RETURNING place`, []any{place, holder, term}, new(string))
		if err == nil && n == 1 {
			return func() {
				ctx, cancel := context.WithTimeout(context.Background(), h.term)
				defer cancel()
				// If it cannot be let go of it lapses.
				_, _ = h.store.ask(ctx, h.store.db, `DELETE FROM lease_places WHERE place = $1 AND holder = $2`, []any{place, holder})
			}, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("hold %s: %w", place, errors.Join(ErrHeld, ctx.Err(), err))
		case <-h.lost.Done():
			return nil, fmt.Errorf("hold %s: %w", place, ErrLost)
		case <-time.After(holdEvery):
		}
	}
}

// Seen notes that a worker lives, and forgets those that were not heard of for a day.
func (s *Store) Seen(ctx context.Context, name string) error {
	_, err := s.ask(ctx, s.db, `INSERT INTO lease_workers (name, seen) VALUES ($1, `+s.now+`) ON CONFLICT (name) DO UPDATE SET seen = excluded.seen`, []any{name})
	if err == nil {
		_, err = s.ask(ctx, s.db, `DELETE FROM lease_workers WHERE seen < `+s.now+` - 86400000`, nil)
	}
	return err
}

// Gone notes that a worker has ended.
func (s *Store) Gone(ctx context.Context, name string) error {
	_, err := s.ask(ctx, s.db, `DELETE FROM lease_workers WHERE name = $1`, []any{name})
	return err
}

// Worker is a process that carries runs out.
type Worker struct {
	Name  string
	Seen  time.Time
	Ago   time.Duration // how long that is ago
	Holds int64
}

// Workers returns those that were heard of within a day.
func (s *Store) Workers(ctx context.Context) ([]Worker, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT name, seen, `+s.now+` - seen, (SELECT COUNT(*) FROM lease_runs WHERE holder = name) FROM lease_workers ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("read workers: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []Worker
	for rows.Next() {
		var w Worker
		var seen, ago int64
		if err := rows.Scan(&w.Name, &seen, &ago, &w.Holds); err != nil {
			return nil, fmt.Errorf("read workers: %w", err)
		}
		w.Seen, w.Ago = instant(seen), time.Duration(ago)*time.Millisecond
		out = append(out, w)
	}
	return out, rows.Err()
}
