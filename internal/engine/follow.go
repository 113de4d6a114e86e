package engine

import (
	"cmp"
	"context"
	"errors"
	"time"

	"rekey/internal/estate"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/lease"
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
	in    *opened
	run   string
	face  estate.Face
	state *rotation.State
	seen  int64 // number of the newest event that was told
	waits rotation.Wait
	// changed is sent to when this process has written to the run.
	changed chan struct{}
}

func (e *Engine) follower(ctx context.Context, run string, after int64, f estate.Face) (*follower, error) {
	in, err := e.open(ctx)
	if err != nil {
		return nil, err
	}
	out := &follower{Engine: e, in: in, run: run, face: f, state: rotation.NewState(), changed: make(chan struct{}, 1)}
	entries, err := in.journal.Run(ctx, run)
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
	defer f.following(f)()
	for {
		// In this order: who is at it is asked before the journal is read, or what he
		// wrote last could be missed.
		row, trouble, err := f.standing(ctx)
		at := row.Holder != "" || !row.Wake.IsZero()
		var entries []journal.Entry
		if err == nil {
			entries, err = f.in.journal.RunAfter(ctx, f.run, f.seen)
		}
		if err == nil {
			err = f.tell(entries)
		}
		switch {
		case ctx.Err() != nil:
			return estate.Ended{State: f.state, Detached: true}, nil
		case err != nil:
			return estate.Ended{State: f.state}, err
		case f.state.Closed != nil && (row.Holder == "" || row.Lapsed), f.state.Stuck != nil && !at:
			// Whoever closed it has let go of it, and has told what he saw, or has died.
			return f.told(ctx, "")
		case trouble != nil:
			return estate.Ended{State: f.state}, trouble
		case at:
		default:
			return f.told(ctx, cmp.Or(row.Waits, nobody))
		}
		f.tellWait()
		select {
		case <-ctx.Done():
		case <-f.changed:
		case <-time.After(f.o.Poll):
		}
	}
}

// told is how the run came to rest: whoever was at it has let go of it, and kept what it has
// seen beside the events.
func (f *follower) told(ctx context.Context, waiting string) (estate.Ended, error) {
	return estate.Rested(ctx, f.in.journal, estate.Ended{State: f.state, Waiting: waiting})
}

// nobody is why a run waits that no worker takes up by itself.
const nobody = "no process is working on it; it continues when somebody resumes it"

// enough is how often in a row a run could not be carried out before whoever follows it
// is told: the workers try on.
const enough = 3

// standing tells how the run stands with the workers: whether one is at it or will be, and
// what goes wrong again and again.
func (f *follower) standing(ctx context.Context) (r lease.Row, trouble, err error) {
	rows, err := f.in.leases.Rows(ctx, f.run)
	if err != nil || len(rows) == 0 {
		return r, nil, err
	}
	r = rows[0]
	if r.Holder == "" && r.Tries >= enough {
		f.mu.Lock()
		trouble = f.failed[f.run]
		f.mu.Unlock()
		if trouble == nil {
			trouble = &estate.Error{Code: estate.Stopped, Credential: r.Credential, Run: f.run, Live: f.state.Live(), Err: errors.New(r.Trouble)}
		}
	}
	return r, trouble, nil
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
