//go:build !windows

package engine_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rekey/internal/engine"
	"rekey/internal/estate"
	"rekey/internal/journal"
	"rekey/internal/rotation"
)

// twoWorkers starts two processes with one hand each, with this term of their leases.
func (c *chaos) twoWorkers(term time.Duration) map[string]*process {
	ps := map[string]*process{}
	for i := range 2 {
		p := &process{name: fmt.Sprintf("w%d", i), c: c}
		p.start(workerHands+"=1", workerLease+"="+term.String())
		c.Cleanup(func() {
			_ = p.cmd.Process.Signal(syscall.SIGCONT)
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		})
		ps[p.name+"-1"] = p
	}
	return ps
}

// through begins a run and follows it to its end, and judges it.
func (c *chaos) through(j *journal.Journal, boss *engine.Engine) {
	run, err := boss.Begin(c.Context(), estate.Opening{Wish: estate.Wish{Credential: "FLEET_0"}, Confirm: "FLEET_0"})
	if err != nil {
		c.Fatal(err)
	}
	ended, err := boss.Follow(c.Context(), run, 0, &told{})
	switch {
	case err != nil:
		c.Fatal(err)
	case ended.State.Closed == nil || ended.State.Closed.Ending != rotation.Rotated && ended.State.Closed.Ending != rotation.RolledBack:
		c.Errorf("it ended as %+v, stuck %+v, waiting %q", ended.State.Closed, ended.State.Stuck, ended.Waiting)
	}
	c.judge(j, boss)
	if c.Failed() {
		text := c.said.String()
		c.Logf("the workers said:\n%s", text[max(0, len(text)-4000):])
	}
}

// awaits waits until a question to the database has a row.
func awaits(ctx context.Context, db *sql.DB, query string, args ...any) {
	for ctx.Err() == nil {
		var n int
		if err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM (`+query+`) AS found`, args...).Scan(&n); err == nil && n > 0 {
			return
		}
		time.Sleep(3 * time.Millisecond)
	}
}

// TestAWorkerThatWakesUpTooLateDoesNothing: a vendor has the process that asks it stopped,
// right between two requests of one step, until the run is handed on, or another process
// has taken it up. The answer lies there when it wakes up, and a change is what it would
// send next.
func TestAWorkerThatWakesUpTooLateDoesNothing(t *testing.T) {
	t.Parallel()
	const handedOn, takenUp = `SELECT 1 FROM test_holders WHERE holder = '' AND epoch > 2 AND $1 <> ''`, `SELECT 1 FROM test_written WHERE kind = 'resumed' AND process <> $1`
	for name, x := range map[string]struct {
		changes int    // that the worker has made before
		at      string // what it asks for then
		until   string // row in the database
	}{
		"before it names the new one in a rule":           {1, "/policies/", takenUp},
		"before it stores the new one":                    {2, "/api/v4/secrets", takenUp},
		"before it gives a consumer the new one":          {3, "/config-vars", handedOn},
		"before it takes the old one out of a rule":       {5, "/policies/", takenUp},
		"after the new one was made, and nobody knows it": {0, "POST ", handedOn},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, j, boss := newChaos(t, 1, 5*time.Millisecond)
			db, _ := j.DB()
			ps := c.twoWorkers(chaosLease)
			var mu sync.Mutex
			changes, stopped := 0, ""
			woken := make(chan struct{})
			c.struck = func(a asked) {
				mu.Lock()
				defer mu.Unlock()
				if stopped == "" && changes == x.changes && strings.Contains(a.what, x.at) && !strings.Contains(a.what, "login") {
					stopped = a.process
					_ = ps[a.process].cmd.Process.Signal(syscall.SIGSTOP)
					go func() {
						defer close(woken)
						awaits(t.Context(), db, x.until, a.process)
						_ = ps[a.process].cmd.Process.Signal(syscall.SIGCONT)
					}()
				}
				if a.change {
					changes++
				}
			}
			c.through(j, boss)
			mu.Lock()
			defer mu.Unlock()
			if stopped == "" {
				t.Fatal("nobody was stopped: a run asks for other things now")
			}
			<-woken
		})
	}
}

// TestTheNextHolderWaitsForWhatIsUnderWay: the database says that a lease has lapsed, as
// after a failover to a machine whose clock is ahead, while a vendor is still at a change
// of its holder. The next one looks only when that cannot be under way any more.
func TestTheNextHolderWaitsForWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	c, j, boss := newChaos(t, 1, 5*time.Millisecond)
	db, _ := j.DB()
	c.twoWorkers(3 * chaosLease)
	var once sync.Once
	c.struck = func(a asked) {
		if !strings.HasPrefix(a.what, "PATCH ") || !strings.HasSuffix(a.what, "/config-vars") {
			return
		}
		once.Do(func() {
			if _, err := db.ExecContext(t.Context(), `UPDATE lease_runs SET expires = 1`); err != nil {
				t.Error(err)
			}
			awaits(t.Context(), db, `SELECT 1 FROM test_holders WHERE holder NOT IN ('', $1)`, a.process)
			time.Sleep(chaosLease / 2) // it would have looked by now, and does not
		})
	}
	c.through(j, boss)
}
