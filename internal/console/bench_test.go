package console_test

import (
	"context"
	"errors"
	"io"
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

	"rekey/internal/console"
	"rekey/internal/engine"
	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sop"
	"rekey/internal/stage"
)

const (
	svc   = "CF_ACCESS_SVC_CONSOLE"
	vault = "CF_ACCESS_SVC_VAULT"
)

// bench is a console over the procedure's two credentials, and a world in memory in which
// time is virtual.
type bench struct {
	*testing.T
	dir     string
	world   *sim.World
	clock   *stage.Clock
	service *service
	handler http.Handler

	mu  sync.Mutex
	who rotation.Who // who asks
}

// as has somebody else ask from now on.
func (b *bench) as(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.who = rotation.Who{Name: name, How: "session"}
}

// newBench lays one out, with rekey.yaml as change makes it of the example.
func newBench(t *testing.T, change ...string) *bench {
	t.Helper()
	b := &bench{T: t, dir: t.TempDir(), clock: stage.NewClock(stage.Start)}
	b.as("alice@laptop")
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
	b.service = newService(t, b.estate(), b.clock.Now)
	b.handler = b.console(console.Options{})
	return b
}

func (b *bench) estate() *estate.Estate {
	b.Helper()
	config, err := sop.Load(filepath.Join(b.dir, "rekey.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	env := b.world.Env()
	return estate.New(config, estate.Surroundings{
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Who: func(context.Context) (rotation.Who, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.who, nil
		},
		Tool:  "test",
		Clock: b.clock, Network: b.world,
	})
}

// console is one over the bench's service, with these options besides.
func (b *bench) console(o console.Options) http.Handler {
	b.Helper()
	if o.Ops == nil {
		o.Ops = b.service
	}
	o.Now, o.Tool, o.Doctor, o.Workers, o.Leases = b.clock.Now, "test", b.service.Doctor, b.service.Workers, b.service.Leases
	o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	c, err := console.New(o)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// get fetches a page, which has to be there.
func (b *bench) get(path string) string {
	b.Helper()
	status, body := b.ask(http.MethodGet, path, nil)
	if status != http.StatusOK {
		b.Fatalf("GET %s: %d\n%s", path, status, body)
	}
	return body
}

func (b *bench) ask(method, path string, form url.Values) (status int, body string) {
	b.Helper()
	w := b.serve(method, path, form)
	return w.Code, w.Body.String()
}

func (b *bench) serve(method, path string, form url.Values) *httptest.ResponseRecorder {
	b.Helper()
	r := httptest.NewRequest(method, "http://rekey.test"+path, strings.NewReader(form.Encode()))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w
}

// post sends a form, which has to lead to another page, and returns where that is.
func (b *bench) post(path string, form url.Values) string {
	b.Helper()
	w := b.serve(http.MethodPost, path, form)
	if w.Code != http.StatusSeeOther {
		b.Fatalf("POST %s: %d\n%s", path, w.Code, w.Body)
	}
	return w.Header().Get("Location")
}

// service is an engine that works until the test ends, and its estate.
type service struct {
	*engine.Engine
	estate *estate.Estate
}

func newService(t *testing.T, e *estate.Estate, now func() time.Time) *service {
	t.Helper()
	s := &service{engine.New(engine.Options{Estate: func() *estate.Estate { return e }, Name: "worker-1", Now: now, Poll: 10 * time.Millisecond, Park: 24 * time.Hour}), e}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Work(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, s.Close()); err != nil && !errors.Is(err, context.Canceled) { // it may not have begun
			t.Error(err)
		}
	})
	return s
}

// settle waits until a run, by its page's address, is over, stuck, or waits.
func (b *bench) settle(run string) {
	b.Helper()
	if _, err := b.service.Follow(b.Context(), strings.TrimPrefix(run, "/runs/"), 0, estate.Silent{}); err != nil {
		b.Fatal(err)
	}
}

// watcher is a face that wants to know nothing.
