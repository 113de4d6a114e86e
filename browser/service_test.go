package browser

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rekey/internal/console"
	"rekey/internal/engine"
	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

const (
	svc   = "CF_ACCESS_SVC_CONSOLE"
	vault = "CF_ACCESS_SVC_VAULT"
)

// site is a console over a simulated world, served on loopback.
type site struct {
	*engine.Engine
	url   string
	world *sim.World

	asked atomic.Pointer[estate.AskedByHand] // what runs ask a person to do; nil: nothing
	late  atomic.Pointer[string]             // a part of the path of what comes a second late; nil: nothing does

	stop  func()           // ends the server: nobody listens any more
	start func(*testing.T) // begins another one at the same address, as a deploy does

	mu     sync.Mutex
	who    rotation.Who                       // who asks
	answer func(*http.Request) *http.Response // instead of the world's, unless it is nil
}

// as has somebody else ask from now on.
func (s *site) as(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.who = rotation.Who{Name: name, How: "OS user"}
}

// RoundTrip is the network: it leads to the world.
func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	answer := s.answer
	s.mu.Unlock()
	if answer != nil {
		if resp := answer(r); resp != nil {
			return resp, nil
		}
	}
	return s.world.RoundTrip(r)
}

// instead has some requests answered otherwise from now on.
func (s *site) instead(status int, body string, which func(*http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = func(r *http.Request) *http.Response {
		if !which(r) {
			return nil
		}
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}
	}
}

// newSite serves one, with rekey.yaml as change makes it of the example.
func newSite(t *testing.T, change ...string) *site {
	t.Helper()
	dir := t.TempDir()
	knobs := sim.Knobs{Latency: sim.Duration(20 * time.Millisecond), Shutdown: sim.Duration(500 * time.Millisecond)}
	world := sim.Open(sim.New(sim.Options{Seed: 7, Now: time.Now(), Knobs: knobs}), time.Now)
	text := sop.Example()
	change = append([]string{"    before_expiry: 14d\n", "    before_expiry: 14d\n    timing:\n      poll: 100ms\n      quiet: 1s\n      watch: 1s\n", "      vendor: heroku\n      slots:", "      vendor: heroku\n      grace: 1s\n      slots:"}, change...)
	for i := 0; i < len(change); i += 2 {
		if !strings.Contains(text, change[i]) {
			t.Fatalf("the example has no %q", change[i])
		}
		text = strings.ReplaceAll(text, change[i], change[i+1])
	}
	if strings.Contains(text, "PORTAL_KEY") {
		world.Look(func(w *sim.State) { w.GivePortalKey("console-2026-08-23", "PORTAL_KEY") })
	}
	if err := os.WriteFile(filepath.Join(dir, "rekey.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := sop.Load(filepath.Join(dir, "rekey.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	env := world.Env()
	s := &site{world: world}
	e := estate.New(config, estate.Surroundings{
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Who: func(context.Context) (rotation.Who, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.who, nil
		},
		Tool: "test", Network: s,
	})
	s.as("alice@laptop")
	s.Engine = engine.New(engine.Options{Estate: func() *estate.Estate { return e }, Name: "host-1:4711", Poll: 50 * time.Millisecond})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Work(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, s.Close()); err != nil && !errors.Is(err, context.Canceled) { // it may not have begun
			t.Error(err)
		}
	})
	pages := func(t *testing.T) http.Handler {
		t.Helper()
		c, err := console.New(console.Options{
			ByHand: func(string) bool { return s.asked.Load() != nil }, Asked: func(context.Context, string) (*estate.AskedByHand, error) { return s.asked.Load(), nil },
			Ops: s.Engine, Tool: "test", Simulated: true, Doctor: e.Doctor, Workers: s.Workers, Leases: s.Leases,
		})
		if err != nil {
			t.Fatal(err)
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if late := s.late.Load(); late != nil && strings.Contains(r.URL.Path, *late) {
				time.Sleep(time.Second)
			}
			c.ServeHTTP(w, r)
		})
	}
	server := httptest.NewServer(pages(t))
	s.url = server.URL
	s.stop = func() {
		server.CloseClientConnections()
		server.Close()
	}
	s.start = func(t *testing.T) {
		t.Helper()
		l, err := net.Listen("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		server = httptest.NewUnstartedServer(pages(t))
		_ = server.Listener.Close()
		server.Listener = l
		server.Start()
	}
	t.Cleanup(func() { s.stop() })
	return s
}

// begun is a run of the credential that goes on by itself.
func (s *site) begun(t *testing.T) (run string) {
	t.Helper()
	run, err := s.Begin(t.Context(), estate.Opening{Wish: estate.Wish{Credential: svc}})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// settle waits until a run is over, stuck, or waits for a person.
func (s *site) settle(t *testing.T, run string) {
	t.Helper()
	if _, err := s.Follow(t.Context(), run, 0, estate.Silent{}); err != nil {
		t.Fatal(err)
	}
}
