// Package engine says who advances which run now: it opens runs, hands them to workers, and tells of them while they happen.
package engine

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"rekey/internal/estate"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/rotation"
)

// Options are what an engine has from outside.
type Options struct {
	// Estate is the estate as it is configured now; it is asked anew for each operation.
	Estate func() *estate.Estate
	// Name is this process's, for the record: it names the worker in the journal.
	Name string
	// Now is the time; nil: the real one.
	Now func() time.Time
	// Log is told of what nobody asked for; nil: nothing.
	Log *slog.Logger
	// Poll is how often the journal is looked at for what other processes wrote to a run
	// that is followed; 0: every half second.
	Poll time.Duration
}

// Engine opens runs and has workers advance them. It offers all operations; those that
// look are the estate's own.
type Engine struct {
	o     Options
	ready func() (*journal.Journal, error) // opens the journal that is followed, once

	mu      sync.Mutex
	changed chan struct{}    // closed when something was written here
	due     map[string]bool  // runs that a worker should take up
	at      map[string]bool  // runs that a worker of this process is at
	again   map[string]bool  // of those: they are due once more
	failed  map[string]error // why a run could not be carried out, until it is tried again
	clean   map[string]bool  // runs that were let go of with nothing begun
	plans   map[string]*rotation.Plan
	wake    chan struct{}
}

var _ estate.Operations = (*Engine)(nil)

// New returns an engine. It advances nothing before Work is called, which a process that
// only serves requests leaves to others.
func New(o Options) *Engine {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Poll == 0 {
		o.Poll = time.Second / 2
	}
	e := &Engine{o: o, changed: make(chan struct{}), wake: make(chan struct{}, 1),
		due: map[string]bool{}, at: map[string]bool{}, again: map[string]bool{}, failed: map[string]error{}, clean: map[string]bool{}, plans: map[string]*rotation.Plan{}}
	e.ready = sync.OnceValues(func() (*journal.Journal, error) { return o.Estate().Journal() })
	return e
}

// Close closes what the engine has opened. Work has to have returned.
func (e *Engine) Close() error {
	j, err := e.ready()
	if err != nil {
		return nil // it never was
	}
	return j.Close()
}

func (e *Engine) book() (history.Book, error) {
	j, err := e.ready()
	if err != nil {
		return history.Book{}, err
	}
	return history.Book{J: j}, nil
}

// Begin opens a run and returns its id at once; a worker advances it. Refused as
// Operations.Open is.
func (e *Engine) Begin(ctx context.Context, o estate.Opening) (run string, err error) {
	run, err = e.o.Estate().BeginServed(ctx, o, estate.Served{})
	if err == nil {
		e.mu.Lock()
		e.clean[run], e.plans[run] = true, o.Reviewed
		e.mu.Unlock()
		e.enqueue(run)
	}
	return run, err
}

// TakeUp records that a person wants an open run advanced, and what goes with that, and
// returns at once. Refused as Operations.Advance is.
func (e *Engine) TakeUp(ctx context.Context, a estate.Advancing) (run string, err error) {
	return e.takeUp(ctx, a, estate.Served{})
}

func (e *Engine) takeUp(ctx context.Context, a estate.Advancing, s estate.Served) (run string, err error) {
	if run, err = e.o.Estate().SayServed(ctx, a, s); err == nil {
		e.enqueue(run)
	}
	return run, err
}

// TurnBack records that a run is to go back, and returns at once. Refused as
// Operations.GoBack is.
func (e *Engine) TurnBack(ctx context.Context, b estate.Backing) (run string, err error) {
	if run, err = e.o.Estate().TurnServed(ctx, b, estate.Served{}); err == nil {
		e.enqueue(run)
	}
	return run, err
}

// Open opens a run and follows it.
func (e *Engine) Open(ctx context.Context, o estate.Opening, f estate.Face) (estate.Ended, error) {
	run, err := e.Begin(ctx, o)
	if err != nil {
		return estate.Ended{}, err
	}
	return e.attend(ctx, run, 0, f)
}

// Advance takes an open run up and follows it.
func (e *Engine) Advance(ctx context.Context, a estate.Advancing, f estate.Face) (estate.Ended, error) {
	return e.say(ctx, f, func() (string, error) { return e.TakeUp(ctx, a) }, a.Run)
}

// GoBack turns an open run back and follows it.
func (e *Engine) GoBack(ctx context.Context, b estate.Backing, f estate.Face) (estate.Ended, error) {
	return e.say(ctx, f, func() (string, error) { return e.TurnBack(ctx, b) }, b.Run)
}

// say has something said to a run, and follows it from there on.
func (e *Engine) say(ctx context.Context, f estate.Face, what func() (string, error), named string) (estate.Ended, error) {
	var after int64
	if named != "" {
		book, err := e.book()
		if err != nil {
			return estate.Ended{}, err
		}
		last, err := book.J.LastOf(ctx, named)
		if err != nil {
			return estate.Ended{}, err
		}
		after = last.Seq
	}
	run, err := what()
	if err != nil {
		return estate.Ended{}, err
	}
	return e.attend(ctx, run, after, f)
}

// attend follows a run, and asks the face what only a person can say.
func (e *Engine) attend(ctx context.Context, run string, after int64, f estate.Face) (estate.Ended, error) {
	follower, err := e.follower(ctx, run, after, f)
	if err != nil {
		return estate.Ended{}, err
	}
	defer f.End()
	for {
		ended, err := follower.follow(ctx)
		if err != nil || ended.Waiting == "" {
			return ended, err
		}
		ask := rotation.Next(ended.State, e.o.Now(), false).Ask
		if ask == nil {
			return ended, nil
		}
		how, err := f.Confirm(ctx, *ask)
		if errors.Is(err, estate.ErrNotConfirmed) {
			return ended, nil
		}
		if err == nil {
			_, err = e.takeUp(ctx, estate.Advancing{Run: run, Confirm: ask.Name}, estate.Served{How: how})
		}
		if err != nil {
			return ended, err
		}
	}
}
