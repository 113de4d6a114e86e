package lease_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"rekey/internal/lease"
)

// TestWhatAPersonIsAskedGoesWithTheLease: it is answered once, by whoever is first, and by
// nobody after another process has taken the run up.
func TestWhatAPersonIsAskedGoesWithTheLease(t *testing.T) {
	everywhere(t, func(b *bench) {
		ctx := t.Context()
		asked := func(want string) {
			b.Helper()
			a, err := b.stores[1].AskedIn(ctx, "r1")
			if err != nil || (a == nil) != (want == "") || a != nil && (a.ID != want || a.Holder != "one" || a.Task != "do it" || a.At.IsZero()) {
				b.Fatalf("asked is %+v and not %q (%v)", a, want, err)
			}
		}
		answer := func(id string, want bool) {
			b.Helper()
			b.write(1, func(ctx context.Context, tx *sql.Tx) error {
				ok, err := b.stores[1].Answer(ctx, tx, "r1", id, lease.Answered{Answer: "a", Sealed: "s", Stamp: "x"}, false)
				if err == nil && ok != want {
					err = errors.New("answered otherwise")
				}
				return err
			}, nil)
		}
		held, err := b.stores[0].Claim(ctx, b.add("r1"), "one", time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		for _, id := range []string{"q1", "q2"} { // the second instead of the first
			if err := held.Ask(ctx, lease.Asked{ID: id, Task: "do it", Key: "k", Stamp: "x"}); err != nil {
				b.Fatal(err)
			}
			asked(id)
		}
		answer("q1", false)
		answer("q2", true)
		answer("q2", false)
		asked("")
		if back, err := b.stores[1].TakeAnswerBack(ctx, "r1", "q2"); !back || err != nil {
			b.Fatalf("not taken back (%v)", err)
		}
		asked("q2")
		answer("q2", true)
		if got, ok, err := held.Answered(ctx, "q2"); !ok || err != nil || got != (lease.Answered{Answer: "a", Sealed: "s", Stamp: "x"}) {
			b.Fatalf("answered is %+v, %v (%v)", got, ok, err)
		}
		if _, ok, err := held.Answered(ctx, "q2"); ok || err != nil {
			b.Fatalf("it is taken twice (%v)", err)
		}
		if err := held.Ask(ctx, lease.Asked{ID: "q3", Task: "do it"}); err != nil {
			b.Fatal(err)
		}
		if taken, _, err := b.stores[1].Taken(ctx, "r1", "q2"); !taken || err != nil { // the next question does not hide it
			b.Fatalf("it is not told that q2 was taken (%v)", err)
		}
		if _, err := held.LetGo(ctx, nil, lease.Letting{}); err != nil {
			b.Fatal(err)
		}
		asked("")
		answer("q3", false)
		if err := held.Ask(ctx, lease.Asked{ID: "q4"}); !errors.Is(err, lease.ErrLost) {
			b.Errorf("who has let go asks still: %v", err)
		}
	})
}
