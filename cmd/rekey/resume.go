package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

func (a *app) resumeCommand() *cobra.Command {
	var f runFlags
	var reason string
	c := &cobra.Command{
		Use: "resume [RUN]", Short: "Go on with a run that was killed, interrupted, stuck or is waiting",
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: a.completeOpenRuns,
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.reasoned(f.without, reason); err != nil {
				return err
			}
			f.reason = reason
			return a.goOn(c.Context(), args, f, nil)
		},
	}
	f.add(c, false)
	despiteFlag(c, &f.despite)
	c.Flags().StringVar(&reason, "reason", "", "why, for the record")
	c.Flags().BoolVar(&f.without, "without-role", false, "go on with an emergency although you lack the required role; wants --reason, and is recorded")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "show again what was done before")
	return c
}

func (a *app) rollbackCommand() *cobra.Command {
	var reason string
	var f runFlags
	var only bool
	c := &cobra.Command{
		Use: "rollback RUN", Short: "Undo everything that an open run has done",
		Long: `Undo everything that an open run has done: consumers and store get their old
values back, then the new credential is taken away. Possible until the point of
no return, which is the intent to delete the old credential.`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeOpenRuns,
		RunE: func(c *cobra.Command, args []string) error {
			if only {
				return a.wouldGoBack(c.Context(), args[0])
			}
			if err := a.reasoned(f.without, reason); err != nil {
				return err
			}
			return a.goOn(c.Context(), args, f, &rotation.Asked{Reason: reason})
		},
	}
	planFlag(c, &only)
	c.Flags().StringVar(&reason, "reason", "", "why, for the record")
	withoutRole(c, &f.without)
	return c
}

// goOn takes an open run up again, forward or back.
func (a *app) goOn(ctx context.Context, args []string, f runFlags, asked *rotation.Asked) error {
	config, err := a.load()
	if err != nil {
		return err
	}
	run, err := a.pick(ctx, config, args)
	if err != nil {
		return err
	}
	spec, err := config.Spec(run.Credential)
	if err != nil {
		return exit{exitUsage, err}
	}
	if run.Purpose == sop.ToRehearse {
		if spec.Rehearse == nil {
			return usage("run %s is a rehearsal, and rekey.yaml does not say any more where that is", run.Run)
		}
		spec = spec.ForRehearsal()
	}
	if run.Purpose == sop.ToRevoke || run.Purpose == sop.ToDelete {
		spec.Purpose = run.Purpose // nothing of a rate limit is left to others
	}
	w, err := a.prepare(config, spec)
	if err != nil {
		return err
	}
	defer w.close()
	unlock, err := w.lock()
	if err != nil {
		return err
	}
	defer unlock()
	// Read only now: until the lock was ours another process may have written.
	events, recorder, err := w.book.Take(ctx, spec.Name, run.Run)
	if err != nil {
		return exit{exitFailed, err}
	}
	state := rotation.Fold(events)
	switch {
	case state.Closed != nil:
		return usage("run %s is over: %s\n  next  rekey log %s", run.Run, state.Closed.Ending, run.Run)
	case asked != nil && state.Final:
		return exit{exitFailed, fmt.Errorf("run %s is past the point of no return: the old credential may be deleted, so there is nothing to go back to\n  next  rekey resume %s", run.Run, run.Run)}
	case f.confirm != "" && f.confirm != spec.Name:
		return usage("--confirm says %s, but this is %s", f.confirm, spec.Name)
	}
	if err := placesKnown(config, f.despite); err != nil {
		return err
	}
	for _, key := range f.despite {
		if !slices.ContainsFunc(state.Held(), func(c rotation.Copy) bool { return c.Key == key }) {
			return usage("--despite %s: the run has found nobody of that name who holds the credential\n  next  rekey log %s", key, run.Run)
		}
	}
	emergency := run.Purpose == sop.ToRevoke || run.Purpose == sop.ToDelete
	if f.without && asked == nil && !emergency {
		return usage("without the required role an emergency may be carried out and any run be undone, but a rotation cannot be resumed\n  next  rekey rollback %s --without-role --reason \"what happened\"", run.Run)
	}
	if err := w.may(ctx, f.without); err != nil {
		if emergency && asked == nil && errors.As(err, new(noRole)) {
			err = exit{exitFailed, fmt.Errorf("%w\n  or    %s", err, a.again("--without-role", "--reason", "what happened"))}
		}
		return err
	}
	w.verbose = f.verbose
	w.lookBack(ctx)
	state.Past = events
	var first []rotation.Event
	if asked != nil {
		asked.Actor, asked.By = w.by.Name, &w.by
		first = append(first, rotation.Event{At: a.now().UTC(), Run: run.Run, Kind: rotation.KindAsked, Asked: asked})
	}
	first = append(first, rotation.Event{At: a.now().UTC(), Run: run.Run, Kind: rotation.KindResumed, Resumed: &rotation.Resumed{Actor: w.by.Name, By: &w.by, Tool: version, Reason: f.reason, Despite: f.despite}})
	if err := recorder.Append(context.WithoutCancel(ctx), first...); errors.Is(err, journal.ErrOvertaken) {
		return w.stopped(ctx, err, state)
	} else if err != nil {
		return exit{exitFailed, fmt.Errorf("the journal cannot be written, so nothing was done: %w", err)}
	}
	return w.carryOut(ctx, state, recorder, first, f.confirm, nil)
}

// pick finds the run that is meant: the one named, or the only open one.
func (a *app) pick(ctx context.Context, config *sop.Config, args []string) (history.Summary, error) {
	runs, err := a.runs(ctx, config)
	if err != nil {
		return history.Summary{}, err
	}
	var open []history.Summary
	for _, r := range runs {
		if len(args) == 1 && r.Run == args[0] {
			return r, nil
		}
		if r.Open() {
			open = append(open, r)
		}
	}
	switch {
	case len(args) == 1:
		return history.Summary{}, usage("the journal knows no run %s\n  next  rekey log", args[0])
	case len(open) == 0:
		return history.Summary{}, usage("no run is open\n  next  rekey status")
	case len(open) > 1:
		var b strings.Builder
		for _, r := range open {
			_, _ = fmt.Fprintf(&b, "\n  rekey resume %s   # %s, opened %s", r.Run, r.Credential, report.Ago(r.Opened, a.now()))
		}
		return history.Summary{}, usage("several runs are open; which one?%s", b.String())
	}
	return open[0], nil
}

// runs reads the journal; there may be none yet.
func (a *app) runs(ctx context.Context, config *sop.Config) ([]history.Summary, error) {
	j, err := journal.OpenExisting(a.journalDir(config))
	if err == journal.ErrNone {
		return nil, nil
	}
	if err != nil {
		return nil, exit{exitFailed, err}
	}
	defer func() { _ = j.Close() }()
	book := history.Book{J: j}
	if err := sameWorld(ctx, config, book, a.journalDir(config)); err != nil {
		return nil, err
	}
	runs, err := book.Runs(ctx)
	if err != nil {
		return nil, exit{exitFailed, err}
	}
	return runs, nil
}
