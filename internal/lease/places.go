package lease

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// holdEvery is how often a place that somebody else writes is asked for again.
const holdEvery = 50 * time.Millisecond

// Hold waits until this run is the only one that writes a place, and this call the only one
// of it, or until ctx is done. It holds the place no longer than its lease: who was stopped
// meanwhile writes nothing when he goes on, for he has lost his run as well (Ours). Whoever
// holds one must not wait for another.
func (h *Held) Hold(ctx context.Context, place string) (release func(), err error) {
	for {
		taken := false
		if h.enter(place) {
			if taken, err = h.take(ctx, place); taken {
				return func() { h.giveBack(place) }, nil
			}
			h.leave(place)
		}
		select {
		case <-ctx.Done():
			if err != nil && h.enter(place) { // it may have been taken all the same
				h.giveBack(place)
			}
			return nil, fmt.Errorf("hold %s: %w", place, errors.Join(ErrHeld, ctx.Err(), err))
		case <-h.lost.Done():
			return nil, fmt.Errorf("hold %s: %w", place, ErrLost)
		case <-time.After(holdEvery):
		}
	}
}

// take takes a place, unless another run has it that is held. What this one has already is
// taken again: the answer of the database may have been lost.
func (h *Held) take(ctx context.Context, place string) (bool, error) {
	n, err := h.store.ask(ctx, h.store.db, `INSERT INTO lease_places (place, run, epoch) VALUES ($1, $2, $3)
		ON CONFLICT (place) DO UPDATE SET run = excluded.run, epoch = excluded.epoch
		WHERE lease_places.run = excluded.run AND lease_places.epoch = excluded.epoch
			OR NOT EXISTS (SELECT 1 FROM lease_runs WHERE lease_runs.run = lease_places.run AND lease_runs.epoch = lease_places.epoch AND lease_runs.expires > `+h.store.now+`)
		RETURNING place`, []any{place, h.Run, h.Epoch}, new(string))
	return err == nil && n == 1, err
}

func (h *Held) giveBack(place string) {
	defer h.leave(place)
	ctx, cancel := context.WithTimeout(context.Background(), h.term)
	defer cancel()
	// If it cannot be let go of it lapses.
	_, _ = h.store.ask(ctx, h.store.db, `DELETE FROM lease_places WHERE place = $1 AND run = $2 AND epoch = $3`, []any{place, h.Run, h.Epoch})
}

// enter notes that a call in this process has a place or asks for it; false: another one does.
func (h *Held) enter(place string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.places[place] {
		return false
	}
	if h.places == nil {
		h.places = map[string]bool{}
	}
	h.places[place] = true
	return true
}

func (h *Held) leave(place string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.places, place)
}

// Doubt has everybody who takes a run up look anew before he acts, in this transaction: what
// the journal says of it may not be all.
func (s *Store) Doubt(ctx context.Context, tx Querier) error {
	_, err := s.ask(ctx, tx, `UPDATE lease_runs SET clean = 0`, nil)
	return err
}

// Seen notes that a worker lives, and forgets those that were not heard of for a day.
func (s *Store) Seen(ctx context.Context, name string) error {
	_, err := s.ask(ctx, s.db, `INSERT INTO lease_workers (name, seen) VALUES ($1, `+s.now+`) ON CONFLICT (name) DO UPDATE SET seen = excluded.seen`, []any{name})
	if err == nil {
		_, err = s.ask(ctx, s.db, `DELETE FROM lease_workers WHERE seen < `+s.now+` - 86400000`, nil)
	}
	return err
}

// Ahead is how far a clock is ahead of the database's, by which leases and timers go.
func (s *Store) Ahead(ctx context.Context, now func() time.Time) (time.Duration, error) {
	before, theirs := now(), int64(0)
	if _, err := s.ask(ctx, s.db, `SELECT `+s.now, nil, &theirs); err != nil {
		return 0, err
	}
	after := now()
	return before.Add(after.Sub(before) / 2).Sub(instant(theirs)), nil // as if the way there took as long as the way back
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
