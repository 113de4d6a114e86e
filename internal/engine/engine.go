// Package engine says who advances which run now: it opens runs, hands them to workers, and tells of them while they happen.
package engine

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"time"

	"rekey/internal/estate"
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
	// Poll is how often the queue is asked for work, and the journal for what other
	// processes wrote to a run that is followed; 0: every half second.
	Poll time.Duration
	// Lease is how long a run is held that its holder cannot renew: so long, and a second or
	// two, it takes until another worker goes on after one was killed. 0: 12 seconds; at
	// least Shortest.
	Lease time.Duration
	// Park is how long a run must have to wait for its worker to let go of it; a shorter
	// wait is waited for. 0: ten seconds, or never where Now is given: the database, which
	// wakes for it, goes by real time.
	Park time.Duration
	// Desk is where people are asked to do by hand what no request can; nil: nobody is.
	Desk *estate.Desk
	// AtOnce is how many runs this process is at, at most; 0: 16. As many more are kept
	// for what is urgent, and a run that waits for a person to do something by hand, or for
	// long with something in memory only, is none of them.
	AtOnce int
	// Called is told of each request that a run has made here, after it was answered or was
	// not; it must not wait. nil: nobody is.
	Called func(run string, c estate.Call)
}

// sweep is how often leases that have lapsed are looked for.
func (o Options) sweep() time.Duration {
	return min(max(o.Lease/10, 100*time.Millisecond), time.Second)
}

// Engine opens runs and has workers advance them. It offers all operations; those that
// look are the estate's own.
type Engine struct {
	o Options

	mu      sync.Mutex
	opened  *opened // nil: not yet
	follows map[*follower]bool
	failed  map[string]error // why a run could not be carried out here, the last time
	// unwritten is why the worker here could not write, the last time that it tried.
	unwritten error
}

var _ estate.Operations = (*Engine)(nil)

// New returns an engine. It advances nothing before Work is called, which a process that
// only serves requests leaves to others.
func New(o Options) *Engine {
	if o.Now == nil {
		o.Now = time.Now
	} else if o.Park == 0 {
		o.Park = math.MaxInt64
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Poll = cmp.Or(o.Poll, time.Second/2)
	o.Lease = max(cmp.Or(o.Lease, 12*time.Second), Shortest)
	o.Park = cmp.Or(o.Park, 10*time.Second)
	o.AtOnce = cmp.Or(o.AtOnce, 16)
	return &Engine{o: o, follows: map[*follower]bool{}, failed: map[string]error{}}
}

// Shortest is the shortest term of a lease, which a shorter one becomes; whoever is asked
// for one by a person refuses it. A database that is busy for a moment must not cost the
// runs.
const Shortest = 2 * time.Second

// open opens the journal's database with the leases and the queue, when it is first
// needed.
func (e *Engine) open(ctx context.Context) (*opened, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.opened != nil {
		return e.opened, nil
	}
	o, err := open(context.WithoutCancel(ctx), e.o.Estate())
	if err != nil {
		return nil, &estate.Error{Code: estate.Failed, Err: err}
	}
	e.opened = o
	return o, nil
}

// Close closes what the engine has opened. Work has to have returned.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.opened == nil {
		return nil
	}
	return e.opened.closing()
}

// tellChange wakes everybody in this process who follows a run that was written to here.
func (e *Engine) tellChange(run string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for f := range e.follows {
		if f.run != run {
			continue
		}
		select {
		case f.changed <- struct{}{}:
		default: // it looks anyway
		}
	}
}

// following has a follower woken until it is left.
func (e *Engine) following(f *follower) (leave func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.follows[f] = true
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.follows, f)
	}
}

// failing notes why a run could not be carried out, in more words than a lease keeps.
func (e *Engine) failing(run string, why error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failed[run] = why
}

// parks tells whether a worker lets go of a run for a wait.
func (e *Engine) parks(w rotation.Wait) bool { return w.Until.Sub(e.o.Now()) >= e.o.Park }

// Begin opens a run and returns its id at once; a worker advances it. Refused as
// Operations.Open is.
func (e *Engine) Begin(ctx context.Context, o estate.Opening) (run string, err error) {
	in, err := e.open(ctx)
	if err != nil {
		return "", err
	}
	return e.o.Estate().BeginServed(ctx, o, estate.Served{Beside: in.added})
}

// Answered refuses the request of ctx, if it was done already (estate.Asking).
func (e *Engine) Answered(ctx context.Context) error { return e.o.Estate().Answered(ctx) }

// TakeUp records that a person wants an open run advanced, and what goes with that, and
// returns at once. Refused as Operations.Advance is.
func (e *Engine) TakeUp(ctx context.Context, a estate.Advancing) (run string, err error) {
	return e.takeUp(ctx, a, "")
}

func (e *Engine) takeUp(ctx context.Context, a estate.Advancing, how string) (run string, err error) {
	in, err := e.open(ctx)
	if err != nil {
		return "", err
	}
	return e.o.Estate().SayServed(ctx, a, estate.Served{How: how, Beside: in.said})
}

// TurnBack records that a run is to go back, and returns at once. Refused as
// Operations.GoBack is.
func (e *Engine) TurnBack(ctx context.Context, b estate.Backing) (run string, err error) {
	in, err := e.open(ctx)
	if err != nil {
		return "", err
	}
	return e.o.Estate().TurnServed(ctx, b, estate.Served{Beside: in.turned})
}

// Approve agrees to a request, and has a worker woken for the run that waits for it.
func (e *Engine) Approve(ctx context.Context, a estate.Answering) (estate.Approval, error) {
	in, err := e.open(ctx)
	if err != nil {
		return estate.Approval{}, err
	}
	return e.o.Estate().ApproveServed(ctx, a, estate.Served{Beside: in.said})
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
		in, err := e.open(ctx)
		if err != nil {
			return estate.Ended{}, err
		}
		last, err := in.journal.LastOf(ctx, named)
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
	var before estate.Ended
	for {
		ended, err := follower.follow(ctx)
		ended = ended.After(before)
		before = ended
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
			_, err = e.takeUp(ctx, estate.Advancing{Run: run, Confirm: ask.Name}, how)
		}
		if err != nil {
			return ended, err
		}
	}
}
