//go:build !windows

package engine_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rekey/internal/engine"
	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/vendorhttp"
)

// oneAtATime is a worker with one hand.
func oneAtATime(o *engine.Options) { o.AtOnce = 1 }

// TestAWorkerWhoseRunWasTakenUpDoesNothingMore: it waits for an answer for longer than its
// lease lasts; what it has done stands in no journal of its own, and it sends nothing
// more. The other worker ends the run.
func TestAWorkerWhoseRunWasTakenUpDoesNothingMore(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		db := b.database()
		var stopped, late atomic.Bool
		goOn := make(chan struct{})
		var sent []string
		var mu sync.Mutex
		b.tamper(func(process string, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if process != "one" {
				return send()
			}
			if late.Load() {
				mu.Lock()
				defer mu.Unlock()
				sent = append(sent, req.Method+" "+req.URL.Path)
				return send()
			}
			if req.Method == http.MethodPatch && stopped.CompareAndSwap(false, true) {
				resp, err := send() // it is done, and the answer is under way
				b.lapse(db)
				<-goOn
				return resp, err
			}
			return send()
		})
		one := b.engine("one", oneAtATime)
		run, err := one.Begin(b.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console})
		if err != nil {
			b.Fatal(err)
		}
		b.wait("one is stopped", stopped.Load)
		two := b.engine("two")
		f := &told{}
		ended, err := two.Follow(b.Context(), run, 0, f)
		if err != nil {
			b.Fatal(err)
		}
		late.Store(true)
		close(goOn)
		if c := ended.State.Closed; c == nil || c.Ending != rotation.Rotated {
			b.Fatalf("it ended as %+v", c)
		}
		holders := holdersOf(f)
		if !slices.Equal(holders, []string{"one", "two"}) {
			b.Errorf("at the run were %v", holders)
		}
		b.wait("one has stopped", func() bool {
			w, err := two.Workers(b.Context())
			return err == nil && len(w) == 2 && w[0].Holds == 0
		})
		logged, err := two.Log(b.Context(), run)
		if err != nil {
			b.Fatal(err)
		}
		if last := logged.Events[len(logged.Events)-1]; last.Closed == nil {
			b.Errorf("the run goes on after it was closed: %+v", last)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(sent) > 0 {
			b.Errorf("it has sent %v", sent)
		}
		b.agreed(console)
	})
}

// holdersOf are the workers that were at a run, in order.
func holdersOf(f *told) (out []string) {
	for _, e := range f.of(rotation.KindResumed) {
		if e.Resumed.Worker != "" {
			out = append(out, e.Resumed.Worker)
		}
	}
	return out
}

// TestAWorkerThatDiesAtAnyRequestIsReplaced: before it is sent, or after it was and before
// the answer is read. The next worker ends the run, and nobody was ever without.
func TestAWorkerThatDiesAtAnyRequestIsReplaced(t *testing.T) {
	t.Parallel()
	requests := 0
	b := newBench(t)
	b.tamper(func(_ string, _ *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		b.mu.Lock()
		requests++
		b.mu.Unlock()
		return send()
	})
	if _, err := b.engine("one").Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console}, &told{}); err != nil {
		t.Fatal(err)
	}
	const every = 7
	fmt.Fprintf(os.Stderr, "%s: A SAMPLE: each %dth of %d requests, before and after; TestChaos kills anywhere\n", t.Name(), every, requests)
	if requests < 5*every {
		t.Fatalf("a run takes %d requests only", requests)
	}
	for at := 1; at <= requests; at += every {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprint(at, after), func(t *testing.T) {
				t.Parallel()
				dies(newBench(t), at, after)
			})
		}
	}
}

