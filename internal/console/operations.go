package console

import (
	"context"

	"rekey/internal/estate"
)

// Operations are what the pages are made of and what their forms ask for: those of an
// estate that look, and those of the service that begin something and return at once.
// All errors are as estate.Operations says.
type Operations interface {
	Status(ctx context.Context, a estate.StatusAsked) (estate.Status, error)
	Check(ctx context.Context, w estate.Wish) (estate.Checked, error)
	Plan(ctx context.Context, w estate.Wish) (estate.Planned, error)
	PlanBack(ctx context.Context, run string) (estate.BackPlan, error)
	Compare(ctx context.Context, credentials []string) (estate.Compared, error)
	Discover(ctx context.Context, credentials []string) (estate.Discovered, error)
	Document(ctx context.Context, d estate.Documenting, each func(estate.Page) error) error
	Evidence(ctx context.Context, p estate.Period, lines func([]byte) error) (estate.Evidence, error)
	Verify(ctx context.Context, v estate.Verifying) (estate.Verified, error)
	Whoami(ctx context.Context) (estate.Whoami, error)
	Runs(ctx context.Context) ([]estate.Summary, error)
	OneRun(ctx context.Context, run string) (estate.Summary, error)
	RunsOf(ctx context.Context, credential string) ([]estate.Summary, error)
	Log(ctx context.Context, run string) (estate.Logged, error)
	Approvals(ctx context.Context) ([]estate.Approval, error)
	Approve(ctx context.Context, a estate.Answering) (estate.Approval, error)
	Refuse(ctx context.Context, a estate.Answering) (estate.Approval, error)
	TakeBack(ctx context.Context, a estate.Answering) (estate.Approval, error)
	Schedule(ctx context.Context) (estate.Schedule, error)
	Findings(ctx context.Context) (estate.Findings, error)
	Acknowledge(ctx context.Context, a estate.Acknowledging) (estate.Acknowledged, error)
	Pause(ctx context.Context, reason string) error
	Continue(ctx context.Context, reason string) error

	// Begin opens a run and returns its id at once. Refused as estate.Operations.Open is.
	Begin(ctx context.Context, o estate.Opening) (run string, err error)
	// TakeUp records that a person wants an open run advanced, and returns at once.
	// Refused as estate.Operations.Advance is.
	TakeUp(ctx context.Context, a estate.Advancing) (run string, err error)
	// TurnBack records that a run is to go back, and returns at once. Refused as
	// estate.Operations.GoBack is.
	TurnBack(ctx context.Context, b estate.Backing) (run string, err error)
	// Follow tells f of a run's events after the journal's number after, until it is over,
	// stuck, waits for a person, or ctx is done.
	Follow(ctx context.Context, run string, after int64, f estate.Face) (estate.Ended, error)
}

// Hint is one thing that somebody who is new may try.
type Hint struct {
	Title, Says string
	To          string // the page where it is done
	Command     string // that does the same; "": none does
}

// Fact is one line of the health page.
type Fact struct {
	What, Says string
	OK         bool
}
