package refs

import (
	"context"
	"sync"
	"time"

	"rekey/internal/secret"
	"rekey/internal/sop"
)

// Asked remembers what references gave, so that each is asked once, whoever needs
// it and however many at the same time: a password manager may ask a person. One
// is shared by all that a command works with.
type Asked struct {
	mu      sync.Mutex
	answers map[sop.Ref]*answer
}

type answer struct {
	done  chan struct{} // closed once the rest is there
	value secret.Value
	set   bool
	err   error
	until time.Time // a failure is believed no longer than this
}

// failureHolds is how long a failure is not asked for again: a person who has
// refused is not asked four times by one command, and a run of days gets over a
// password manager that was out of reach.
const failureHolds = 2 * time.Minute

// once asks, waits for somebody who is asking already, or remembers.
func (a *Asked) once(ctx context.Context, r sop.Ref, now func() time.Time, ask func() (secret.Value, bool, error)) (secret.Value, bool, error) {
	for {
		a.mu.Lock()
		known := a.answers[r]
		if known == nil {
			known = &answer{done: make(chan struct{})}
			if a.answers == nil {
				a.answers = map[sop.Ref]*answer{}
			}
			a.answers[r] = known
			a.mu.Unlock()
			return a.ask(ctx, r, known, now, ask)
		}
		a.mu.Unlock()
		select {
		case <-known.done:
		case <-ctx.Done():
			return secret.Value{}, false, ctx.Err()
		}
		if known.err == nil && known.set || known.err != nil && now().Before(known.until) {
			return known.value, known.set, known.err
		}
		a.forget(r, known)
	}
}

func (a *Asked) ask(ctx context.Context, r sop.Ref, known *answer, now func() time.Time, ask func() (secret.Value, bool, error)) (secret.Value, bool, error) {
	defer close(known.done)
	known.value, known.set, known.err = ask()
	_, _, _, vendor := r.Vendor()
	switch {
	case known.err != nil && ctx.Err() == nil && !vendor:
		known.until = now().Add(failureHolds)
	case known.err != nil || !known.set: // an interruption, a store that may be back: the next one asks
		a.forget(r, known)
	}
	return known.value, known.set, known.err
}

func (a *Asked) forget(r sop.Ref, known *answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.answers[r] == known {
		delete(a.answers, r)
	}
}
