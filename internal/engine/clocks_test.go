//go:build !windows

package engine_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rekey/internal/engine"
	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// offset is the clock of a machine that is wrong by so much.
type offset time.Duration

func (o offset) Now() time.Time { return time.Now().Add(time.Duration(o)) }

func (o offset) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// TestTheDatabasesClockCounts: the clock of one machine is an hour ahead, and that of another
// behind. Neither loses its lease for that, nor takes one from the other; what is taken away
// by the database is taken up at once. Each says that its clock is wrong.
func TestTheDatabasesClockCounts(t *testing.T) {
	t.Parallel()
	c, _, boss := newChaos(t, 1, 5*time.Millisecond)
	db, _ := c.j.DB()
	config, err := sop.Load(filepath.Join(c.dir, "rekey.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var struck atomic.Bool
	let := make(chan struct{})
	machine := func(name string, wrong time.Duration) *engine.Engine {
		clock := offset(wrong)
		es := estate.New(config, estate.Surroundings{Tool: "test", Network: marked{name, http.DefaultTransport}, Journal: c.j, Clock: clock, User: func() string { return name }})
		e := engine.New(engine.Options{Estate: func() *estate.Estate { return es }, Name: name, Now: clock.Now, Lease: chaosLease, Poll: 50 * time.Millisecond, Park: time.Hour})
		if err := e.Clock(t.Context()); err == nil || !strings.Contains(err.Error(), "1h0m0s "+map[bool]string{true: "ahead of", false: "behind"}[wrong > 0]) {
			t.Errorf("%s says of its clock: %v", name, err)
		}
		return e
	}
	work := func(e *engine.Engine) {
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- e.Work(ctx) }()
		t.Cleanup(func() {
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	if err := boss.Clock(t.Context()); err != nil {
		t.Errorf("a right clock is told of: %v", err)
	}
	slow, fast := machine("slow", -time.Hour), machine("fast", time.Hour)
	c.struck = func(a asked) {
		if a.process == "slow" && strings.HasPrefix(a.what, "PATCH ") && struck.CompareAndSwap(false, true) {
			<-let // for longer than the lease, which is renewed meanwhile
		}
	}
	run, err := boss.Begin(t.Context(), estate.Opening{Wish: estate.Wish{Credential: "FLEET_0"}, Confirm: "FLEET_0"})
	if err != nil {
		t.Fatal(err)
	}
	work(slow)
	for !struck.Load() {
		time.Sleep(5 * time.Millisecond)
	}
	work(fast)
	time.Sleep(chaosLease * 3 / 2)
	rows, err := boss.Leases(t.Context())
	if err != nil || len(rows) != 1 || rows[0].Holder != "slow" || rows[0].Lapsed {
		t.Errorf("it is not the slow one's any more: %+v (%v)", rows, err)
	}
	close(let)
	if _, err := db.ExecContext(t.Context(), `UPDATE lease_runs SET expires = 1`); err != nil {
		t.Error(err)
	}
	f := &told{}
	ended, err := boss.Follow(t.Context(), run, 0, f)
	if err != nil || ended.State.Closed == nil || ended.State.Closed.Ending != rotation.Rotated && ended.State.Closed.Ending != rotation.RolledBack {
		t.Fatalf("it ended as %+v (%v)", ended.State, err)
	}
	said, err := c.testify(t.Context(), db, nil) // entries are not, for all write from this process
	if err != nil || said.changes == 0 || len(said.broken) > 0 {
		t.Errorf("%+v (%v)", said, err)
	}
}
