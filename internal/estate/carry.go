package estate

import (
	"context"
	"errors"
	"fmt"

	"rekey/internal/approvals"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/lease"
	"rekey/internal/rotation"
)

// carrying is a run that is carried out.
type carrying struct {
	state    *rotation.State // as it was read; Past is shown
	recorder *history.Recorder
	first    []rotation.Event // that were journalled just now
	confirm  string           // the name, given beforehand
	worker   bool             // of a service: what people decided is in the journal
	park     func(rotation.Wait) bool
	keeps    func(rotation.Wait, string) func()
	reviewed *rotation.Plan
}

// confirmedBefore is the word of the record for a name that was given beforehand.
const confirmedBefore = "--confirm"

// carryOut goes on until the run ends in this process, and tells of it.
func (w *work) carryOut(ctx context.Context, c carrying, f Face) (Ended, error) {
	w.recorder, w.face = c.recorder, f
	r := w.runner()
	r.Watch, r.Starts, r.Waits = f.Event, f.Starts, f.Waits
	r.Reviewed, r.Journal = c.reviewed, c.recorder
	if c.worker {
		r.Journal = enduring{c.recorder, w.held}
	}
	w.leased(r, c)
	var gate retiring
	r.Confirm = func(ctx context.Context, ask rotation.Ask) (string, error) {
		var err error
		switch gate, err = w.agreedToRetire(ctx, c.state, ask); {
		case err != nil:
			return "", err
		case gate.wanted && gate.state.Standing != approvals.Agreed:
			return "", ErrNotConfirmed
		case gate.wanted:
			last := gate.state.Given[len(gate.state.Given)-1].By
			r.Actor, r.By = last.Name, &last // whose word it is
			return gate.state.Says(), nil
		}
		switch {
		case c.worker && c.state.Answered(ask):
			r.Actor, r.By = c.state.WordOf.Name, c.state.WordOf // whose word it is
			return c.state.Word.How, nil
		case c.worker:
			return "", ErrNotConfirmed
		case c.confirm == ask.Name:
			return confirmedBefore, nil
		}
		return f.Confirm(ctx, ask)
	}
	f.Past(c.state.Past)
	for _, e := range c.first {
		c.state.Apply(e)
		f.Event(e)
	}
	result, err := r.Run(ctx, c.state)
	f.End()
	if err != nil {
		return Ended{}, w.stopped(ctx, err, c.state)
	}
	out := Ended{State: result.State, Waiting: result.Waiting, Detached: result.Detached, Parked: result.Parked, Clean: result.Clean}
	if result.Parked != nil { // it goes on by itself
		out.Calls = w.called()
		w.tell(ctx, &out)
		return out, nil
	}
	out.Others = w.meanwhile(ctx, r, result.State)
	if gate.wanted && out.Waiting != "" {
		out.Waiting = gate.says()
	}
	out.Evidence, out.Calls = w.attest(ctx), w.called()
	if !out.Detached {
		w.tell(ctx, &out)
	}
	return out, nil
}

// stopped says why this process does not go on with a run that is not over, and what is
// live as far as is known.
func (w *work) stopped(ctx context.Context, err error, state *rotation.State) error {
	if overtaken, ok := errors.AsType[*history.Overtaken](err); ok {
		return w.overtaken(ctx, overtaken, state)
	}
	if errors.Is(err, lease.ErrLost) {
		return w.taken(ctx, err, state)
	}
	out := &Error{Code: Stopped, Credential: w.spec.Name, Run: state.Run, Live: state.Live(), Err: err}
	if replaced, ok := errors.AsType[*journal.Replaced](err); ok {
		out.Dir = replaced.Path
	}
	if kept := ofKeeping(err); kept != nil { // what is to be done about it comes before going on
		out.Err, out.Advice = fmt.Errorf("the journal cannot be written, so nothing more is done: %w", kept.Err), kept.Advice
	}
	return out
}

// taken: the lease on the run was lost, and whoever has taken it up has written to it, or
// will.
func (w *work) taken(ctx context.Context, err error, state *rotation.State) error {
	seen := state.Run
	out := &Error{Code: Overtaken, Credential: w.spec.Name, Run: seen, Live: state.Live(), Err: err}
	events, read := w.book.Events(context.WithoutCancel(ctx), seen)
	if read != nil || len(events) == 0 {
		return out
	}
	state = rotation.Fold(events)
	out.Live = state.Live()
	if state.Closed != nil {
		out.Ending = state.Closed.Ending
	}
	if newest, err := w.book.J.LastOf(context.WithoutCancel(ctx), seen); err == nil && newest.Seq != w.recorder.Seen() {
		out.By = &newest
	}
	return out
}

// overtaken: another process has taken the run up. What is known is read anew, for
// that process has written it; what this one has begun is in the journal as meant.
func (w *work) overtaken(ctx context.Context, o *history.Overtaken, state *rotation.State) error {
	if events, err := w.book.Events(context.WithoutCancel(ctx), o.Run); err == nil && len(events) > 0 {
		state = rotation.Fold(events)
	}
	out := &Error{Code: Overtaken, Credential: w.spec.Name, Run: o.Run, Live: state.Live(), Err: o}
	if o.By.Seq != 0 {
		out.By = &o.By
	}
	if state.Closed != nil {
		out.Ending = state.Closed.Ending
	}
	return out
}
