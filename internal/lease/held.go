package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Held is the lease of one run, held by this process.
type Held struct {
	Run        string
	Credential string
	Holder     string
	Epoch      int64
	Clean      bool   // who held it before has let go of it with nothing begun
	Plan       string // as it was added
	Tries      int64  // how often in a row it could not be carried out
	// Patient: a lease that has lapsed is renewed as long as nobody has taken the run up
	// meanwhile: a laptop that slept goes on.
	Patient bool

	store *Store
	term  time.Duration
	clock func() time.Time

	mu    sync.Mutex
	until time.Time // when the lease lapses, at the earliest
	said  int64     // how often something was said to the run
	heard int64     // how much of that was heard
	news  chan struct{}
	// places that a call in this process has, or asks for.
	places map[string]bool
	lost   context.Context
	lose   context.CancelCauseFunc
	stop   func()
}

func (s *Store) held(run, holder string, term time.Duration) *Held {
	h := &Held{Run: run, Holder: holder, store: s, term: term, clock: time.Now, news: make(chan struct{}, 1), stop: func() {}}
	h.until = h.clock().Add(term)
	h.lost, h.lose = context.WithCancelCause(context.Background())
	return h
}

// Term is how long a lease lasts that is not renewed.
func (h *Held) Term() time.Duration { return h.term }

// Lost is done once the run is not this process's any more, or cannot be shown to be.
func (h *Held) Lost() context.Context { return h.lost }

// Left is how long the lease lasts still, by the clock that counts less: one stands still
// while the machine sleeps, and the other one can be set.
func (h *Held) Left() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.clock()
	return min(h.until.Sub(now), h.until.Round(0).Sub(now.Round(0)))
}

