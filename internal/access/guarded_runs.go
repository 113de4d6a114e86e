package access

import (
	"context"

	"rekey/internal/estate"
	"rekey/internal/sop"
)

// Open is for whoever may open a run of this purpose.
func (g *Guarded) Open(ctx context.Context, o estate.Opening, f estate.Face) (estate.Ended, error) {
	if err := g.opening(ctx, o); err != nil {
		return estate.Ended{}, err
	}
	return g.inner.Open(ctx, o, f)
}

// Begin is for whoever may open a run of this purpose.
func (g *Guarded) Begin(ctx context.Context, o estate.Opening) (string, error) {
	if err := g.opening(ctx, o); err != nil {
		return "", err
	}
	return g.inner.Begin(ctx, o)
}

// Answered is for whoever has asked before: the key of a request is the caller's own.
func (g *Guarded) Answered(ctx context.Context) error {
	if _, ok := From(ctx); !ok {
		return errNobody()
	}
	return g.inner.Answered(ctx)
}

// Advance wants a fresh sign-in where it confirms what cannot be undone.
func (g *Guarded) Advance(ctx context.Context, a estate.Advancing, f estate.Face) (estate.Ended, error) {
	var err error
	if a.Run, err = g.onward(ctx, sop.OpResume, a.Run, a.Without, a.Confirm != ""); err != nil {
		return estate.Ended{}, err
	}
	return g.inner.Advance(ctx, a, f)
}

// TakeUp wants a fresh sign-in where it confirms what cannot be undone.
func (g *Guarded) TakeUp(ctx context.Context, a estate.Advancing) (string, error) {
	var err error
	if a.Run, err = g.onward(ctx, sop.OpResume, a.Run, a.Without, a.Confirm != ""); err != nil {
		return "", err
	}
	return g.inner.TakeUp(ctx, a)
}

// MayHandOver is for whoever may resume this run, with a fresh sign-in: what he hands over
// becomes the credential, or ends it.
func (g *Guarded) MayHandOver(ctx context.Context, run string) error {
	_, err := g.onward(ctx, sop.OpResume, run, false, true)
	return err
}

// GoBack is for whoever may roll this credential back.
func (g *Guarded) GoBack(ctx context.Context, b estate.Backing, f estate.Face) (estate.Ended, error) {
	var err error
	if b.Run, err = g.onward(ctx, sop.OpRollback, b.Run, b.Without, false); err != nil {
		return estate.Ended{}, err
	}
	return g.inner.GoBack(ctx, b, f)
}

// TurnBack is for whoever may roll this credential back.
func (g *Guarded) TurnBack(ctx context.Context, b estate.Backing) (string, error) {
	var err error
	if b.Run, err = g.onward(ctx, sop.OpRollback, b.Run, b.Without, false); err != nil {
		return "", err
	}
	return g.inner.TurnBack(ctx, b)
}

// Follow is for whoever may read the run's log.
func (g *Guarded) Follow(ctx context.Context, run string, after int64, f estate.Face) (estate.Ended, error) {
	run, err := g.run(ctx, sop.OpLog, run, false)
	if err != nil {
		return estate.Ended{}, err
	}
	return g.inner.Follow(ctx, run, after, f)
}

// PlanBack asks no vendor: it is a look at a run.
func (g *Guarded) PlanBack(ctx context.Context, run string) (estate.BackPlan, error) {
	run, err := g.run(ctx, sop.OpLog, run, false)
	if err != nil {
		return estate.BackPlan{}, err
	}
	return g.inner.PlanBack(ctx, run)
}

// Runs are those that whoever asks may read the log of.
func (g *Guarded) Runs(ctx context.Context) ([]estate.Summary, error) {
	sees, err := g.sees(ctx, sop.OpLog)
	if err != nil {
		return nil, err
	}
	all, err := g.inner.Runs(ctx)
	return kept(all, func(s estate.Summary) bool { return sees(s.Credential) }), err
}

// RunsOf are the runs of a credential that whoever asks may read the log of.
func (g *Guarded) RunsOf(ctx context.Context, credential string) ([]estate.Summary, error) {
	sees, err := g.sees(ctx, sop.OpLog)
	if err != nil || !sees(credential) {
		return nil, err
	}
	return g.inner.RunsOf(ctx, credential)
}

// OneRun is of one run.
func (g *Guarded) OneRun(ctx context.Context, run string) (estate.Summary, error) {
	run, err := g.run(ctx, sop.OpLog, run, false)
	if err != nil {
		return estate.Summary{}, err
	}
	return g.inner.OneRun(ctx, run)
}

// OpenRuns are those that whoever asks may read the log of.
func (g *Guarded) OpenRuns(ctx context.Context) ([]estate.OpenRun, error) {
	sees, err := g.sees(ctx, sop.OpLog)
	if err != nil {
		return nil, err
	}
	all, err := g.inner.OpenRuns(ctx)
	return kept(all, func(o estate.OpenRun) bool { return sees(o.Credential) }), err
}

// Log is of one run.
func (g *Guarded) Log(ctx context.Context, run string) (estate.Logged, error) {
	run, err := g.run(ctx, sop.OpLog, run, false)
	if err != nil {
		return estate.Logged{}, err
	}
	return g.inner.Log(ctx, run)
}