func dies(b *bench, at int, after bool) {
	db := b.database()
	var n atomic.Int64
	dead := make(chan struct{})
	over := make(chan struct{})
	release := sync.OnceFunc(func() { close(over) })
	b.Cleanup(release)
	b.tamper(func(process string, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if process != "one" {
			return send()
		}
		select {
		case <-dead:
			<-over // nothing happens in a dead process
			return nil, context.Canceled
		default:
		}
		if n.Add(1) != int64(at) {
			return send()
		}
		if after {
			_, _ = send()
		}
		b.lapse(db)
		close(dead)
		<-over
		return nil, context.Canceled
	})
	one := b.engine("one", oneAtATime)
	b.Cleanup(release) // before the engine is told to end: it waits for what it is at
	run, err := one.Begin(b.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console})
	if err != nil {
		b.Fatal(err)
	}
	<-dead
	ended, err := b.engine("two").Follow(b.Context(), run, 0, &told{})
	if err != nil {
		b.Fatal(err)
	}
	b.tamper(nil)
	if c := ended.State.Closed; c == nil || c.Ending != rotation.Rotated && c.Ending != rotation.RolledBack {
		b.Errorf("it ended as %+v, stuck %+v", c, ended.State.Stuck)
	}
	b.agreed(console)
}

// TestWhatIsSaidWhileAWorkerIsAtARunIsHeard: it goes back with what it has in memory, and
// nobody has to take it over for that.
func TestWhatIsSaidWhileAWorkerIsAtARunIsHeard(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		before := b.stored(console)
		run := make(chan string, 1)
		var once sync.Once
		var e *engine.Engine
		b.tamper(func(_ string, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if req.Method == http.MethodPatch {
				once.Do(func() {
					if _, err := e.TurnBack(context.Background(), estate.Backing{Run: <-run, Reason: "not now"}); err != nil {
						b.Error(err)
					}
				})
			}
			return send()
		})
		e = b.engine("one")
		id, err := e.Begin(b.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console})
		if err != nil {
			b.Fatal(err)
		}
		run <- id
		f := &told{}
		ended, err := e.Follow(b.Context(), id, 0, f)
		if err != nil {
			b.Fatal(err)
		}
		if c := ended.State.Closed; c == nil || c.Ending != rotation.RolledBack || b.stored(console) != before {
			b.Errorf("it ended as %+v", c)
		}
		if holders := holdersOf(f); len(holders) != 1 {
			b.Errorf("at the run were %v", holders)
		}
		b.agreed(console)
	})
}

// TestAProcessBesideAWorkerIsRefused: a person's command does not take from a worker what
// it is at.
func TestAProcessBesideAWorkerIsRefused(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		var once sync.Once
		var got error
		b.tamper(func(process string, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if process == "one" && req.Method == http.MethodPatch {
				once.Do(func() { _, got = b.estate("a person").Advance(context.Background(), estate.Advancing{}, &told{}) })
			}
			return send()
		})
		ended, err := b.engine("one").Open(b.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console}, &told{})
		if err != nil || ended.State.Closed == nil {
			b.Fatalf("it ended as %+v (%v)", ended.State.Closed, err)
		}
		if got == nil || estate.CodeOf(got) != estate.Busy {
			b.Errorf("a person's command beside it: %v", got)
		}
	})
}

// TestAProcessThatIsToHandOverBringsTheSecretToItsStoreFirst.
func TestAProcessThatIsToHandOverBringsTheSecretToItsStoreFirst(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		ctx, stop := context.WithCancel(b.Context())
		var made atomic.Int64
		b.tamper(func(_ string, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/service_tokens") {
				made.Add(1)
				stop()
			}
			return send()
		})
		one := b.idle("one")
		run, err := one.Begin(b.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console})
		if err != nil {
			b.Fatal(err)
		}
		before := b.stored(console)
		if err := one.Work(ctx); err != nil {
			b.Fatal(err)
		}
		if b.stored(console) == before {
			b.Error("the new secret has died with the process")
		}
		rows, err := one.Leases(b.Context())
		if err != nil || len(rows) != 1 || rows[0].Holder != "" || rows[0].Wake.IsZero() {
			b.Fatalf("it is not handed over: %+v (%v)", rows, err)
		}
		f := &told{}
		ended, err := b.engine("two").Follow(b.Context(), run, 0, f)
		if err != nil {
			b.Fatal(err)
		}
		if c := ended.State.Closed; c == nil || c.Ending != rotation.Rotated || made.Load() != 1 {
			b.Errorf("it ended as %+v, after %d generations", c, made.Load())
		}
		if r := f.of(rotation.KindResumed); len(r) != 2 || !r[1].Resumed.Clean || r[1].Resumed.Worker != "two" {
			b.Errorf("taken up were %+v", r)
		}
		b.agreed(console)
	})
}