// Check renews the lease in a transaction that writes to the journal: its error refuses
// what would have been written.
func (h *Held) Check(ctx context.Context, tx Querier) error {
	if h.lost.Err() != nil {
		return fmt.Errorf("%w (epoch %d)", ErrLost, h.Epoch)
	}
	alive := ""
	if !h.Patient {
		alive = ` AND expires > ` + h.store.now
	}
	var said int64
	n, err := h.store.ask(ctx, tx, `UPDATE lease_runs SET expires = `+h.store.now+` + $1 WHERE run = $2 AND epoch = $3 AND holder = $4`+alive+` RETURNING said`,
		[]any{h.term.Milliseconds(), h.Run, h.Epoch, h.Holder}, &said)
	switch {
	case err != nil:
		return err
	case n == 0:
		err := fmt.Errorf("%w (epoch %d)", ErrLost, h.Epoch)
		h.lose(err)
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.said = max(h.said, said); h.said > h.heard {
		select {
		case h.news <- struct{}{}:
		default:
		}
	}
	return nil
}

// Renew renews the lease in a transaction of its own.
func (h *Held) Renew(ctx context.Context) error {
	begun := h.clock() // the lease counts from before the question was sent
	if err := h.Check(ctx, h.store.db); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if until := begun.Add(h.term); until.After(h.until) {
		h.until = until
	}
	return nil
}

// Ours is asked right before a request that changes something goes out: it renews the
// lease, and returns an error unless a good part of it is left then. A request that is
// under way when the lease lapses is cut off by Lost. What neither can prevent is a
// process that is stopped between this look and the socket, and goes on after the lease:
// its request goes out, and nothing after that; what came of it stands in no journal, so
// whoever has taken the run up looks before it acts.
func (h *Held) Ours(ctx context.Context) error {
	if err := h.Renew(ctx); err != nil {
		return err
	}
	if h.Left() < h.term/3 {
		return fmt.Errorf("%w: the database took too long to renew it", ErrLost)
	}
	return nil
}

// Late is asked once more when the bytes of a change are about to go out, which may be long
// after Ours: a connection was made, or the process was stopped. It asks nobody, but for a
// patient holder, who renews a lease that has lapsed.
func (h *Held) Late(ctx context.Context) error {
	switch {
	case h.lost.Err() != nil:
		return fmt.Errorf("%w (epoch %d)", ErrLost, h.Epoch)
	case h.Left() >= h.term/3:
		return nil
	case h.Patient:
		return h.Ours(ctx)
	}
	return fmt.Errorf("%w: it was too late when the connection was there", ErrLost)
}

// Keep renews the lease each third of its term until Stop, and ends Lost when that has not
// been possible for as long as it lasts.
func (h *Held) Keep() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	h.stop = sync.OnceFunc(func() { cancel(); <-done })
	go func() {
		defer close(done)
		pause := h.term / 3
		for {
			wait := pause
			if !h.Patient {
				wait = min(pause, max(h.Left(), 0))
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			if !h.Patient && h.Left() <= 0 {
				h.lose(fmt.Errorf("%w: it could not be renewed for %s", ErrLost, h.term))
				return
			}
			ask, end := context.WithTimeout(ctx, max(h.Left(), h.term/3))
			err := h.Renew(ask)
			end()
			switch {
			case errors.Is(err, ErrLost):
				return
			case err != nil:
				pause = min(h.term/15, time.Second) // the database may be back any moment
			default:
				pause = h.term / 3
			}
		}
	}()
}

// Stop ends Keep.
func (h *Held) Stop() { h.stop() }

// News has a value once something was said to the run that was not heard.
func (h *Held) News() <-chan struct{} { return h.news }

// Unheard tells whether something was said that was not heard, and how much there is to
// hear now.
func (h *Held) Unheard() (said int64, unheard bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.said, h.said > h.heard
}

// Heard notes that the journal was read after so much had been said.
func (h *Held) Heard(said int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard = max(h.heard, said)
}

// Asks notes what its holder asks a person to do by hand, for those who tell people; "":
// nothing any more.
func (h *Held) Asks(ctx context.Context, what string) error {
	_, err := h.store.ask(ctx, h.store.db, `UPDATE lease_runs SET waits = $1 WHERE run = $2 AND epoch = $3 AND holder = $4`, []any{what, h.Run, h.Epoch, h.Holder})
	return err
}

// Keeps notes why its holder does not let go of it although it waits; "": it does not wait, or
// not for long.
func (h *Held) Keeps(ctx context.Context, why string) error {
	_, err := h.store.ask(ctx, h.store.db, `UPDATE lease_runs SET keeps = $1 WHERE run = $2 AND epoch = $3 AND holder = $4`, []any{why, h.Run, h.Epoch, h.Holder})
	return err
}

// Letting is how a run is let go of.
type Letting struct {
	Wake    time.Duration // when a worker is to take it up, from now on; negative: when a person says so
	Clean   bool          // nothing is begun, and nothing in memory only
	Trouble string        // why it could not be carried out; "": it could
	Waits   string        // for whom it waits, where a person has to say so
	Deaf    bool          // whether something was said meanwhile matters not
}

// LetGo lets go of a run that is not over, in this transaction (nil: one of its own). ErrSaid: something was
// said to it that was not heard, so that it is still held; ErrLost.
func (h *Held) LetGo(ctx context.Context, tx Querier, l Letting) (Due, error) {
	if tx == nil {
		tx = h.store.db
	}
	h.mu.Lock()
	heard := h.heard
	h.mu.Unlock()
	wake, tries := h.store.now+` + $1`, `0`
	if l.Wake < 0 {
		wake = `0 * $1`
	}
	if l.Trouble != "" {
		tries = `tries + 1`
	}
	d := Due{Run: h.Run, Wake: l.Wake}
	n, err := h.store.ask(ctx, tx, `UPDATE lease_runs SET holder = '', expires = 0, epoch = epoch + 1, wake = `+wake+`, clean = $2, tries = `+tries+`, trouble = $3, waits = $4, keeps = '', line = `+h.store.line+`
		WHERE run = $5 AND epoch = $6 AND holder = $7 AND (said = $8 OR $9 = 1) RETURNING epoch, rank`,
		[]any{l.Wake.Milliseconds(), number(l.Clean), l.Trouble, l.Waits, h.Run, h.Epoch, h.Holder, heard, number(l.Deaf)}, &d.Epoch, &d.Rank)
	if err != nil || n == 1 {
		return d, err
	}
	var said int64
	if n, err = h.store.ask(ctx, tx, `SELECT said FROM lease_runs WHERE run = $1 AND epoch = $2 AND holder = $3`, []any{h.Run, h.Epoch, h.Holder}, &said); err != nil {
		return d, err
	}
	if n == 1 {
		h.mu.Lock()
		h.said = max(h.said, said)
		h.mu.Unlock()
		return d, ErrSaid
	}
	return d, ErrLost
}

// Over removes the row of a run that is over.
func (h *Held) Over(ctx context.Context) error {
	_, err := h.store.ask(ctx, h.store.db, `DELETE FROM lease_runs WHERE run = $1 AND epoch = $2 AND holder = $3`, []any{h.Run, h.Epoch, h.Holder})
	return err
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
