package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"rekey/internal/api"
	"rekey/internal/estate"
	"rekey/internal/rotation"
)

// attend follows a run, and asks the face what only a person can say.
func (c *Client) attend(ctx context.Context, run string, after int64, f estate.Face) (estate.Ended, error) {
	l := &following{Client: c, run: run, face: f, state: rotation.NewState(), seen: after}
	defer f.End()
	if err := l.past(ctx, after); err != nil {
		return l.detached(ctx, err)
	}
	var before estate.Ended
	for {
		ended, err := l.untilItEnds(ctx)
		ended = ended.After(before)
		before = ended
		if err != nil || ended.Waiting == "" {
			return ended, err
		}
		ask := l.asked
		if ask == nil {
			ask = rotation.Next(l.state, c.o.Now(), false).Ask
		}
		if ask == nil {
			return ended, nil
		}
		_, err = f.Confirm(ctx, *ask)
		if errors.Is(err, estate.ErrNotConfirmed) {
			return ended, nil
		}
		if err != nil {
			return ended, err
		}
		l.asked = nil
		var taken estate.Taken
		if err := c.once(ctx, "advanceRun", run, api.Advancing{Confirm: ask.Name}, &taken); err != nil {
			return ended, err
		}
	}
}

// following is a run that is followed.
type following struct {
	*Client
	run   string
	face  estate.Face
	state *rotation.State // the fold of everything that was told
	seen  int64           // number of the last event that was told
	asked *rotation.Ask   // what a person is to confirm, where the server said so
}

// past tells what was done before, where something was.
func (l *following) past(ctx context.Context, after int64) error {
	if after == 0 {
		l.face.Past(nil)
		return nil
	}
	logged, err := l.Log(ctx, l.run)
	if err != nil {
		return err
	}
	past := slices.DeleteFunc(logged.Events, func(e rotation.Event) bool { return e.Seq > after })
	l.face.Past(past)
	for _, e := range past {
		l.state.Apply(e)
	}
	l.state.Past = past
	return nil
}

// untilItEnds reads the stream of the run, and takes it up again where it breaks.
func (l *following) untilItEnds(ctx context.Context) (estate.Ended, error) {
	until := l.o.Now().Add(l.o.Patience)
	for wait := time.Second / 2; ; wait = min(2*wait, 10*time.Second) {
		before := l.seen
		ended, err := l.stream(ctx)
		switch {
		case err == nil && !ended.Detached:
			return ended, nil
		case ctx.Err() != nil:
			return l.detached(ctx, nil)
		case err != nil:
			if estate.CodeOf(err) == estate.NotIdentified {
				// What it came with was good before, and is no longer. The run goes on.
				return l.detached(ctx, &lost{err})
			}
			// What was cut off at the server's end is asked for again.
			if _, again := errors.AsType[*lost](err); !again && estate.CodeOf(err) != estate.Interrupted {
				return estate.Ended{State: l.state}, err
			}
		}
		if l.seen > before { // it goes on: the patience begins anew
			until, wait = l.o.Now().Add(l.o.Patience), time.Second/2
		}
		if l.o.Now().After(until) {
			return l.detached(ctx, err)
		}
		if l.o.Sleep(ctx, wait) != nil {
			return l.detached(ctx, nil)
		}
	}
}

// detached: the run goes on at the server, and nobody here sees it.
func (l *following) detached(ctx context.Context, err error) (estate.Ended, error) {
	if ctx.Err() != nil || err == nil {
		return estate.Ended{State: l.state, Detached: true}, nil
	}
	if lost, is := errors.AsType[*lost](err); is {
		err = &estate.Error{Code: estate.Failed, Run: l.run, Err: fmt.Errorf("the run continues on the server, but cannot be followed from here: %w", lost.err)}
	}
	return estate.Ended{State: l.state}, err
}

// silent is how long a stream may say nothing: several of the server's signs of life.
const silent = time.Minute

// stream reads one stream to its end. A lost error: it broke off.
func (l *following) stream(ctx context.Context) (estate.Ended, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// A connection that is dead at its other end says nothing of it; the server says
	// something now and then.
	silence := time.AfterFunc(silent, cancel)
	defer silence.Stop()
	resp, err := l.send(ctx, asking{id: "followRun", run: l.run, query: url.Values{"after": {strconv.FormatInt(l.seen, 10)}}})
	if err != nil {
		return estate.Ended{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	var out *estate.Ended
	err = parts(resp.Body, func() { silence.Reset(silent) }, func(data []byte) error {
		var told api.Told
		if err := json.Unmarshal(data, &told); err != nil {
			return l.strange("an event of the run cannot be read")
		}
		switch {
		case told.Problem != nil:
			return told.Problem.Err()
		case told.Ended != nil:
			out = l.ended(told.Ended)
		default:
			l.tell(told)
		}
		return nil
	})
	switch {
	case out != nil:
		return *out, nil
	case err != nil:
		return estate.Ended{}, err
	}
	return estate.Ended{}, unanswered(errors.New("the stream of the run ended early"))
}

func (l *following) ended(e *api.Ended) *estate.Ended {
	out := &estate.Ended{State: l.state, Waiting: e.Waiting, Detached: e.Detached, Others: e.Others, Calls: e.Calls}
	if e.Evidence != nil {
		out.Evidence = *e.Evidence
	}
	return out
}

// tell tells the face what the stream says.
func (l *following) tell(t api.Told) {
	switch {
	case t.Event != nil:
		if t.Event.Seq <= l.seen {
			return // told already
		}
		l.seen, l.asked = t.Event.Seq, nil
		l.state.Apply(*t.Event)
		l.face.Event(*t.Event)
	case t.Behind != "":
		l.face.Behind(errors.New(t.Behind))
	case len(t.Starts) > 0:
		l.face.Starts(t.Starts)
	case t.Waits != nil:
		l.face.Waits(*t.Waits)
	case t.Call != nil:
		l.face.Call(*t.Call)
	case t.Ask != nil:
		l.asked = t.Ask
	}
}
