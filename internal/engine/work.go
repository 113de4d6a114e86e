package engine

import (
	"context"
	"maps"
	"slices"
	"sync"

	"rekey/internal/estate"
	"rekey/internal/rotation"
)

// enqueue makes a run due.
func (e *Engine) enqueue(run string) {
	e.mu.Lock()
	if e.at[run] {
		e.again[run] = true
	} else {
		e.due[run] = true
	}
	delete(e.failed, run)
	e.mu.Unlock()
	e.tellChange()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// tellChange wakes everybody who follows a run in this process.
func (e *Engine) tellChange() {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.changed)
	e.changed = make(chan struct{})
}

// standing tells how a run stands with the workers: whether one is at it or will be, and
// what went wrong last. changed is closed when that, or the run, is not so any more.
func (e *Engine) standing(run string) (changed <-chan struct{}, at bool, trouble error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changed, e.at[run] || e.due[run], e.failed[run]
}

// Work advances runs until ctx is done: what has begun is finished then, and the runs
// stay open for whoever works next. It begins with those that are open and wait for
// nobody. It is called once.
func (e *Engine) Work(ctx context.Context) error {
	book, err := e.book()
	if err != nil {
		return err
	}
	open, err := book.Going(ctx)
	if err != nil {
		return err
	}
	for _, r := range open {
		st, err := book.State(ctx, r.Run)
		if err != nil {
			return err
		}
		d := rotation.Next(st, e.o.Now(), false)
		if d.Stuck == nil && (d.Ask == nil || st.Answered(*d.Ask)) {
			e.enqueue(r.Run)
		}
	}
	var working sync.WaitGroup
	defer working.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-e.wake:
		}
		for _, run := range e.take() {
			working.Go(func() { e.carry(ctx, run) })
		}
	}
}

// take takes everything that is due.
func (e *Engine) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	runs := slices.Collect(maps.Keys(e.due))
	for _, run := range runs {
		delete(e.due, run)
		e.at[run] = true
	}
	return runs
}

// carry advances one run as far as it goes now.
func (e *Engine) carry(ctx context.Context, run string) {
	e.mu.Lock()
	by := estate.Worker{Name: e.o.Name, Clean: e.clean[run], Reviewed: e.plans[run]}
	delete(e.clean, run)
	e.mu.Unlock()
	_, err := e.o.Estate().Carry(ctx, run, by, face{e})
	again := false
	e.mu.Lock()
	again = e.again[run] || estate.CodeOf(err) == estate.Overtaken && err != nil
	delete(e.at, run)
	delete(e.again, run)
	if err != nil && !again {
		e.failed[run] = err
	}
	e.mu.Unlock()
	if err != nil {
		e.o.Log.Error("a run was not carried out to its end", "run", run, "why", err)
	}
	e.tellChange()
	if again {
		e.enqueue(run)
	}
}

// face wakes those who follow a run when it is written to.
type face struct{ e *Engine }

func (f face) Behind(why error)         { f.e.o.Log.Warn("the journal is behind", "why", why) }
func (f face) Past([]rotation.Event)    {}
func (f face) Event(rotation.Event)     { f.e.tellChange() }
func (f face) Starts([]rotation.Action) {}
func (f face) Waits(rotation.Wait)      {}
func (f face) Call(estate.Call)         {}
func (f face) End()                     {}
func (f face) Confirm(context.Context, rotation.Ask) (string, error) {
	return "", estate.ErrNotConfirmed
}
