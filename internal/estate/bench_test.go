package estate_test

import (
	"context"
	"database/sql"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rekey/internal/estate"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/lease"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sop"
	"rekey/internal/stage"
)

const (
	console = "CF_ACCESS_SVC_CONSOLE"
	vault   = "CF_ACCESS_SVC_VAULT"
	former  = "CF_ACCESS_SERVICE_TOKEN_CONSOLE"
)

// bench is a folder with the procedure's two credentials, and a world in memory in
// which time is virtual.
type bench struct {
	*testing.T
	dir   string
	world *sim.World
	clock *stage.Clock
	// before is called before each request; it may do what somebody else does then.
	before func(req *http.Request)
	// who tells who asks, as a service does; nil: whoever runs this process.
	who func(context.Context) (rotation.Who, error)
	// random is where the ids of runs come from; nil: the system's.
	random io.Reader
	mu     sync.Mutex // guards before: requests are made side by side
}

// newBench lays one out, with rekey.yaml as change makes it of the example.
func newBench(t *testing.T, change ...string) *bench {
	t.Helper()
	b := &bench{T: t, dir: t.TempDir(), clock: stage.NewClock(stage.Start)}
	b.world = sim.Open(sim.New(sim.Options{Seed: 7, Now: b.clock.Now()}), b.clock.Now)
	text := sop.Example()
	for i := 0; i < len(change); i += 2 {
		if !strings.Contains(text, change[i]) {
			t.Fatalf("the example has no %q", change[i])
		}
		text = strings.ReplaceAll(text, change[i], change[i+1])
	}
	if err := os.WriteFile(filepath.Join(b.dir, "rekey.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}

// operations are those of a process of its own.
func (b *bench) operations() estate.Operations {
	b.Helper()
	config, err := sop.Load(filepath.Join(b.dir, "rekey.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	env := b.world.Env()
	return estate.New(config, estate.Surroundings{
		Env:  func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		User: func() string { return "alice@laptop" },
		Who:  b.who,
		Tool: "test", Random: b.random,
		Clock: b.clock, Network: b,
	})
}

// RoundTrip is the network: it leads to the world.
func (b *bench) RoundTrip(req *http.Request) (*http.Response, error) {
	b.mu.Lock()
	before := b.before
	b.mu.Unlock()
	if before != nil {
		before(req)
	}
	return b.world.RoundTrip(req)
}

// once has f called before the first request that matches.
func (b *bench) once(method, part string, f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var first sync.Once
	b.before = func(req *http.Request) {
		if req.Method == method && strings.Contains(req.URL.Path, part) {
			first.Do(f)
		}
	}
}

// refused fails the test unless err has the code, and returns it.
func (b *bench) refused(err error, code estate.Code) *estate.Error {
	b.Helper()
	e, ok := err.(*estate.Error)
	switch {
	case !ok:
		b.Fatalf("it is %v, and not %s", err, code)
	case e.Code != code:
		b.Fatalf("it is %s (%v), and not %s", e.Code, err, code)
	}
	return e
}

// rotate opens a run that is confirmed beforehand.
func (b *bench) rotate(credential string) estate.Ended {
	b.Helper()
	ended, err := b.operations().Open(b.Context(), estate.Opening{Wish: estate.Wish{Credential: credential}, Confirm: credential}, &told{})
	if err != nil {
		b.Fatal(err)
	}
	return ended
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

// told is a face that notes what it is told, and confirms what it is asked if it is to.
type told struct {
	mu       sync.Mutex
	order    []string // what it was told, without repeats in a row
	events   []rotation.Event
	past     int
	calls    int
	behind   error
	confirms bool
	asked    []rotation.Ask
}

func (f *told) note(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.order); n == 0 || f.order[n-1] != what {
		f.order = append(f.order, what)
	}
}

func (f *told) Behind(why error) { f.note("behind"); f.behind = why }

func (f *told) Past(events []rotation.Event) {
	f.note("past")
	f.past = len(events)
}

func (f *told) Event(e rotation.Event) {
	f.note("event")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, e)
}

func (f *told) Starts([]rotation.Action) { f.note("starts") }
func (f *told) Waits(rotation.Wait)      { f.note("waits") }
func (f *told) End()                     { f.note("end") }

func (f *told) Call(estate.Call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
}

func (f *told) Confirm(_ context.Context, ask rotation.Ask) (string, error) {
	f.note("confirm")
	f.asked = append(f.asked, ask)
	if !f.confirms {
		return "", estate.ErrNotConfirmed
	}
	return "said so", nil
}

// overtake has another process take the only open run up.
func (b *bench) overtake() {
	b.Helper()
	j, err := journal.OpenExisting(filepath.Join(b.dir, ".rekey"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	book := history.Book{J: j}
	open, err := book.Going(b.Context())
	if err != nil || len(open) != 1 {
		b.Fatalf("open are %v (%v)", open, err)
	}
	leases, err := lease.Open(b.Context(), j)
	if err != nil {
		b.Fatal(err)
	}
	held, err := leases.Seize(b.Context(), open[0].Run, open[0].Credential, lease.Process+"of bob", time.Minute)
	if err != nil {
		b.Fatal(err)
	}
	_, recorder, err := book.Take(b.Context(), open[0].Credential, open[0].Run)
	if err == nil {
		recorder.With = func(ctx context.Context, tx *sql.Tx) error { return held.Check(ctx, tx) }
		err = recorder.Append(b.Context(), rotation.Event{At: b.clock.Now(), Run: open[0].Run, Kind: rotation.KindResumed, Resumed: &rotation.Resumed{Actor: "bob@elsewhere"}})
	}
	if err != nil {
		b.Fatal(err)
	}
}
