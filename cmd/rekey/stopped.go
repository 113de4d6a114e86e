package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/report"
	"rekey/internal/rotation"
)

// stopped says why this process does not go on with a run that is not over, what is
// live as far as is known, and the next command.
func (w *work) stopped(ctx context.Context, err error, state *rotation.State) error {
	if overtaken, ok := errors.AsType[*history.Overtaken](err); ok {
		return w.overtaken(ctx, overtaken, state)
	}
	next := "rekey resume " + state.Run
	if replaced, ok := errors.AsType[*journal.Replaced](err); ok {
		next = fmt.Sprintf("put %s back as it was, then: rekey resume %s\n  or    where that cannot be done, see what is live: rekey drift %s", replaced.Path, state.Run, w.spec.Name)
	}
	return exit{exitStuck, fmt.Errorf("%w\n  live  %s\n  next  %s", err, live(state), next)}
}

func live(state *rotation.State) string { return strings.Join(state.Live(), "\n        ") }

// overtaken: another process has taken the run up. What is known is read anew, for
// that process has written it; what this one has begun is in the journal as meant.
func (w *work) overtaken(ctx context.Context, o *history.Overtaken, state *rotation.State) error {
	if events, err := w.book.Events(context.WithoutCancel(ctx), o.Run); err == nil && len(events) > 0 {
		state = rotation.Fold(events)
	}
	if o.By.Seq == 0 {
		return exit{exitLocked, fmt.Errorf("this process has stopped: %w; was the journal set back to an earlier state?\n  live  %s\n  next  rekey status\n  then  rekey resume %s", o, live(state), o.Run)}
	}
	next := "rekey status\n  or    rekey log " + o.Run
	when := report.Ago(o.By.At, w.app.now())
	if state.Closed != nil {
		return exit{exitLocked, fmt.Errorf("another process has taken run %s up and ended it %s, %s; this one has stopped\n  live  %s\n  next  %s", o.Run, when, state.Closed.Ending, live(state), next)}
	}
	return exit{exitLocked, fmt.Errorf("another process is at run %s: it wrote %q to the journal %s, and this one has stopped\n  live  %s\n  next  %s\n  then  once no other process works on it: rekey resume %s",
		o.Run, o.By.Kind, when, live(state), next, o.Run)}
}
