package estate

import (
	"context"
	"database/sql"
	"time"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/lease"
	"rekey/internal/rotation"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// Served is how a person says something to a service.
type Served struct {
	// How a confirmation was given, for the record; "": with the request.
	How string
	// Beside is done in the transaction that writes what was said: a worker has to know of
	// it. Its error undoes it all. nil: nothing.
	Beside func(ctx context.Context, tx *sql.Tx, said Said) error
}

// Said is to which run something is said, or which is opened.
type Said struct {
	Run, Credential string
	// Of a run that is opened: what for, by whom, and the plan that has to come out again,
	// where there is one.
	Purpose  sop.Purpose
	By       rotation.Who
	Reviewed *rotation.Plan
}

func (s *Served) beside(ctx context.Context, tx *sql.Tx, said Said) error {
	if s.Beside == nil {
		return nil
	}
	return s.Beside(ctx, tx, said)
}

// word is the confirmation that goes with what is said: it answers what the run asks now,
// or, where it asks nothing yet, what it will.
func (s *Served) word(ctx context.Context, a Advancing, state *rotation.State, now time.Time) *rotation.Word {
	if a.Confirm == "" {
		return nil
	}
	w := &rotation.Word{How: s.How}
	if w.How == "" {
		w.How = confirming(ctx)
	}
	if d := rotation.Next(state, now, false); d.Ask != nil {
		w.Answers = d.Ask.Digest()
	}
	return w
}

// BeginServed opens a run, as Open does, and leaves it to a worker to carry it out. It is
// refused as Open is.
func (e *Estate) BeginServed(ctx context.Context, o Opening, s Served) (run string, err error) {
	w, c, err := e.begin(ctx, o, here{service: &s})
	if err != nil {
		return "", err
	}
	defer w.close()
	return c.first[0].Run, nil
}

// SayServed writes down that a person wants an open run to go on, and leaves that to a
// worker. It is refused as Advance is.
func (e *Estate) SayServed(ctx context.Context, a Advancing, s Served) (run string, err error) {
	return e.served(ctx, a, nil, s)
}

// TurnServed writes down that a person wants a run to go back. It is refused as GoBack is.
func (e *Estate) TurnServed(ctx context.Context, b Backing, s Served) (run string, err error) {
	return e.served(ctx, Advancing{Run: b.Run, Without: b.Without}, &rotation.Asked{Reason: b.Reason}, s)
}

// heardWithin is how often what a person says is tried to be written while a worker
// writes to the same run.
const heardWithin = 20

func (e *Estate) served(ctx context.Context, a Advancing, asked *rotation.Asked, s Served) (string, error) {
	for try := 1; ; try++ {
		w, c, err := e.say(ctx, a, asked, here{service: &s})
		if err == nil {
			w.close()
			return c.first[0].Run, nil
		}
		// A worker has written between the look and the word: what was looked at may be
		// otherwise now.
		if CodeOf(err) != Overtaken || try == heardWithin || ctx.Err() != nil {
			return "", err
		}
	}
}

// Worker is a process of a service that carries runs out.
type Worker struct {
	Name string      // of the process, for the record
	Held *lease.Held // the lease on the run, which the caller keeps and lets go of
	// Reviewed is the plan that has to come out again, where the run was opened with one.
	Reviewed *rotation.Plan
	// Limits are what all workers know of the vendors' rate limits; nil: each on its own.
	Limits vendorhttp.Limits
	// Person does by hand what no request can; nil: no person can be asked here.
	Person func(ctx context.Context, t Task) (Answer, error)
	// Park tells whether to let go of the run for the time of a wait; nil: never.
	Park func(rotation.Wait) bool
	// Keeps is told of such a wait for which the run cannot be let go of, and why, before it
	// is slept through; over is called after it. nil: nobody is.
	Keeps func(w rotation.Wait, why string) (over func())
}

// Carry carries an open run out as a worker. No role is asked for: what people have
// decided stands in the journal, and the worker asks nobody. It ends as Advance does, or
// parked; a run that is over already is not an error. NewerRun: a newer version is to.
func (e *Estate) Carry(ctx context.Context, run string, by Worker, f Face) (Ended, error) {
	opened, err := e.openedAs(ctx, run)
	if err != nil {
		return Ended{}, err
	}
	spec, err := e.resumed(Summary{Run: run, Credential: opened.Credential, Purpose: opened.Spec.Purpose})
	if err != nil {
		return Ended{}, err
	}
	w, err := e.prepare(spec, func(w *work) { w.limits = by.Limits })
	if err != nil {
		return Ended{}, err
	}
	defer w.close()
	w.unattended, w.held, w.asks = by.Person == nil, by.Held, by.Person
	w.by = rotation.Who{Name: by.Name, How: "worker"}
	events, recorder, err := w.book.Take(ctx, spec.Name, run)
	if err != nil {
		return Ended{}, notTaken(err, spec.Name, run)
	}
	recorder.Words = true
	recorder.With = func(ctx context.Context, tx *sql.Tx) error { return by.Held.Check(ctx, tx) }
	w.recorder = recorder
	state := rotation.Fold(events)
	if state.Closed != nil { // whoever closed it ended before it was signed, perhaps
		return Ended{State: state, Evidence: w.attest(ctx)}, nil
	}
	w.lookBack(ctx, f.Behind)
	if !by.Held.Clean {
		w.outlast(ctx, state)
	}
	state.Past = events
	first := rotation.Event{At: e.now().UTC(), Run: run, Kind: rotation.KindResumed, Resumed: &rotation.Resumed{Actor: w.by.Name, By: &w.by, Tool: e.here.Tool, Worker: by.Name, Clean: by.Held.Clean}}
	if err := (enduring{recorder, by.Held}).Append(context.WithoutCancel(ctx), first); err != nil {
		return Ended{}, w.stopped(ctx, err, state)
	}
	return w.carryOut(ctx, carrying{state: state, recorder: recorder, first: []rotation.Event{first}, worker: true, park: by.Park, keeps: by.Keeps, reviewed: by.Reviewed}, f)
}

// outlast waits until no request of the process that was at the run before can be under
// way any more: what it may have done is looked at after that.
func (w *work) outlast(ctx context.Context, state *rotation.State) {
	if d := state.Until.Sub(w.now()); d > 0 {
		_ = w.here.Clock.Sleep(ctx, min(d, w.held.Term())) // no lease is longer, whatever the clocks say
	}
}

// openedAs is what a run was opened as.
func (e *Estate) openedAs(ctx context.Context, run string) (opened *rotation.Opened, err error) {
	err = e.withJournal(ctx, func(book history.Book) error {
		events, err := book.Events(ctx, run)
		if err == nil && len(events) == 0 {
			return &Error{Code: NoRun, Run: run}
		}
		if err == nil {
			opened = events[0].Opened
		}
		return err
	})
	return opened, err
}

// Journal opens the journal that the operations work with, for who follows runs while
// they happen. The caller calls close.
func (e *Estate) Journal() (j *journal.Journal, close func() error, err error) {
	if e.here.Journal != nil {
		return e.here.Journal, func() error { return nil }, nil
	}
	if j, err = e.place().Write(context.Background()); err != nil {
		return nil, nil, failed(err)
	}
	return j, j.Close, nil
}
