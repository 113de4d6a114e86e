package scheduler_test

import (
	"testing"
	"time"

	"rekey/internal/approvals"
	"rekey/internal/estate"
)

// TestPeopleAreAskedBeforeTheWindowOpens, which is at night and short: who agrees in the
// daytime has agreed to what begins then.
func TestPeopleAreAskedBeforeTheWindowOpens(t *testing.T) {
	t.Parallel()
	b := newBench(t, "    run: after approval\n    windows: [daily 03:00-03:10 UTC]\n", "")
	e, s := b.service("one")
	tick := func(want int) {
		t.Helper()
		if err := s.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		if runs := b.ended(e); len(runs) != want {
			t.Fatalf("%d runs at %s, want %d", len(runs), b.Now(), want)
		}
	}
	tick(0) // on a Monday at 9
	list, err := e.Approvals(t.Context())
	if err != nil || len(list) != 2 || list[0].Standing != approvals.Waiting {
		t.Fatalf("%+v %v", list, err)
	}
	b.as("bob", "superadmin")
	for _, a := range list {
		if _, err := e.Approve(t.Context(), estate.Answering{About: a.Request.Credential}); err != nil {
			t.Fatal(err)
		}
	}
	tick(0)
	_, err = e.Begin(t.Context(), estate.Opening{Wish: estate.Wish{Credential: console}})
	if estate.CodeOf(err) != estate.WindowClosed {
		t.Errorf("what is agreed to begins outside of its window: %v", err)
	}
	b.later(18*time.Hour + time.Minute)
	tick(1)
}
