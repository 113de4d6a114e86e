package server_test

import (
	"context"
	"fmt"
	"time"

	"rekey/internal/estate"
)

// foundDeeds are about what looks have found.
func foundDeeds() []deed {
	return []deed{
		{"nothing", "Findings", "", func(ctx context.Context, ops estate.Operations) (any, error) {
			f, err := ops.Findings(ctx)
			return f.Findings, err
		}},
		{"no reason", "Acknowledge", estate.NoReason, acknowledge(estate.Acknowledging{Finding: "0123456789"})},
		{"no day", "Acknowledge", estate.BadUntil, acknowledge(estate.Acknowledging{Finding: "0123456789", Reason: "why"})},
		{"no finding", "Acknowledge", estate.NoFinding, acknowledge(estate.Acknowledging{Finding: "0123456789", TakeBack: true})},
		{"", "Compare", "", func(ctx context.Context, ops estate.Operations) (any, error) { return ops.Compare(ctx, nil) }},
		{"", "Discover", "", func(ctx context.Context, ops estate.Operations) (any, error) { return ops.Discover(ctx, nil) }},
		{"", "Findings", "", func(ctx context.Context, ops estate.Operations) (any, error) {
			f, err := ops.Findings(ctx)
			return f.Findings, err
		}},
		{"let be", "Acknowledge", "", func(ctx context.Context, ops estate.Operations) (any, error) {
			f, err := ops.Findings(ctx)
			if err != nil || len(f.Findings) == 0 {
				return nil, fmt.Errorf("nothing was found: %w", err)
			}
			return acknowledge(estate.Acknowledging{Finding: f.Findings[0].ID, Seen: f.Findings[0].State, Reason: "known", Until: f.At.Add(time.Hour)})(ctx, ops)
		}},
		{"taken back", "Acknowledge", "", func(ctx context.Context, ops estate.Operations) (any, error) {
			f, err := ops.Findings(ctx)
			if err != nil {
				return nil, err
			}
			return acknowledge(estate.Acknowledging{Finding: f.Findings[0].ID, TakeBack: true})(ctx, ops)
		}},
		{"not acknowledged", "Acknowledge", estate.NotAcknowledged, func(ctx context.Context, ops estate.Operations) (any, error) {
			f, err := ops.Findings(ctx)
			if err != nil {
				return nil, err
			}
			return acknowledge(estate.Acknowledging{Finding: f.Findings[0].ID, TakeBack: true})(ctx, ops)
		}},
	}
}

func acknowledge(a estate.Acknowledging) func(context.Context, estate.Operations) (any, error) {
	return func(ctx context.Context, ops estate.Operations) (any, error) {
		done, err := ops.Acknowledge(ctx, a)
		if err != nil {
			return nil, err
		}
		return done, nil
	}
}
