package estate_test

import (
	"path/filepath"
	"testing"
	"time"

	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/sop"
	"rekey/internal/stage"
)

// interrupted is a clock; at is called each time somebody looks at it.
type interrupted struct {
	*stage.Clock
	at func()
}

func (c interrupted) Now() time.Time { c.at(); return c.Clock.Now() }

// TestARunThatEndsWhileTheScheduleIsReadBeginsNoSecond: what is due is read before what is
// in progress. A run that ended in between was due by the first reading, and in progress by
// none, so the schedule rotated what had just been rotated.
func TestARunThatEndsWhileTheScheduleIsReadBeginsNoSecond(t *testing.T) {
	t.Parallel()
	b := newBench(t, "    cadence: 90d", "    cadence: 90d\n    run: automatically")
	b.rotate(console)
	b.clock.Pass(91 * 24 * time.Hour)
	ended, err := b.open(estate.Opening{Wish: estate.Wish{Credential: console}}) // it waits to be confirmed
	if err != nil || ended.State.Closed != nil {
		t.Fatalf("%+v %v", ended.State.Closed, err)
	}
	config, err := sop.Load(filepath.Join(b.dir, "rekey.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	ops := estate.New(config, estate.Surroundings{
		Env: func(string) (string, bool) { return "", false }, User: func() string { return "root@service" }, Tool: "test", Network: b,
		Clock: interrupted{b.clock, func() {
			if looked++; looked > 1 {
				return
			}
			done, err := b.operations().Advance(t.Context(), estate.Advancing{Confirm: console}, &told{})
			if err != nil || done.State == nil || done.State.Closed == nil || done.State.Closed.Ending != rotation.Rotated {
				t.Errorf("it went on to %+v, %v", done, err)
			}
		}},
	})
	d, err := ops.Schedule(t.Context())
	if err != nil || looked == 0 {
		t.Fatalf("the clock was looked at %d times, %v", looked, err)
	}
	if len(d.Begin) != 0 {
		t.Errorf("%v would begin, right after its run has ended", d.Begin)
	}
	if d, err = ops.Schedule(t.Context()); err != nil || len(d.Begin) != 0 {
		t.Errorf("%+v %v", d.Begin, err)
	}
}
