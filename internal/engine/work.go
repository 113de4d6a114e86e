package engine

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/riverqueue/river"

	"rekey/internal/estate"
	"rekey/internal/lease"
	"rekey/internal/rotation"
)

// worker takes jobs out of the queue.
type worker struct {
	river.WorkerDefaults[advance]
	e   *Engine
	o   *opened
	ctx context.Context // done when this process is to hand over

	aside   sync.WaitGroup // runs that are at work without a job
	waiting chan struct{}  // holds a value for each of them
}

// Work advances runs until ctx is done: what has begun is finished then, a new secret is
// brought to its store, and the runs are handed on to whoever works. It is called once.
func (e *Engine) Work(ctx context.Context) error {
	o, err := e.open(ctx)
	if err != nil {
		return err
	}
	workers := river.NewWorkers()
	w := &worker{e: e, o: o, ctx: ctx, waiting: make(chan struct{}, aside)}
	river.AddWorker(workers, w)
	client, err := river.NewClient(o.driver(), &river.Config{
		ID: e.o.Name, Logger: e.o.Log, Workers: workers, Queues: e.o.hands(),
		FetchPollInterval: e.o.Poll, FetchCooldown: min(e.o.Poll, 100*time.Millisecond), CompletedJobRetentionPeriod: time.Hour,
		// A job lasts as long as its run needs, and one whose process died is none of the
		// queue's business: the lease finds it. What the queue gives up on after an hour is
		// cleared away like what is done; a run that takes longer is not touched by that.
		JobTimeout: -1, RescueStuckJobsAfter: time.Hour, DiscardedJobRetentionPeriod: time.Hour, PollOnly: true,
	})
	if err != nil {
		return err
	}
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	if err := e.Clock(ctx); err != nil {
		e.o.Log.Warn("the clock", "why", err)
	}
	var sweeping sync.WaitGroup
	sweeping.Go(func() { w.sweep() })
	<-ctx.Done()
	sweeping.Wait()
	// The jobs end by themselves, as ctx tells them to; a run that must not be let go of
	// takes as long as it takes.
	err = client.Stop(context.WithoutCancel(ctx))
	w.aside.Wait()
	if gone := o.leases.Gone(context.WithoutCancel(ctx), e.o.Name); err == nil {
		err = gone
	}
	return err
}

// carry advances a run, if it is to be had, and lets go of it. waits is called when it
// waits for a person to do something by hand, or for long without letting go of it.
func (w *worker) carry(d lease.Due, waits func()) {
	log := w.e.o.Log.With("run", d.Run)
	held, err := w.claim(d)
	if err != nil {
		if !errors.Is(err, lease.ErrHeld) && w.ctx.Err() == nil {
			log.Warn("a run could not be picked up", "why", err)
		}
		return
	}
	held.Keep()
	defer held.Stop()
	defer w.e.tellChange(d.Run)
	by := estate.Worker{Name: w.e.o.Name, Held: held, Limits: w.o.limits, Park: w.e.parks, Keeps: w.keeps(held, waits)}
	if desk := w.e.o.Desk; desk != nil {
		by.Person = w.person(d.Run, held, desk, waits)
		defer context.AfterFunc(w.ctx, desk.Close)()
	}
	if held.Plan != "" {
		by.Reviewed = new(rotation.Plan)
		if err := json.Unmarshal([]byte(held.Plan), by.Reviewed); err != nil {
			by.Reviewed = nil // the journal has its digest, which decides
		}
	}
	for {
		ended, err := w.e.o.Estate().Carry(w.ctx, d.Run, by, face{e: w.e, run: d.Run})
		if held.Lost().Err() != nil || estate.CodeOf(err) == estate.Overtaken && err != nil {
			log.Warn("the lease on a run was lost; this process has stopped working on it", "epoch", held.Epoch, "why", errors.Join(err, context.Cause(held.Lost())))
			return
		}
		if err != nil && w.ctx.Err() != nil && estate.CodeOf(err) == estate.Interrupted {
			ended, err = estate.Ended{Detached: true, Clean: held.Clean}, nil // nothing was begun
		}
		switch {
		case err != nil && estate.CodeOf(err) == estate.NewerRun:
			log.Warn("a run is left to a newer version of Rekey", "why", err)
			w.e.failing(d.Run, err)
		case err != nil:
			log.Error("a run could not be carried out", "why", err)
			w.e.failing(d.Run, err)
		}
		again, err := w.letGo(held, ended, err)
		if err != nil {
			log.Warn("a run could not be released; another worker gets it when its lease has expired", "why", err)
		}
		if !again {
			return
		}
		held.Clean = ended.Clean
	}
}

