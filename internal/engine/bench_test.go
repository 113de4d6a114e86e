//go:build !windows

package engine_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rekey/internal/engine"
	"rekey/internal/estate"
	"rekey/internal/journal"
	"rekey/internal/realserver"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
	play "rekey/internal/stage"
)

const (
	console = "CF_ACCESS_SVC_CONSOLE"
	vault   = "CF_ACCESS_SVC_VAULT"
)

// bench is a folder with the procedure's two credentials, and a world in memory in which
// time is virtual.
type bench struct {
	*testing.T
	dir    string
	shared func() *journal.Journal // opens the journal for one process; nil: that of the folder
	world  *sim.World
	clock  *play.Clock

	mu     sync.Mutex
	around func(process string, req *http.Request, send func() (*http.Response, error)) (*http.Response, error)
	lacks  string              // variable that is not set
	who    rotation.Who        // who asks
	slept  func(time.Duration) // is told before somebody sleeps; nil: nobody is
}

var postgres, stopPostgres = realserver.PostgresOnce()

// schemas numbers those that tests have made.
var schemas atomic.Int64

// everywhere runs a test with the journal in a folder, and on PostgreSQL; with -short, which
// is for the race detector, there alone: SQLite takes several times as long under it, and
// what runs beside what is the same.
func everywhere(t *testing.T, test func(b *bench)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		if testing.Short() {
			t.Skip("-short: on PostgreSQL alone")
		}
		test(newBench(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		if err := os.Mkdir(filepath.Join(b.dir, ".rekey"), 0o700); err != nil { // of the fingerprint key
			t.Fatal(err)
		}
		address := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/trusting?search_path=engine%d", postgres(t).Port, schemas.Add(1))
		b.shared = func() *journal.Journal {
			j, err := journal.OpenPostgres(context.Background(), address)
			if err != nil {
				t.Fatal(err)
			}
			b.Cleanup(func() { _ = j.Close() })
			return j
		}
		test(b)
	})
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, dir: t.TempDir(), clock: play.NewClock(play.Start), who: rotation.Who{Name: "alice", How: "session"}}
	b.world = sim.Open(sim.New(sim.Options{Seed: 7, Now: b.clock.Now()}), b.clock.Now)
	if err := os.WriteFile(filepath.Join(b.dir, "rekey.yaml"), []byte(sop.Example()), 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) estate(process string) *estate.Estate {
	b.Helper()
	config, err := sop.Load(filepath.Join(b.dir, "rekey.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	env := b.world.Env()
	var shared *journal.Journal
	if b.shared != nil {
		shared = b.shared()
	}
	return estate.New(config, estate.Surroundings{
		Journal: shared,
		Env: func(name string) (string, bool) {
			b.mu.Lock()
			defer b.mu.Unlock()
			v, ok := env[name]
			return v, ok && name != b.lacks
		},
		Who: func(context.Context) (rotation.Who, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.who, nil
		},
		Tool: "test", Clock: watched{b.clock, b}, Network: network{b, process},
	})
}

// watched is the bench's clock.
type watched struct {
	*play.Clock
	b *bench
}

func (c watched) Sleep(ctx context.Context, d time.Duration) error {
	c.b.mu.Lock()
	slept := c.b.slept
	c.b.mu.Unlock()
	if slept != nil {
		slept(d)
	}
	return c.Clock.Sleep(ctx, d)
}

// idle is an engine that advances nothing.
func (b *bench) idle(name string, change ...func(*engine.Options)) *engine.Engine {
	b.Helper()
	es := b.estate(name)
	o := engine.Options{Estate: func() *estate.Estate { return es }, Name: name, Now: b.clock.Now, Poll: 20 * time.Millisecond}
	for _, f := range change {
		f(&o)
	}
	e := engine.New(o)
	b.Cleanup(func() {
		if err := e.Close(); err != nil {
			b.Errorf("engine %s: %v", name, err)
		}
	})
	return e
}

// engine is one that works until the test ends.
func (b *bench) engine(name string, change ...func(*engine.Options)) *engine.Engine {
	b.Helper()
	e := b.idle(name, change...)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Work(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			b.Errorf("engine %s: %v", name, err)
		}
	})
	return e
}

