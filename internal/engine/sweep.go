package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"rekey/internal/lease"
)

// sweep hands on what others have left, until this process is to hand over.
func (w *worker) sweep() {
	told, at := "", time.Time{}
	for {
		err := w.swept()
		if w.ctx.Err() == nil {
			w.e.mu.Lock()
			w.e.unwritten = err
			w.e.mu.Unlock()
		}
		switch {
		case err == nil:
			told = ""
		case w.ctx.Err() == nil && (err.Error() != told || time.Since(at) > time.Minute):
			told, at = err.Error(), time.Now() // once a minute, however often it is tried
			w.e.o.Log.Warn("leases could not be read", "why", err)
		}
		select {
		case <-w.ctx.Done():
			return
		case <-time.After(w.e.o.sweep()):
		}
	}
}

func (w *worker) swept() error {
	ctx, cancel := context.WithTimeout(w.ctx, w.e.o.Lease)
	defer cancel()
	if err := w.o.leases.Seen(ctx, w.e.o.Name); err != nil {
		return err
	}
	left, due, err := w.o.leases.Left(ctx, late(w.e.o))
	if err != nil {
		return err
	}
	if len(due) > 0 {
		queued, err := w.o.queued(ctx)
		if err != nil {
			return err
		}
		// What stands in the queue waits for a worker with a hand free: another job for it
		// would only come after all the others.
		left = append(left, slices.DeleteFunc(due, func(d lease.Due) bool { return queued[advance{d.Run, d.Epoch}] })...)
	}
	if len(left) == 0 {
		return nil
	}
	tx, err := w.o.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	var handed []lease.Due
	for _, d := range left {
		d, err := w.o.leases.HandOn(ctx, tx, d, late(w.e.o))
		if errors.Is(err, lease.ErrHeld) {
			continue
		}
		if err == nil {
			err = w.o.enqueue(ctx, tx, d)
		}
		if err != nil {
			return err
		}
		handed = append(handed, d)
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	for _, d := range handed {
		w.e.o.Log.Info("a run is handed over", "run", d.Run, "epoch", d.Epoch)
	}
	return nil
}

// late is how long a run may be due before it is said again that it is: its job may be
// lost, or whoever wakes for timers.
func late(o Options) time.Duration { return 4 * o.sweep() }
