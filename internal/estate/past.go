package estate

import (
	"context"
	"slices"

	"rekey/internal/history"
)

// OpenRuns folds every open run.
func (e *Estate) OpenRuns(ctx context.Context) ([]OpenRun, error) {
	runs, err := e.Runs(ctx)
	if err != nil || !slices.ContainsFunc(runs, Summary.Open) {
		return nil, err
	}
	var out []OpenRun
	err = e.withJournal(ctx, func(book history.Book) error {
		for _, r := range runs {
			if !r.Open() {
				continue
			}
			st, err := book.State(ctx, r.Run)
			if err != nil {
				return err
			}
			out = append(out, OpenRun{Summary: r, Final: st.Final})
		}
		return nil
	})
	return out, err
}

// Log returns everything that the journal holds of a run.
func (e *Estate) Log(ctx context.Context, run string) (Logged, error) {
	var out Logged
	err := e.withJournal(ctx, func(book history.Book) (err error) {
		if out.Events, err = book.Events(ctx, run); err != nil {
			return err
		}
		if len(out.Events) == 0 {
			return &Error{Code: NoRun, Run: run}
		}
		out.Entries, err = book.J.Run(ctx, run)
		return err
	})
	return out, err
}
