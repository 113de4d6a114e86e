package engine

import (
	"context"
	"time"

	"rekey/internal/estate"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/rotation"
)

// Follow tells f of a run's events after seq, which is a number of the journal, whoever
// advances it: those up to seq as the past, those that were there already after it, and
// then each as it happens, with its number (Event.Seq). Face.Call and Face.Confirm are
// not called: requests are a worker's, and confirming is TakeUp.
//
// It returns when the run is over, stuck, or waits for a person with nobody at it, or
// when ctx is done (Ended.Detached), which changes nothing for the run.
//
// Refused: NoRun. Whatever else goes wrong with the worker is tried again by it, and
// ends Follow with that error, if nobody is at the run by then.
func (e *Engine) Follow(ctx context.Context, run string, after int64, f estate.Face) (estate.Ended, error) {
	follower, err := e.follower(ctx, run, after, f)
	if err != nil {
		return estate.Ended{}, err
	}
	defer f.End()
	return follower.follow(ctx)
}

// follower reads a run from the journal and tells of it.
type follower struct {
	*Engine
	book  history.Book
	run   string
	face  estate.Face
	state *rotation.State
	seen  int64 // number of the newest event that was told
	waits rotation.Wait
}

func (e *Engine) follower(ctx context.Context, run string, after int64, f estate.Face) (*follower, error) {
	book, err := e.book()
	if err != nil {
		return nil, err
	}
	out := &follower{Engine: e, book: book, run: run, face: f, state: rotation.NewState()}
	entries, err := book.J.Run(ctx, run)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, &estate.Error{Code: estate.NoRun, Run: run}
	}
	n := 0
	for n < len(entries) && entries[n].Seq <= after {
		n++
	}
	past, err := history.Decode(entries[:n])
	if err != nil {
		return nil, err
	}
	for i, e := range past {
		out.state.Apply(e)
		out.seen = entries[i].Seq
	}
	f.Past(past)
	return out, nil
}

// follow tells of events until nobody advances the run any more.
func (f *follower) follow(ctx context.Context) (estate.Ended, error) {
	for {
		// In this order: who is at it is asked before the journal is read, or what he
		// wrote last could be missed.
		changed, at, trouble := f.standing(f.run)
		entries, err := f.book.J.RunAfter(ctx, f.run, f.seen)
		if err == nil {
			err = f.tell(entries)
		}
		switch {
		case ctx.Err() != nil:
			return estate.Ended{State: f.state, Detached: true}, nil
		case err != nil:
			return estate.Ended{State: f.state}, err
		case f.state.Closed != nil || f.state.Stuck != nil && !at:
			return estate.Ended{State: f.state}, nil
		case at:
		case trouble != nil:
			return estate.Ended{State: f.state}, trouble
		case f.asks():
			return estate.Ended{State: f.state, Waiting: estate.Unconfirmed}, nil
		}
		f.tellWait()
		select {
		case <-ctx.Done():
		case <-changed:
		case <-time.After(f.o.Poll):
		}
	}
}

// asks tells whether the run waits for a person.
func (f *follower) asks() bool {
	d := rotation.Next(f.state, f.o.Now(), false)
	return d.Ask != nil && !f.state.Answered(*d.Ask)
}

func (f *follower) tell(entries []journal.Entry) error {
	events, err := history.Decode(entries)
	if err != nil {
		return err
	}
	for i, e := range events {
		f.state.Apply(e)
		f.seen, f.waits = entries[i].Seq, rotation.Wait{}
		f.face.Event(e)
		if e.Intent != nil {
			f.face.Starts(f.begun(*e.Intent))
		}
	}
	return nil
}

// begun are the steps that an intent is about.
func (f *follower) begun(in rotation.Intent) (out []rotation.Action) {
	for _, id := range in.Steps {
		if st, ok := f.state.Plan.Step(id); ok {
			out = append(out, rotation.Action{Step: st, Generation: in.Generation})
		}
	}
	return out
}

// tellWait tells once what is being waited for.
func (f *follower) tellWait() {
	d := rotation.Next(f.state, f.o.Now(), true)
	if d.Wait == nil || d.Wait.Until.Equal(f.waits.Until) {
		return
	}
	f.waits = *d.Wait
	f.face.Waits(*d.Wait)
}
