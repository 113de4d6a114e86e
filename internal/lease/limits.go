package lease

import (
	"context"
	"sync"
	"time"
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
