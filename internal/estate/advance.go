package estate

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Advance takes an open run up again.
func (e *Estate) Advance(ctx context.Context, a Advancing, f Face) (Ended, error) {
	return e.goOn(ctx, a, nil, f)
}

// GoBack turns an open run back.
func (e *Estate) GoBack(ctx context.Context, b Backing, f Face) (Ended, error) {
	return e.goOn(ctx, Advancing{Run: b.Run, Without: b.Without}, &rotation.Asked{Reason: b.Reason}, f)
}

// goOn takes an open run up again, forward or, where that was asked, back.
func (e *Estate) goOn(ctx context.Context, a Advancing, asked *rotation.Asked, f Face) (Ended, error) {
	w, c, err := e.say(ctx, a, asked, here{behind: f.Behind})
	if err != nil {
		return Ended{}, err
	}
	defer w.close()
	return w.carryOut(ctx, c, f)
}

// say writes down what a person wants of an open run. Unless there is an error, the
// caller closes what it returns.
func (e *Estate) say(ctx context.Context, a Advancing, asked *rotation.Asked, by here) (w *work, c carrying, err error) {
	reason := a.Reason
	if asked != nil {
		reason = asked.Reason
	}
	if err := reasoned(a.Without, reason); err != nil {
		return nil, c, err
	}
	run, err := e.pick(ctx, a.Run)
	if err != nil {
		return nil, c, err
	}
	spec, err := e.resumed(run)
	if err != nil {
		return nil, c, err
	}
	if w, err = e.prepare(spec); err != nil {
		return nil, c, err
	}
	defer func() {
		if err != nil {
			w.close()
			w = nil
		}
	}()
	if err := w.named(ctx); err != nil {
		return w, c, err
	}
	if by.service == nil {
		if err := w.lock(); err != nil {
			return w, c, err
		}
		if err := w.seize(ctx, run.Run); err != nil {
			return w, c, err
		}
	}
	// Read only now: until the lock was ours another process may have written.
	events, recorder, err := w.book.Take(ctx, spec.Name, run.Run)
	if err != nil {
		return w, c, notTaken(err, spec.Name, run.Run)
	}
	state := rotation.Fold(events)
	w.recorder = recorder
	w.holding(state)
	recorder.With, recorder.Words = w.saying(by, run.Run), w.held != nil
	if err := w.mayGoOn(ctx, run, state, a, asked != nil); err != nil {
		return w, c, err
	}
	if by.behind != nil {
		w.lookBack(ctx, by.behind)
	}
	state.Past = events
	var first []rotation.Event
	if asked != nil {
		asked.Actor, asked.By = w.by.Name, &w.by
		first = append(first, rotation.Event{At: e.now().UTC(), Run: run.Run, Kind: rotation.KindAsked, Asked: asked})
	}
	resumed := &rotation.Resumed{Actor: w.by.Name, By: &w.by, Tool: e.here.Tool, Reason: a.Reason, Despite: a.Despite, Request: askedBy(ctx)}
	if by.service != nil && !w.retiringWanted(state) {
		resumed.Word = by.service.word(ctx, a, state, e.now())
	}
	first = append(first, rotation.Event{At: e.now().UTC(), Run: run.Run, Kind: rotation.KindResumed, Resumed: resumed})
	answer := Taken{Run: run.Run, After: recorder.Seen()}
	err = recorder.Begin(context.WithoutCancel(ctx), func(ctx context.Context, _ history.Book, tx *sql.Tx) error {
		return e.done(ctx, tx, answer)
	}, first...)
	if errors.Is(err, journal.ErrOvertaken) {
		return w, c, w.stopped(ctx, err, state)
	} else if refused, coded := errors.AsType[*Error](err); coded {
		return w, c, refused
	} else if err != nil {
		return w, c, &Error{Code: Unwritable, Err: err}
	}
	return w, carrying{state: state, recorder: recorder, first: first, confirm: a.Confirm}, nil
}

// resumed is the spec with which a run is taken up: what it does stands in the journal.
func (e *Estate) resumed(run Summary) (sop.Spec, error) {
	spec, err := e.config.Spec(run.Credential)
	switch {
	case err != nil:
		return spec, &Error{Code: NoCredential, Credential: run.Credential, Run: run.Run, Err: err}
	case run.Purpose == sop.ToRehearse && spec.Rehearse == nil:
		return spec, &Error{Code: RehearsalGone, Run: run.Run}
	case run.Purpose == sop.ToRehearse:
		spec = spec.ForRehearsal()
	case emergency(run.Purpose):
		spec.Purpose = run.Purpose // nothing of a rate limit is left to others
	}
	return spec, nil
}

func emergency(p sop.Purpose) bool { return p == sop.ToRevoke || p == sop.ToDelete }

// mayGoOn refuses what cannot be done to a run as it stands, and by whom it cannot.
func (w *work) mayGoOn(ctx context.Context, run Summary, state *rotation.State, a Advancing, back bool) error {
	switch {
	case state.Closed != nil:
		return &Error{Code: RunOver, Run: run.Run, Ending: state.Closed.Ending}
	case back && state.Final:
		return &Error{Code: PastReturn, Run: run.Run}
	case a.Confirm != "" && a.Confirm != w.spec.Name:
		return &Error{Code: OtherName, Name: a.Confirm, Credential: w.spec.Name}
	}
	if a.Confirm != "" && !back {
		if err := w.mayConfirm(ctx, state); err != nil {
			return err
		}
	}
	if err := w.placesKnown(a.Despite); err != nil {
		return err
	}
	for _, key := range a.Despite {
		if !slices.ContainsFunc(state.Held(), func(c rotation.Copy) bool { return c.Key == key }) {
			return &Error{Code: NotHeld, Place: key, Run: run.Run}
		}
	}
	if a.Without && !back && !emergency(run.Purpose) {
		return &Error{Code: RoleNeeded, Run: run.Run}
	}
	op := sop.OpResume
	if back {
		op = sop.OpRollback
	}
	return w.may(ctx, op, a.Without, w.spec)
}

// pick finds the run that is meant: the one named, or the only open one.
func (e *Estate) pick(ctx context.Context, id string) (Summary, error) {
	if id != "" {
		return e.OneRun(ctx, id)
	}
	going, err := e.OpenRuns(ctx)
	if err != nil {
		return Summary{}, err
	}
	open := make([]Summary, len(going))
	for i, r := range going {
		open[i] = r.Summary
	}
	switch {
	case len(open) == 0:
		return Summary{}, &Error{Code: NoneOpen}
	case len(open) > 1:
		return Summary{}, &Error{Code: SeveralOpen, Open: open}
	}
	return open[0], nil
}
