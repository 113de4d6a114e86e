package lease

import (
	"context"
	"fmt"
	"sync"
	"time"

	"rekey/internal/journal"
	"rekey/internal/vendorhttp"
)

// Limits keep how long asking is held back at a vendor, for all processes that share the
// journal (vendorhttp.Limits). What one has read counts for a second: so often it is
// asked for again at most.
type Limits struct {
	store *Store

	mu   sync.Mutex
	read map[string]limit
}

type limit struct {
	at             time.Time
	looks, changes time.Time // nobody is to ask before
}

// readFor is how long what was read counts, and askFor how long the database may take: a
// request waits for it.
const (
	readFor = time.Second
	askFor  = 2 * time.Second
)

// Limits are those of all processes that share these leases.
func (s *Store) Limits() *Limits { return &Limits{store: s, read: map[string]limit{}} }

// LimitsOf are those of all processes that share a journal, whether or not anybody has made
// the tables of its leases: without them each is on its own.
func LimitsOf(j *journal.Journal) *Limits { return of(j).Limits() }

// Hold notes that nobody is to ask for so long, unless that is so for longer already.
func (l *Limits) Hold(ctx context.Context, account string, h vendorhttp.Held) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askFor)
	defer cancel()
	till := func(n string) string {
		return `CASE WHEN $` + n + ` = 0 THEN 0 ELSE ` + l.store.now + ` + $` + n + ` END`
	}
	later := func(column string) string {
		return column + ` = CASE WHEN excluded.` + column + ` > lease_limits.` + column + ` THEN excluded.` + column + ` ELSE lease_limits.` + column + ` END`
	}
	// Kept or not: the vendor tells the others when they ask.
	_, _ = l.store.ask(ctx, l.store.db, `INSERT INTO lease_limits (vendor, until, changes) VALUES ($1, `+till("2")+`, `+till("3")+`) ON CONFLICT (vendor) DO UPDATE SET `+later("until")+`, `+later("changes"),
		[]any{account, h.Looks.Milliseconds(), h.Changes.Milliseconds()})
	l.keep(account, h)
}

// Held returns for how long that is so still.
func (l *Limits) Held(ctx context.Context, account string) vendorhttp.Held {
	l.mu.Lock()
	known, ok := l.read[account]
	l.mu.Unlock()
	now := time.Now()
	if ok && now.Sub(known.at) < readFor {
		return vendorhttp.Held{Looks: max(known.looks.Sub(now), 0), Changes: max(known.changes.Sub(now), 0)}
	}
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	var looks, changes int64
	if _, err := l.store.ask(ctx, l.store.db, `SELECT until - `+l.store.now+`, changes - `+l.store.now+` FROM lease_limits WHERE vendor = $1`, []any{account}, &looks, &changes); err != nil {
		looks, changes = 0, 0 // the vendor says it itself
	}
	h := vendorhttp.Held{Looks: max(time.Duration(looks)*time.Millisecond, 0), Changes: max(time.Duration(changes)*time.Millisecond, 0)}
	l.keep(account, h)
	return h
}

func (l *Limits) keep(account string, h vendorhttp.Held) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read[account] = limit{at: now, looks: now.Add(h.Looks), changes: now.Add(h.Changes)}
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
