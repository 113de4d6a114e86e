package scheduler_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rekey/internal/engine"
	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/scheduler"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

const (
	console = "CF_ACCESS_SVC_CONSOLE"
	vault   = "CF_ACCESS_SVC_VAULT"
)

// bench is a service on the procedure's two credentials, and a world in memory in which
// time is virtual.
type bench struct {
	*testing.T
	dir    string
	world  *sim.World
	config *sop.Config
	desk   *estate.Desk // of the process that was made last

	mu    sync.Mutex
	now   time.Time
	who   rotation.Who
	calls int
	down  bool     // no vendor answers
	told  []string // what a channel was told
}

// newBench lays one out; more are pairs of what else is replaced in the example.
func newBench(t *testing.T, procedure, end string, more ...string) *bench {
	t.Helper()
	b := &bench{T: t, dir: t.TempDir(), now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	b.world = sim.Open(sim.New(sim.Options{Seed: 7, Now: b.now}), b.Now)
	end += "identity:\n  roles: {superadmin: [{user: bob}], release: [{user: carol}]}\n"
	text := strings.Replace(sop.Example(), "    cadence: 90d\n", "    cadence: 90d\n"+procedure, 1) + "\n" + end
	for i := 0; i < len(more); i += 2 {
		text = strings.Replace(text, more[i], more[i+1], 1)
	}
	if err := os.WriteFile(filepath.Join(b.dir, "rekey.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.config, err = sop.Load(filepath.Join(b.dir, "rekey.yaml")); err != nil {
		t.Fatal(err)
	}
	b.as("bob", "superadmin")
	// What a check sees dates both credentials; then they fall due.
	for _, name := range []string{console, vault} {
		if _, err := b.estate().Check(t.Context(), estate.Wish{Credential: name}); err != nil {
			t.Fatal(err)
		}
	}
	b.later(91 * 24 * time.Hour)
	return b
}

func (b *bench) estate() *estate.Estate {
	env := b.world.Env()
	env["SLACK"] = "https://hooks.example.com/x"
	return estate.New(b.config, estate.Surroundings{
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Who: func(ctx context.Context) (rotation.Who, error) {
			if who, ok := scheduler.From(ctx); ok {
				return who, nil
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.who, nil
		},
		Tool: "test", Clock: b, Network: b,
	})
}

// service is a process: an engine that works, and a scheduler that ticks when it is told.
func (b *bench) service(name string) (*engine.Engine, *scheduler.Scheduler) {
	b.Helper()
	es := b.estate()
	b.desk = estate.NewDesk(func() *estate.Estate { return es }, b.Now)
	e := engine.New(engine.Options{Desk: b.desk, Estate: func() *estate.Estate { return es }, Name: name, Now: b.Now, Poll: 10 * time.Millisecond, Park: 24 * time.Hour})
	j, closing, err := es.Journal()
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Work(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			b.Errorf("engine %s: %v", name, err)
		}
		if err := e.Close(); err != nil {
			b.Errorf("engine %s: %v", name, err)
		}
		_ = closing()
	})
	return e, scheduler.New(scheduler.Options{Operations: e, Config: func() *sop.Config { return b.config }, Journal: j, Now: b.Now})
}

// ended waits until no run goes on, and returns all of them.
func (b *bench) ended(e *engine.Engine) []estate.Summary {
	b.Helper()
	runs, err := e.Runs(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range runs {
		if r.Open() && r.Stuck == "" {
			if _, err := e.Follow(b.Context(), r.Run, 0, estate.Silent{}); err != nil {
				b.Fatal(err)
			}
		}
	}
	if runs, err = e.Runs(b.Context()); err != nil {
		b.Fatal(err)
	}
	return runs
}

func (b *bench) as(name string, roles ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.who = rotation.Who{Name: name, How: "session", Verified: true, Roles: roles, Claims: map[string]string{"sub": name, "auth_time": fmt.Sprint(b.now.Unix())}}
}

func (b *bench) later(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

func (b *bench) Now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) Sleep(ctx context.Context, d time.Duration) error {
	b.later(max(d, 0))
	return ctx.Err()
}

func (b *bench) RoundTrip(req *http.Request) (*http.Response, error) {
	b.mu.Lock()
	if req.URL.Host == "hooks.example.com" {
		defer b.mu.Unlock()
		body, err := io.ReadAll(req.Body)
		b.told = append(b.told, string(body))
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("ok")), Request: req}, err
	}
	b.calls++
	down := b.down
	b.mu.Unlock()
	if down {
		return nil, fmt.Errorf("no vendor answers")
	}
	return b.world.RoundTrip(req)
}

// asked are the calls since it was asked last.
func (b *bench) asked() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.calls
	b.calls = 0
	return n
}