// network is that of one process: it leads to the world.
type network struct {
	b       *bench
	process string
}

func (n network) RoundTrip(req *http.Request) (*http.Response, error) {
	n.b.mu.Lock()
	around := n.b.around
	n.b.mu.Unlock()
	send := func() (*http.Response, error) {
		if err := req.Context().Err(); err != nil {
			return nil, err // as a real one
		}
		return n.b.world.RoundTrip(req)
	}
	if around != nil {
		return around(n.process, req, send)
	}
	return send()
}

// tamper has requests go by f.
func (b *bench) tamper(f func(process string, req *http.Request, send func() (*http.Response, error)) (*http.Response, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.around = f
}

// firstWaits has the first request wait until goOn is closed; busy: it does.
func (b *bench) firstWaits() (busy *atomic.Bool, goOn chan struct{}) {
	busy, goOn = new(atomic.Bool), make(chan struct{})
	b.tamper(func(_ string, _ *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if busy.CompareAndSwap(false, true) {
			<-goOn
		}
		return send()
	})
	return busy, goOn
}

// database is the journal's, by a connection of its own.
func (b *bench) database() *sql.DB {
	b.Helper()
	var j *journal.Journal
	if b.shared != nil {
		j = b.shared()
	} else {
		var err error
		if j, err = journal.Open(filepath.Join(b.dir, ".rekey")); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = j.Close() })
	}
	db, _ := j.DB()
	return db
}

// lapse has all leases that are held be over, as if their holders had been stopped for
// long.
func (b *bench) lapse(db *sql.DB) {
	if _, err := db.ExecContext(context.Background(), `UPDATE lease_runs SET expires = 1 WHERE holder <> ''`); err != nil {
		b.Error(err)
	}
}

// wait waits until something is so.
func (b *bench) wait(what string, so func() bool) {
	b.Helper()
	for range 3000 {
		if so() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	b.Fatalf("it never came to pass: %s", what)
}

// agreed reports what is not as it has to be once a run of a credential is over.
func (b *bench) agreed(name string) {
	b.Helper()
	config, err := sop.Load(filepath.Join(b.dir, "rekey.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	spec, err := config.Spec(name)
	if err != nil {
		b.Fatal(err)
	}
	b.world.Look(func(s *sim.State) {
		for _, o := range s.Outages {
			b.Errorf("outage of %s (%s): %s", o.Process, o.Var, o.Why)
		}
		_, broken := stage.Agreement(s, spec)
		for _, x := range broken {
			b.Error(x)
		}
	})
}

// as has somebody else ask from now on.
func (b *bench) as(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.who.Name = name
}

// stored is what the store holds under a name.
func (b *bench) stored(name string) (value string) {
	b.world.Look(func(s *sim.State) {
		for _, x := range s.Infisical.Secrets {
			if x.Key == name {
				value = x.Versions[len(x.Versions)-1].Value
			}
		}
	})
	return value
}

// told is a face that notes what it is told.
type told struct {
	mu       sync.Mutex
	past     int
	pasts    int
	events   []rotation.Event
	numbers  []int64
	ended    int
	confirms string // how it confirms; "": not at all
	asked    []rotation.Ask
}

func (f *told) Behind(error) {}

func (f *told) Past(events []rotation.Event) { f.past, f.pasts = len(events), f.pasts+1 }

func (f *told) Event(e rotation.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events, f.numbers = append(f.events, e), append(f.numbers, e.Seq)
}

func (f *told) Starts([]rotation.Action) {}
func (f *told) Waits(rotation.Wait)      {}
func (f *told) Call(estate.Call)         {}
func (f *told) End()                     { f.ended++ }

func (f *told) Confirm(_ context.Context, ask rotation.Ask) (string, error) {
	f.asked = append(f.asked, ask)
	if f.confirms == "" {
		return "", estate.ErrNotConfirmed
	}
	return f.confirms, nil
}

// events of a kind.
func (f *told) of(kind rotation.Kind) (out []rotation.Event) {
	for _, e := range f.events {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}