// TestARequestIsCutOffWhenTheLeaseIsLost: what changes something waits for an answer that
// does not come; nothing of it outlives the lease.
func TestARequestIsCutOffWhenTheLeaseIsLost(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		db := b.database()
		cut := make(chan struct{})
		var once sync.Once
		b.tamper(func(process string, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if process == "one" && vendorhttp.Changes(req) && req.Method == http.MethodPatch {
				hang := false
				once.Do(func() { hang = true })
				if hang {
					b.lapse(db)
					<-req.Context().Done()
					close(cut)
					return nil, req.Context().Err()
				}
			}
			return send()
		})
		one := b.engine("one", oneAtATime)
		run, err := one.Begin(b.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console})
		if err != nil {
			b.Fatal(err)
		}
		<-cut
		b.tamper(nil)
		ended, err := b.engine("two").Follow(b.Context(), run, 0, &told{})
		if err != nil || ended.State.Closed == nil || ended.State.Closed.Ending != rotation.Rotated {
			b.Errorf("it ended as %+v (%v)", ended.State.Closed, err)
		}
		b.agreed(console)
	})
}

// TestAVendorsLimitIsOneForAllWorkers: one is told that little is left, and another one
// does not look there until the time is over.
func TestAVendorsLimitIsOneForAllWorkers(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		db := b.database()
		var mu sync.Mutex
		var asked []string // processes that looked at Heroku
		told := false
		b.tamper(func(process string, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			resp, err := send()
			if err == nil && req.Method == http.MethodGet && strings.Contains(req.URL.Host, "heroku") {
				mu.Lock()
				defer mu.Unlock()
				asked = append(asked, process)
				if process == "one" && !told {
					told = true
					resp.Header.Set("RateLimit-Remaining", "1")
				}
			}
			return resp, err
		})
		e := b.idle("nobody")
		run := func(credential string) string {
			run, err := e.Begin(b.Context(), estate.Opening{Wish: estate.Wish{Credential: credential}, Confirm: credential, Alongside: true})
			if err != nil {
				b.Fatal(err)
			}
			return run
		}
		first := run(console)
		ctx, stop := context.WithCancel(b.Context())
		over := make(chan error, 1)
		go func() { over <- b.idle("one").Work(ctx) }()
		held := func() (n int) {
			if err := db.QueryRowContext(b.Context(), `SELECT COUNT(*) FROM lease_limits`).Scan(&n); err != nil {
				b.Fatal(err)
			}
			return n
		}
		b.wait("it is noted", func() bool { return held() == 1 })
		stop()
		if err := <-over; err != nil {
			b.Fatal(err)
		}
		if _, err := db.ExecContext(b.Context(), `UPDATE lease_limits SET until = until + 600000`); err != nil {
			b.Fatal(err)
		}
		mu.Lock()
		asked = nil
		mu.Unlock()
		second := run(vault)
		two := b.engine("two", func(o *engine.Options) { o.Park = time.Second })
		b.wait("two waits", func() bool {
			rows, err := two.Leases(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			waiting := 0
			for _, r := range rows {
				if r.Holder == "" && !r.Wake.IsZero() && r.Epoch > 2 {
					waiting++
				}
			}
			return waiting > 0
		})
		mu.Lock()
		if len(asked) > 0 {
			b.Errorf("%v looked all the same", asked)
		}
		mu.Unlock()
		if _, err := db.ExecContext(b.Context(), `DELETE FROM lease_limits`); err != nil {
			b.Fatal(err)
		}
		for _, r := range []string{first, second} {
			if _, err := two.TakeUp(b.Context(), estate.Advancing{Run: r}); err != nil && estate.CodeOf(err) != estate.RunOver {
				b.Error(err)
			}
		}
	})
}
