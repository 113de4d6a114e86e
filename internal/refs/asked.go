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
	// Holds is how long the answer of a command or a store is believed; 0: for good. What can
	// be read once only, as a pipe, is believed for good in any case.
	Holds time.Duration

	mu      sync.Mutex
	answers map[sop.Ref]*answer
}

type answer struct {
	done  chan struct{} // closed once the rest is there
	value secret.Value
	set   bool
	err   error
	until time.Time // it is believed no longer than this; zero: for good
}

// Lasting is Asked.Holds of a process that outlives what it asks for: the secret by which
// a vendor is asked may be rotated meanwhile, by this very process. It is shorter than the
// time for which the old one has to be unused before it ends, by default.
const Lasting = 30 * time.Second

// failureHolds is how long a failure is not asked for again: a person who has
// refused is not asked four times by one command, and a run of days gets over a
// password manager that was out of reach.
const failureHolds = 2 * time.Minute

// once asks, waits for somebody who is asking already, or remembers. again: it can be asked
// more than once.
func (a *Asked) once(ctx context.Context, r sop.Ref, again bool, now func() time.Time, ask func() (secret.Value, bool, error)) (secret.Value, bool, error) {
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
			return a.ask(ctx, r, again, known, now, ask)
		}
		a.mu.Unlock()
		select {
		case <-known.done:
		case <-ctx.Done():
			return secret.Value{}, false, ctx.Err()
		}
		if known.err == nil && known.set && known.until.IsZero() || now().Before(known.until) {
			return known.value, known.set, known.err
		}
		a.forget(r, known)
	}
}

func (a *Asked) ask(ctx context.Context, r sop.Ref, again bool, known *answer, now func() time.Time, ask func() (secret.Value, bool, error)) (secret.Value, bool, error) {
	defer close(known.done)
	known.value, known.set, known.err = ask()
	_, _, _, vendor := r.Vendor()
	switch {
	case known.err != nil && ctx.Err() == nil && !vendor:
		known.until = now().Add(failureHolds)
	case known.err != nil || !known.set: // an interruption, a store that may be back: the next one asks
		a.forget(r, known)
	case again && a.Holds > 0:
		known.until = now().Add(a.Holds)
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
