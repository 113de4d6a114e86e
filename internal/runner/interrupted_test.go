package runner_test

import (
	"context"
	"fmt"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/sim/stage"
)

// TestWhatAnInterruptionCutsOffIsNoFailure: a run that is interrupted while it reads
// its journal, or asks, is open and goes on; it is not stuck.
func TestWhatAnInterruptionCutsOffIsNoFailure(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.Confirm = func(context.Context, rotation.Ask) (string, error) { return "", runner.ErrNotConfirmed }
	if result, err := s.Play(console); err != nil || result.Waiting == "" {
		t.Fatalf("%+v %v", result, err)
	}
	events, err := s.Log.Events()
	if err != nil {
		t.Fatal(err)
	}
	for what, interrupted := range map[string]bool{"interrupted": true, "a fault of its own": false} {
		ctx, cancel := context.WithCancel(t.Context())
		r := &runner.Runner{Journal: s.Log, Clock: s.Clock, Confirm: func(context.Context, rotation.Ask) (string, error) {
			if interrupted {
				cancel()
			}
			return "", fmt.Errorf("read journal: %w", context.Canceled)
		}}
		result, err := r.Run(ctx, rotation.Fold(events))
		if result.Detached != interrupted || (err == nil) != interrupted {
			t.Errorf("%s: %+v %v", what, result, err)
		}
		cancel()
	}
}