// claim asks for a run, a few times where the database does not answer.
func (w *worker) claim(d lease.Due) (held *lease.Held, err error) {
	for range 3 {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), w.e.o.Lease)
		held, err = w.o.leases.Claim(ctx, d, w.e.o.Name, w.e.o.Lease)
		cancel()
		if err == nil || errors.Is(err, lease.ErrHeld) || w.ctx.Err() != nil {
			break
		}
	}
	return held, err
}

// letGo lets go of a run as it stands, for as long as the lease lasts. again: somebody has
// said something to it meanwhile, and it is still held.
func (w *worker) letGo(held *lease.Held, ended estate.Ended, failed error) (again bool, err error) {
	l := lease.Letting{Wake: -1, Clean: ended.Clean && failed == nil, Waits: ended.Waiting}
	switch {
	case failed != nil:
		l.Wake, l.Trouble, l.Deaf = w.e.o.backoff(held.Tries), firstLine(failed), true
		if estate.CodeOf(failed) == estate.NewerRun {
			l.Clean, l.Wake = held.Clean, w.e.o.offer(held.Tries)
		}
	case ended.State != nil && ended.State.Closed != nil:
		return false, w.trying(held, func(ctx context.Context) error { return held.Over(ctx) })
	case ended.Parked != nil:
		l.Wake = max(ended.Parked.Until.Sub(w.e.o.Now()), 0)
	case ended.Detached:
		l.Wake, l.Deaf = 0, true
	}
	err = w.trying(held, func(ctx context.Context) error {
		tx, err := w.o.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		due, err := held.LetGo(ctx, tx, l)
		if err != nil {
			return err
		}
		if l.Wake >= 0 {
			if err := w.o.enqueue(ctx, tx, due); err != nil {
				return err
			}
		}
		return tx.Commit()
	})
	if errors.Is(err, lease.ErrSaid) {
		return true, nil
	}
	return false, err
}

// trying tries something until it is done or the lease is lost.
func (w *worker) trying(held *lease.Held, do func(context.Context) error) error {
	for {
		ctx, cancel := context.WithTimeout(held.Lost(), held.Term())
		err := do(ctx)
		cancel()
		if err == nil || errors.Is(err, lease.ErrSaid) || errors.Is(err, lease.ErrLost) || held.Lost().Err() != nil {
			return err
		}
		select {
		case <-held.Lost().Done():
			return err
		case <-time.After(held.Term() / 15):
		}
	}
}

// backoff is how long a run rests that could not be carried out, after so many times in a
// row: longer each time, up to a minute.
func (o Options) backoff(tries int64) time.Duration {
	return min(2*o.Poll<<min(tries, 8), time.Minute)
}

// offer is how long a run rests that another version is to carry out: workers of that
// version are there while versions are changed, and take it the next time or the one after.
func (o Options) offer(tries int64) time.Duration {
	if tries < 40 {
		return 6 * o.Poll
	}
	return o.backoff(tries)
}

// face wakes those who follow a run when it is written to.
type face struct {
	estate.Silent
	e   *Engine
	run string
}

func (f face) Behind(why error)       { f.e.o.Log.Warn("the journal is behind", "why", why) }
func (f face) Event(e rotation.Event) { f.e.tellChange(e.Run) }

func (f face) Call(c estate.Call) {
	if f.e.o.Called != nil {
		f.e.o.Called(f.run, c)
	}
}

// firstLine is what a lease keeps of an error.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
