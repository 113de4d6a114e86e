package server_test

import (
	"maps"
	"testing"

	"rekey/internal/estate"
)

// TestHowARunEndedIsTheSameForWhoeverFollowsItLater: what its worker saw beside the events
// is kept; and that the name came through the API is on record.
func TestHowARunEndedIsTheSameForWhoeverFollowsItLater(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	e := b.engine()
	c := b.client(b.live(b.options(e)).URL, nil)
	ended, err := c.Open(t.Context(), estate.Opening{Wish: of(vault), Confirm: vault}, &told{})
	if err != nil || ended.State.Closed == nil || len(ended.Calls) == 0 || ended.Evidence.Checkpoint == nil {
		t.Fatalf("%+v (%v)", ended, err)
	}
	later, err := e.Follow(t.Context(), ended.State.Run, 0, &told{})
	if err != nil || !maps.Equal(later.Calls, ended.Calls) || later.Evidence.Checkpoint == nil || later.Evidence.Checkpoint.Note != ended.Evidence.Checkpoint.Note {
		t.Errorf("%+v (%v)", later, err)
	}
	if how := ended.State.Confirmed.How; how != "API" {
		t.Errorf("it was confirmed by %q", how)
	}
}
