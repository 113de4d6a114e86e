package estate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/lease"
	"rekey/internal/rotation"
	"rekey/internal/runner"
)

// processTerm is how long the lease of a process lasts that carries a run out for whoever
// runs it, if it cannot renew it: workers take the run up then, where there are any.
const processTerm = 15 * time.Second

// holder names this process as the holder of a lease.
func (e *Estate) holder() string {
	return fmt.Sprintf("%s%s (%d)", lease.Process, e.here.User(), os.Getpid())
}

func (w *work) openLeases(ctx context.Context) error {
	if w.leases != nil {
		return nil
	}
	s, err := lease.Open(ctx, w.book.J)
	if err == nil {
		w.leases = s
	}
	return failed(err)
}

// opening is what is written beside the first event of a run: who holds it, or that it is
// a worker's to take up; and after that, what each append looks at.
func (w *work) opening(by here, run string, reviewed *rotation.Plan) func(context.Context, *sql.Tx) error {
	if by.service != nil {
		return func(ctx context.Context, tx *sql.Tx) error {
			return by.service.beside(ctx, tx, Said{Run: run, Credential: w.spec.Name, Purpose: w.spec.Purpose, By: w.by, Reviewed: reviewed})
		}
	}
	return func(ctx context.Context, tx *sql.Tx) (err error) {
		if w.held != nil {
			return w.held.Check(ctx, tx)
		}
		rank := lease.Wanted
		if emergency(w.spec.Purpose) {
			rank = lease.Urgent // for workers, if this process dies
		}
		w.held, err = w.leases.AddHeld(ctx, tx, run, w.spec.Name, w.holder(), processTerm, rank)
		return err
	}
}

// saying is the same for what is said to an open run.
func (w *work) saying(by here, run string) func(context.Context, *sql.Tx) error {
	if by.service != nil {
		return func(ctx context.Context, tx *sql.Tx) error {
			return by.service.beside(ctx, tx, Said{Run: run, Credential: w.spec.Name})
		}
	}
	return func(ctx context.Context, tx *sql.Tx) error { return w.held.Check(ctx, tx) }
}

// seize takes the lease of an open run for this process, which has locked the credential.
func (w *work) seize(ctx context.Context, run string) (err error) {
	if err := w.openLeases(ctx); err != nil {
		return err
	}
	w.held, err = w.leases.Seize(ctx, run, w.spec.Name, w.holder(), processTerm)
	if errors.Is(err, lease.ErrHeld) {
		w.held = nil
		return &Error{Code: Busy, Credential: w.spec.Name, Run: run}
	}
	return failed(err)
}

// holding keeps the lease that this process has until it is closed, and lets go of the
// run then: whoever runs Rekey takes it up again, and no worker by itself.
func (w *work) holding(state *rotation.State) {
	if w.held == nil {
		return
	}
	held := w.held
	held.Patient = true
	held.Keep()
	w.closes = append(w.closes, func() {
		held.Stop()
		ctx, cancel := context.WithTimeout(context.Background(), processTerm)
		defer cancel()
		// If it cannot be let go of it lapses.
		if state.Closed != nil {
			_ = held.Over(ctx)
			return
		}
		_, _ = held.LetGo(ctx, nil, lease.Letting{Wake: -1, Deaf: true})
	})
}

// leased tells the runner what the lease means for it.
func (w *work) leased(r *runner.Runner, c carrying) {
	held := w.held
	if held == nil {
		return
	}
	r.Hold = held.Hold
	r.Lease = &runner.Lease{
		Lost:  held.Lost(),
		Until: func() time.Time { return w.now().Add(held.Left()) },
		News:  held.News(),
		Park:  func(wait rotation.Wait) bool { return c.park != nil && c.park(wait) },
		Keeps: c.keeps,
		Hear: func(ctx context.Context) (*rotation.State, error) {
			said, unheard := held.Unheard()
			if !unheard {
				return nil, nil
			}
			events, err := c.recorder.Hear(ctx)
			if err != nil {
				return nil, err
			}
			held.Heard(said)
			return rotation.Fold(events), nil
		},
	}
}

// enduring appends for a worker: where the database does not answer it tries again for as
// long as the lease lasts, for what is in memory only would be lost with giving up.
type enduring struct {
	*history.Recorder
	held *lease.Held
}

// endureEvery is how long it waits before it tries again.
const endureEvery = 200 * time.Millisecond

func (r enduring) Append(ctx context.Context, events ...rotation.Event) error {
	for {
		err := r.Recorder.Append(ctx, events...)
		_, replaced := errors.AsType[*journal.Replaced](err)
		_, damaged := errors.AsType[*journal.Damaged](err)
		switch {
		case err == nil, replaced, damaged, errors.Is(err, journal.ErrOvertaken), errors.Is(err, lease.ErrLost):
			return err
		}
		select {
		case <-r.held.Lost().Done():
			return errors.Join(context.Cause(r.held.Lost()), err)
		case <-time.After(endureEvery):
		}
	}
}
