package engine

import (
	"context"

	"rekey/internal/estate"
	"rekey/internal/lease"
	"rekey/internal/rotation"
)

// person asks people to do what no request can, and notes it beside the lease:
// what tells people of it may run in another process. waits is called before each wait.
func (w *worker) person(run string, held *lease.Held, desk *estate.Desk, waits func()) func(context.Context, estate.Task) (estate.Answer, error) {
	return func(ctx context.Context, t estate.Task) (estate.Answer, error) {
		// A process that is to hand over waits for nobody; nor does one that has lost the run.
		ctx, stop := context.WithCancelCause(ctx)
		defer stop(nil)
		defer context.AfterFunc(held.Lost(), func() { stop(context.Cause(held.Lost())) })()
		defer w.e.tellChange(run)
		w.asks(held, estate.ByHand(t))
		defer w.asks(held, "")
		waits()
		if is, err := w.e.o.Estate().Answerable(ctx); err == nil && !is {
			w.e.o.Log.Warn("a run waits for a manual step, and nobody can answer", "run", run, "why", estate.NobodyServes)
		}
		return desk.Ask(ctx, held, t)
	}
}

// keeps notes beside the lease of a run why it is not let go of although it waits.
func (w *worker) keeps(held *lease.Held, waits func()) func(rotation.Wait, string) func() {
	note := func(why string) {
		w.beside(held, "the reason why a run is held could not be stored", held.Keeps, why)
	}
	return func(_ rotation.Wait, why string) (over func()) {
		waits()
		note(why)
		return func() { note("") }
	}
}

// asks notes what a person is asked. If it cannot be noted, the run's page shows it still.
func (w *worker) asks(held *lease.Held, what string) {
	w.beside(held, "that a run waits for a person could not be stored", held.Asks, what)
}

// beside notes something beside the lease of a run, for those who look; failed is what the
// log says where it cannot be noted, which stops nothing.
func (w *worker) beside(held *lease.Held, failed string, note func(context.Context, string) error, what string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), held.Term())
	defer cancel()
	if err := note(ctx, what); err != nil {
		w.e.o.Log.Warn(failed, "run", held.Run, "why", err)
	}
}
