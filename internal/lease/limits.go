package lease

import (
	"context"
	"fmt"
	"sync"
	"time"

	"rekey/internal/journal"
)

// Limits keep how long looking is held back at a vendor, for all processes that share the
// journal (vendorhttp.Limits). What one has read counts for a second: so often it is
// asked for again at most.
type Limits struct {
	store *Store

	mu   sync.Mutex
	read map[string]limit
}

type limit struct {
	at    time.Time
	until time.Time
}

// readFor is how long what was read counts, and askFor how long the database may take: a
// request waits for it.
const (
	readFor = time.Second
	askFor  = 2 * time.Second
)

// Limits are those of all processes that share these leases.
func (s *Store) Limits() *Limits { return &Limits{store: s, read: map[string]limit{}} }

// Hold notes that nobody is to look for so long.
func (l *Limits) Hold(ctx context.Context, vendor string, d time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askFor)
	defer cancel()
	// Kept or not: the vendor tells the others when they ask.
	_, _ = l.store.ask(ctx, l.store.db, `INSERT INTO lease_limits (vendor, until) VALUES ($1, `+l.store.now+` + $2) ON CONFLICT (vendor) DO UPDATE SET until = excluded.until`, []any{vendor, d.Milliseconds()})
	l.keep(vendor, d)
}

// Held returns for how long that is so still.
func (l *Limits) Held(ctx context.Context, vendor string) time.Duration {
	l.mu.Lock()
	known, ok := l.read[vendor]
	l.mu.Unlock()
	now := time.Now()
	if ok && now.Sub(known.at) < readFor {
		return max(known.until.Sub(now), 0)
	}
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	var left int64
	if _, err := l.store.ask(ctx, l.store.db, `SELECT until - `+l.store.now+` FROM lease_limits WHERE vendor = $1`, []any{vendor}, &left); err != nil {
		return 0 // the vendor says it itself
	}
	d := max(time.Duration(left)*time.Millisecond, 0)
	l.keep(vendor, d)
	return d
}

func (l *Limits) keep(vendor string, d time.Duration) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read[vendor] = limit{at: now, until: now.Add(d)}
}

// Limited is a vendor at which nobody looks for a while: what is left of its rate limit is
// for changes.
type Limited struct {
	Vendor string
	Left   time.Duration // how long that lasts still
}

// LimitedNow are the vendors of which that is so, writing nothing.
func LimitedNow(ctx context.Context, j *journal.Journal) ([]Limited, error) {
	s := of(j)
	if there, err := s.there(ctx, "lease_limits"); err != nil || !there {
		return nil, err
	}
	rows, err := s.db.QueryContext(ctx, `SELECT vendor, until - `+s.now+` FROM lease_limits WHERE until > `+s.now+` ORDER BY vendor`)
	if err != nil {
		return nil, fmt.Errorf("read rate limits: %w", s.told(err))
	}
	defer func() { _ = rows.Close() }()
	var out []Limited
	for rows.Next() {
		l, left := Limited{}, int64(0)
		if err := rows.Scan(&l.Vendor, &left); err != nil {
			return nil, fmt.Errorf("read rate limits: %w", s.told(err))
		}
		l.Left = time.Duration(left) * time.Millisecond
		out = append(out, l)
	}
	return out, rows.Err()
}
