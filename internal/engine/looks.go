package engine

import (
	"context"

	"rekey/internal/estate"
	"rekey/internal/history"
)

// Operations that look, and those on the journal's signatures, are the estate's own.

// Check is the estate's.
func (e *Engine) Check(ctx context.Context, w estate.Wish) (estate.Checked, error) {
	return e.o.Estate().Check(ctx, w)
}

// Plan is the estate's.
func (e *Engine) Plan(ctx context.Context, w estate.Wish) (estate.Planned, error) {
	return e.o.Estate().Plan(ctx, w)
}

// PlanBack is the estate's.
func (e *Engine) PlanBack(ctx context.Context, run string) (estate.BackPlan, error) {
	return e.o.Estate().PlanBack(ctx, run)
}

// Compare is the estate's.
func (e *Engine) Compare(ctx context.Context, credentials []string) (estate.Compared, error) {
	return e.o.Estate().Compare(ctx, credentials)
}

// Discover is the estate's.
func (e *Engine) Discover(ctx context.Context, credentials []string) (estate.Discovered, error) {
	return e.o.Estate().Discover(ctx, credentials)
}

// FormerNames is the estate's.
func (e *Engine) FormerNames(ctx context.Context, credentials []string) (estate.FormerNames, error) {
	return e.o.Estate().FormerNames(ctx, credentials)
}

// Status is the estate's.
func (e *Engine) Status(ctx context.Context, a estate.StatusAsked) (estate.Status, error) {
	return e.o.Estate().Status(ctx, a)
}

// Doctor is the estate's.
func (e *Engine) Doctor(ctx context.Context, credentials []string) ([]estate.Finding, error) {
	return e.o.Estate().Doctor(ctx, credentials)
}

// Document is the estate's.
func (e *Engine) Document(ctx context.Context, d estate.Documenting, each func(estate.Page) error) error {
	return e.o.Estate().Document(ctx, d, each)
}

// Evidence is the estate's.
func (e *Engine) Evidence(ctx context.Context, p estate.Period, lines func([]byte) error) (estate.Evidence, error) {
	return e.o.Estate().Evidence(ctx, p, lines)
}

// Verify is the estate's.
func (e *Engine) Verify(ctx context.Context, v estate.Verifying) (estate.Verified, error) {
	return e.o.Estate().Verify(ctx, v)
}

// Sign is the estate's.
func (e *Engine) Sign(ctx context.Context) (estate.Signed, error) {
	return e.o.Estate().Sign(ctx)
}

// Key is the estate's.
func (e *Engine) Key(ctx context.Context) (public string, err error) {
	return e.o.Estate().Key(ctx)
}

// NewKey is the estate's.
func (e *Engine) NewKey(ctx context.Context, n estate.NewKey) (estate.HandedOver, error) {
	return e.o.Estate().NewKey(ctx, n)
}

// Findings are the estate's.
func (e *Engine) Findings(ctx context.Context) (estate.Findings, error) {
	return e.o.Estate().Findings(ctx)
}

// Acknowledge is the estate's.
func (e *Engine) Acknowledge(ctx context.Context, a estate.Acknowledging) (estate.Acknowledged, error) {
	return e.o.Estate().Acknowledge(ctx, a)
}

// Schedule is the estate's.
func (e *Engine) Schedule(ctx context.Context) (estate.Schedule, error) {
	return e.o.Estate().Schedule(ctx)
}

// Pause is the estate's.
func (e *Engine) Pause(ctx context.Context, reason string) error {
	return e.o.Estate().Pause(ctx, reason)
}

// Continue is the estate's.
func (e *Engine) Continue(ctx context.Context, reason string) error {
	return e.o.Estate().Continue(ctx, reason)
}

// Approvals is the estate's.
func (e *Engine) Approvals(ctx context.Context) ([]estate.Approval, error) {
	return e.o.Estate().Approvals(ctx)
}

// Refuse is the estate's.
func (e *Engine) Refuse(ctx context.Context, a estate.Answering) (estate.Approval, error) {
	return e.o.Estate().Refuse(ctx, a)
}

// TakeBack is the estate's.
func (e *Engine) TakeBack(ctx context.Context, a estate.Answering) (estate.Approval, error) {
	return e.o.Estate().TakeBack(ctx, a)
}

// TellNotices is the estate's.
func (e *Engine) TellNotices(ctx context.Context) (estate.Told, error) {
	return e.o.Estate().TellNotices(ctx)
}

// Whoami is the estate's.
func (e *Engine) Whoami(ctx context.Context) (estate.Whoami, error) {
	return e.o.Estate().Whoami(ctx)
}

// Runs is the estate's.
func (e *Engine) Runs(ctx context.Context) ([]history.Summary, error) {
	return e.o.Estate().Runs(ctx)
}

// RunsOf is the estate's.
func (e *Engine) RunsOf(ctx context.Context, credential string) ([]history.Summary, error) {
	return e.o.Estate().RunsOf(ctx, credential)
}

// OneRun is the estate's.
func (e *Engine) OneRun(ctx context.Context, run string) (history.Summary, error) {
	return e.o.Estate().OneRun(ctx, run)
}

// OpenRuns is the estate's.
func (e *Engine) OpenRuns(ctx context.Context) ([]estate.OpenRun, error) {
	return e.o.Estate().OpenRuns(ctx)
}

// Log is the estate's.
func (e *Engine) Log(ctx context.Context, run string) (estate.Logged, error) {
	return e.o.Estate().Log(ctx, run)
}
