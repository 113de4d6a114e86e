package server_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rekey/internal/api"
	"rekey/internal/client"
	"rekey/internal/engine"
	"rekey/internal/estate"
	"rekey/internal/journal"
	"rekey/internal/rotation"
	"rekey/internal/server"
	"rekey/internal/sim"
	"rekey/internal/sop"
	"rekey/internal/stage"
)

const (
	console = "CF_ACCESS_SVC_CONSOLE"
	vault   = "CF_ACCESS_SVC_VAULT"
	former  = "CF_ACCESS_SERVICE_TOKEN_CONSOLE"
)

// bench is a folder with the procedure's two credentials, and a world in memory in which
// time is virtual.
type bench struct {
	*testing.T
	dir    string
	world  *sim.World
	clock  *stage.Clock
	config *sop.Config
	log    bytes.Buffer     // of the server
	shared *journal.Journal // nil: one in the folder
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
	var err error
	if b.config, err = sop.Load(filepath.Join(b.dir, "rekey.yaml")); err != nil {
		t.Fatal(err)
	}
	return b
}

// estate is one of a process of its own.
func (b *bench) estate() *estate.Estate {
	env := b.world.Env()
	return estate.New(b.config, estate.Surroundings{
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Who: func(context.Context) (rotation.Who, error) {
			return rotation.Who{Name: "alice@laptop", How: "OS user"}, nil
		},
		Tool: "test", Clock: b.clock, Network: network{b.world}, Journal: b.shared,
	})
}

// engine is one that works until the test ends.
func (b *bench) engine() *engine.Engine {
	b.Helper()
	es := b.estate()
	e := engine.New(engine.Options{Estate: func() *estate.Estate { return es }, Name: "one", Now: b.clock.Now, Poll: 10 * time.Millisecond, Park: 24 * time.Hour}) // time is virtual: a wait is over at once
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Work(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			b.Errorf("the engine: %v", err)
		}
		if err := e.Close(); err != nil {
			b.Errorf("the engine: %v", err)
		}
	})
	return e
}

// options are those of a server of this bench.
func (b *bench) options(e server.Engine) server.Options {
	return server.Options{Engine: e, Version: "test", Now: b.clock.Now, Log: slog.New(slog.NewJSONHandler(&b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Configured: func() api.Configured {
			return api.Configured{File: "rekey.yaml", Loaded: b.clock.Now(), Credentials: b.config.Specs}
		}}
}

// live serves over loopback, and returns where.
func (b *bench) live(o server.Options) *httptest.Server {
	b.Helper()
	s, err := server.New(o)
	if err != nil {
		b.Fatal(err)
	}
	ts := httptest.NewServer(s)
	b.Cleanup(func() { s.Drain(); ts.CloseClientConnections(); ts.Close() })
	return ts
}

// client asks what is served.
func (b *bench) client(at string, change func(*client.Options)) *client.Client {
	b.Helper()
	base, err := url.Parse(at)
	if err != nil {
		b.Fatal(err)
	}
	o := client.Options{Transport: &http.Transport{}, Version: "test", Now: b.clock.Now, Sleep: b.clock.Sleep}
	if change != nil {
		change(&o)
	}
	c, err := client.New(base, o)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// network leads to the world.
type network struct{ world *sim.World }

func (n network) RoundTrip(req *http.Request) (*http.Response, error) { return n.world.RoundTrip(req) }

// told is a face that notes what it is told, and confirms what it is asked if it is to.
type told struct {
	mu       sync.Mutex
	events   []rotation.Event
	past     []rotation.Event
	order    []string
	asked    int
	confirms bool
}

func (f *told) note(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.order); n == 0 || f.order[n-1] != what {
		f.order = append(f.order, what)
	}
}

func (f *told) Behind(error)               { f.note("behind") }
func (f *told) Past(past []rotation.Event) { f.note("past"); f.past = past }
func (f *told) Starts([]rotation.Action)   { f.note("starts") }
func (f *told) Waits(rotation.Wait)        { f.note("waits") }
func (f *told) Call(estate.Call)           {}
func (f *told) End()                       { f.note("end") }

func (f *told) Event(e rotation.Event) {
	f.note("event")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, e)
}

func (f *told) Confirm(context.Context, rotation.Ask) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked++; !f.confirms {
		return "", estate.ErrNotConfirmed
	}
	return "said so", nil
}
