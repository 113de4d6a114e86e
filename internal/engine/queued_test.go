//go:build !windows

package engine_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"rekey/internal/engine"
	"rekey/internal/estate"
	"rekey/internal/rotation"
)

// TestAJobThatTheQueueGivesUpOnStopsNothing: the queue takes one that has begun long ago for
// one of a process that was killed, and discards it. The run goes on, in the same hands.
func TestAJobThatTheQueueGivesUpOnStopsNothing(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		db := b.database()
		now := "now()"
		if b.shared == nil {
			now = "CURRENT_TIMESTAMP"
		}
		var once sync.Once
		gaveUp := int64(0)
		b.tamper(func(_ string, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if req.Method == http.MethodPatch {
				once.Do(func() {
					got, err := db.ExecContext(b.Context(), `UPDATE river_job SET state = 'discarded', finalized_at = `+now+` WHERE state = 'running'`)
					if err == nil {
						gaveUp, err = got.RowsAffected()
					}
					if err != nil {
						b.Error(err)
					}
				})
			}
			return send()
		})
		f := &told{}
		ended, err := b.engine("one").Open(b.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console}, f)
		if err != nil || ended.State.Closed == nil || ended.State.Closed.Ending != rotation.Rotated {
			b.Fatalf("it ended as %+v (%v)", ended.State.Closed, err)
		}
		if gaveUp != 1 || len(holdersOf(f)) != 1 {
			b.Errorf("%d jobs were given up on, and at the run were %v", gaveUp, holdersOf(f))
		}
		b.agreed(console)
	})
}

// TestWhatWaitsForAHandIsQueuedOnce, however long it waits: a job for each time that
// somebody looks would keep those from their turn who come after. A job that is lost is put
// in again.
func TestWhatWaitsForAHandIsQueuedOnce(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		db := b.database()
		busy, goOn := b.firstWaits()
		one := b.engine("one", oneAtATime, func(o *engine.Options) { o.Lease = engine.Shortest })
		begin := func(name string) string {
			run, err := one.Begin(b.Context(), estate.Opening{Wish: estate.Wish{Credential: name}, Confirm: name, Alongside: true})
			if err != nil {
				b.Fatal(err)
			}
			return run
		}
		first := begin(console)
		b.wait("it is at the first", busy.Load)
		second := begin(vault)
		epoch := func() (n int64) {
			if err := db.QueryRowContext(b.Context(), `SELECT epoch FROM lease_runs WHERE run = '`+second+`'`).Scan(&n); err != nil {
				b.Fatal(err)
			}
			return n
		}
		looks := func() (n int64) { // whoever sweeps says each time that he lives
			if err := db.QueryRowContext(b.Context(), `SELECT seen FROM lease_workers`).Scan(&n); err != nil {
				b.Fatal(err)
			}
			return n
		}
		if _, err := db.ExecContext(b.Context(), `UPDATE lease_runs SET wake = 1 WHERE run = '`+second+`'`); err != nil { // for long
			b.Fatal(err)
		}
		for range 3 {
			before := looks()
			b.wait("it is looked again", func() bool { return looks() > before })
		}
		if n := epoch(); n != 1 {
			b.Errorf("it was put in %d times", n)
		}
		if _, err := db.ExecContext(b.Context(), `DELETE FROM river_job WHERE state = 'available'`); err != nil {
			b.Fatal(err)
		}
		b.wait("it is put in again", func() bool { return epoch() == 2 })
		close(goOn)
		for _, run := range []string{first, second} {
			if ended, err := one.Follow(b.Context(), run, 0, &told{}); err != nil || ended.State.Closed == nil {
				b.Errorf("it ended as %+v (%v)", ended.State, err)
			}
		}
	})
}

// TestARunThatWaitsFreesItsWorker, and is gone on with when the time has come, as if
// nothing had been: what it waits for is not begun anew.
func TestARunThatWaitsFreesItsWorker(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		db := b.database()
		parks := func(o *engine.Options) { o.Park = 30 * time.Second }
		e := b.engine("one", parks)
		run, err := e.Begin(b.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console})
		if err != nil {
			b.Fatal(err)
		}
		parked := 0
		f := &told{}
		done := make(chan estate.Ended, 1)
		go func() {
			ended, err := e.Follow(b.Context(), run, 0, f)
			if err != nil {
				b.Error(err)
			}
			done <- ended
		}()
		var ended estate.Ended
		b.wait("the run is over", func() bool {
			select {
			case ended = <-done:
				return true
			default:
			}
			rows, err := e.Leases(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			if len(rows) == 1 && rows[0].Holder == "" && time.Until(rows[0].Wake) > 10*time.Second {
				parked++
				b.clock.Pass(time.Until(rows[0].Wake))
				if _, err := db.ExecContext(b.Context(), `UPDATE lease_runs SET wake = 1 WHERE holder = ''`); err != nil {
					b.Fatal(err)
				}
			}
			return false
		})
		if c := ended.State.Closed; c == nil || c.Ending != rotation.Rotated {
			b.Fatalf("it ended as %+v", c)
		}
		if parked == 0 || len(holdersOf(f)) != parked+1 {
			b.Errorf("it was parked %d times, and at the run were %v", parked, holdersOf(f))
		}
		for _, x := range f.of(rotation.KindResumed) {
			if !x.Resumed.Clean {
				b.Errorf("it was taken up as if somebody had died: %+v", x.Resumed)
			}
		}
		for _, x := range f.of(rotation.KindOutcome) {
			if x.Outcome.Step == rotation.ResumeStep {
				b.Error("everything was looked at anew")
			}
		}
		b.agreed(console)
	})
}

// TestARunThatCannotBeCarriedOutIsTriedAgain, and whoever follows it is told why.
func TestARunThatCannotBeCarriedOutIsTriedAgain(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		e := b.idle("one")
		run, err := e.Begin(b.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console})
		if err != nil {
			b.Fatal(err)
		}
		b.mu.Lock()
		b.lacks = "INFISICAL_PROJECT_ID"
		b.mu.Unlock()
		two := b.engine("two")
		_, err = two.Follow(b.Context(), run, 0, &told{})
		if estate.CodeOf(err) != estate.Unwired {
			b.Fatalf("who follows it is told %v", err)
		}
		rows, err := e.Leases(b.Context())
		if err != nil || len(rows) != 1 || rows[0].Trouble == "" {
			b.Errorf("it stands as %+v (%v)", rows, err)
		}
		b.mu.Lock()
		b.lacks = ""
		b.mu.Unlock()
		if _, err := e.TakeUp(b.Context(), estate.Advancing{Run: run, Confirm: console}); err != nil {
			b.Fatal(err)
		}
		ended, err := two.Follow(b.Context(), run, 0, &told{})
		if err != nil || ended.State.Closed == nil {
			b.Errorf("it ended as %+v (%v)", ended.State.Closed, err)
		}
	})
}
