//go:build !windows

package engine_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rekey/internal/engine"
	"rekey/internal/estate"
	"rekey/internal/journal"
	"rekey/internal/rotation"
	"rekey/internal/sim"
)

var (
	incidents   = flag.Int("incidents", 0, "of the chaos, at least; 0: a sample")
	credentials = flag.Int("credentials", 0, "of the chaos; 0: a sample")
	chaosSeed   = flag.Uint64("chaos-seed", 1, "what happens when")
)

const chaosLease = 2 * time.Second

// chaos is a simulated world over the network, a journal on PostgreSQL behind a proxy,
// and workers to which things happen.
type chaos struct {
	*testing.T
	*witness
	dir     string
	n       int
	workers string // the database's address for them
	said    *safeBuffer
	proxy   *cutter

	j     *journal.Journal
	pulse pulse

	mu       sync.Mutex
	happened map[string]int
	endings  int
	frozen   []frozen
}

// TestChaos: worker processes share one journal on PostgreSQL; they are killed, stopped
// for longer than their leases and woken, told to hand over, cut off from the database,
// and the database crashes. It is judged from the vendors' side and by the journal:
// nobody was ever without, one generation of each credential lives, everybody holds that
// one, no rule names another, no process did anything for a run that another had taken up,
// and every run has ended.
func TestChaos(t *testing.T) {
	server := postgres(t) // a crash of it concerns the other tests: this one is not parallel
	want, n := *incidents, *credentials
	if want == 0 {
		want = 12
		fmt.Fprintf(os.Stderr, "%s: A SAMPLE: %d incidents; -args -incidents 500 -credentials 50 takes more\n", t.Name(), want)
	}
	if n == 0 {
		n = 6
	}
	if _, limited := t.Deadline(); limited && want > 100 {
		t.Fatal("so many take longer on a machine that is busy: go test -timeout 0; it ends by itself when nothing goes on any more")
	}
	c, j, boss := newChaos(t, n, 5*time.Millisecond)
	var ps []*process
	for i := range 3 {
		p := &process{name: fmt.Sprintf("w%d", i), c: c}
		p.start()
		ps = append(ps, p)
	}
	t.Cleanup(func() {
		for _, p := range ps {
			_ = p.cmd.Process.Signal(syscall.SIGCONT)
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	})

	ctx, enough := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	for i := range n {
		busy.Go(func() { c.rotate(ctx, boss, fmt.Sprintf("FLEET_%d", i)) })
	}
	r := rand.New(rand.NewPCG(2026, *chaosSeed))
	var happening sync.WaitGroup
	free := make(chan *process, len(ps))
	for _, p := range ps {
		free <- p
	}
	for done := 0; done < want; done++ {
		c.progress(j, r.IntN(2*between))
		what, pause := r.IntN(100), time.Duration(r.IntN(800))*time.Millisecond
		long := chaosLease*3/2 + time.Duration(r.IntN(1500))*time.Millisecond
		name := ""
		var do func(p *process)
		switch {
		case what < 35:
			name, do = "kill -9", func(p *process) { p.end(syscall.SIGKILL, pause) }
		case what < 60:
			name, do = "stopped for longer than a lease", func(p *process) { p.freeze(long) }
		case what < 75:
			name, do = "told to hand over", func(p *process) { p.end(syscall.SIGTERM, pause) }
		case what < 92:
			name = "connections cut"
			c.proxy.cut()
		default:
			name = "database crashed"
			crash(server)
			server.Await(t)
		}
		if do != nil {
			p := <-free
			happening.Go(func() { do(p); free <- p })
		}
		c.mu.Lock()
		c.happened[name]++
		c.mu.Unlock()
	}
	happening.Wait()
	enough()
	busy.Wait()
	if lost := c.judge(j, boss).lost; lost == 0 && c.happened["stopped for longer than a lease"] > 0 {
		t.Error("nobody has lost a run by being stopped: what was to happen did not")
	}
	var all []string
	for name, n := range c.happened {
		all = append(all, fmt.Sprintf("%d %s", n, name))
	}
	slices.Sort(all)
	t.Logf("%d incidents (%s)", want, strings.Join(all, ", "))
	if t.Failed() {
		text := c.said.String()
		_ = os.WriteFile(filepath.Join(os.TempDir(), "rekey-chaos.log"), []byte(text), 0o600)
		t.Logf("the workers said:\n%s", text[max(0, len(text)-6000):])
	}
}

// newChaos lays a world, a journal and a database behind a proxy out, with an engine that
// only asks.
func newChaos(t *testing.T, n int, latency time.Duration) (*chaos, *journal.Journal, *engine.Engine) {
	t.Helper()
	server := postgres(t)
	knobs := sim.Knobs{Latency: sim.Duration(latency), Shutdown: sim.Duration(50 * time.Millisecond)}
	c := &chaos{T: t, dir: t.TempDir(), n: n, said: &safeBuffer{}, happened: map[string]int{}, witness: &witness{world: sim.Open(sim.New(sim.Options{Seed: 7, Now: time.Now(), Knobs: knobs}), time.Now)}}
	c.world.Look(func(s *sim.State) { s.Fleet(n, 10) })
	vendors := httptest.NewServer(c.witness)
	t.Cleanup(vendors.Close)
	if err := os.WriteFile(filepath.Join(c.dir, "rekey.yaml"), []byte(sim.FleetConfig(n, vendors.URL, "poll: 50ms, quiet: 300ms, watch: 50ms")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(c.dir, ".rekey-simulated"), 0o700); err != nil { // of the fingerprint key, which all share
		t.Fatal(err)
	}
	schema := fmt.Sprintf("chaos%d", schemas.Add(1))
	address := func(port int) string {
		return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/trusting?search_path=%s", port, schema)
	}
	c.proxy = newCutter(t, server.Port)
	c.workers = address(c.proxy.port)
	j, err := journal.OpenPostgres(t.Context(), address(server.Port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	c.j = j
	boss, err := chaosEngine(c.dir, "boss", j, http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := boss.Leases(t.Context()); err != nil { // makes the tables
		t.Fatal(err)
	}
	watchHolders(t, j)
	return c, j, boss
}

// TestAKilledWorkerIsReplaced after the term of its lease: how long that takes is logged,
// with the shortest term, or the one of REKEY_TEST_LEASE.
func TestAKilledWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	c, _, boss := newChaos(t, 1, 100*time.Millisecond)
	var ps []*process
	for i := range 2 {
		p := &process{name: fmt.Sprintf("w%d", i), c: c}
		p.start()
		t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
		ps = append(ps, p)
	}
	run, err := boss.Begin(t.Context(), estate.Opening{Wish: estate.Wish{Credential: "FLEET_0"}, Confirm: "FLEET_0"})
	if err != nil {
		t.Fatal(err)
	}
	f := &watching{events: make(chan rotation.Event, 1000)}
	over := make(chan error, 1)
	go func() {
		ended, err := boss.Follow(context.Background(), run, 0, f)
		if err == nil && (ended.State.Closed == nil || ended.State.Closed.Ending != rotation.Rotated) {
			err = fmt.Errorf("it ended as %+v", ended.State.Closed)
		}
		over <- err
	}()
	killed, at := "", time.Time{}
	for e := range f.events {
		switch {
		case e.Outcome != nil && e.Outcome.Step == string(rotation.Store) && killed == "":
			events, err := boss.Log(t.Context(), run)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range events.Events {
				if x.Resumed != nil {
					killed = x.Resumed.Worker
				}
			}
			for _, p := range ps {
				if strings.HasPrefix(killed, p.name+"-") {
					at = time.Now()
					_ = p.cmd.Process.Kill()
				}
			}
		case e.Resumed != nil && !at.IsZero() && e.Resumed.Worker != killed:
			t.Logf("%s was killed, and %s took its run up after %s", killed, e.Resumed.Worker, e.At.Sub(at).Round(10*time.Millisecond))
			at = time.Time{}
		case e.Closed != nil:
			if err := <-over; err != nil {
				t.Error(err)
			}
			if killed == "" {
				t.Error("nobody was killed")
			}
			return
		}
	}
}

// watching is a face that hands events on.
type watching struct {
	told
	events chan rotation.Event
}

func (w *watching) Event(e rotation.Event) { w.events <- e }

// between is how many entries of the journal there are between two incidents, on average:
// how far runs come does not depend on how fast the machine is.
const between = 12

// progress waits until so many entries more are in the journal; not for ever, for what
// happened may have stopped everything for a while.
func (c *chaos) progress(j *journal.Journal, n int) {
	var from int64 = -1
	for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(20 * time.Millisecond) {
		last, err := j.Last(c.Context())
		switch {
		case err != nil:
		case from < 0:
			from = last.Seq
		case last.Seq >= from+int64(n):
			return
		}
	}
}

// crash ends one session of the server by force, upon which the server ends all of them
// and recovers.
func crash(server interface {
	SQL(testing.TB, string, string) [][]string
}) {
	rows := server.SQL(silent{}, "postgres", `SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name = 'rekey' ORDER BY random() LIMIT 1`)
	if len(rows) == 0 {
		return
	}
	if pid, err := strconv.Atoi(rows[0][0]); err == nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// silent takes a server that is about to crash for no failure.
type silent struct{ testing.TB }

func (silent) Helper()               {}
func (silent) Fatalf(string, ...any) {}

// rotate rotates a credential again and again, until it was enough: once at least.
func (c *chaos) rotate(ctx context.Context, boss *engine.Engine, name string) {
	for first := true; first || ctx.Err() == nil; first = false {
		o := estate.Opening{Wish: estate.Wish{Credential: name}, Confirm: name}
		named := estate.Asking(context.Background(), &estate.Request{Key: fmt.Sprint(time.Now().UnixNano())})
		run := ""
		c.until(ctx, "begin "+name, func() error {
			var err error
			run, err = boss.Begin(named, o)
			if e, ok := errors.AsType[*estate.Error](err); ok && e.Code == estate.Repeated {
				run, err = e.Run, nil // the answer was lost
			}
			return err
		})
		c.until(ctx, "end "+name, func() error {
			ended, err := boss.Follow(context.Background(), run, 0, &told{})
			switch {
			case err != nil:
				return err
			case ended.State.Stuck != nil:
				c.Errorf("%s, run %s is stuck: %s", name, run, ended.State.Stuck.Why)
			case ended.State.Closed == nil:
				return fmt.Errorf("run %s waits: %s", run, ended.Waiting)
			case ended.State.Closed.Ending != rotation.Rotated && ended.State.Closed.Ending != rotation.RolledBack:
				c.Errorf("%s, run %s ended as %+v", name, run, ended.State.Closed)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.endings++
			if ended.State.Closed != nil {
				c.happened["runs "+string(ended.State.Closed.Ending)]++
			}
			return nil
		})
	}
}

// until tries something until it works: the database may be down.
func (c *chaos) until(ctx context.Context, what string, do func() error) {
	for {
		err := do()
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			last, unread := c.j.Last(context.Background())
			c.mu.Lock()
			endings := c.endings
			c.mu.Unlock()
			if why := c.pulse.still(last.Seq, endings); why != "" {
				c.Errorf("%s: %s: %v", what, why, errors.Join(err, unread))
				return
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// safeBuffer takes what several processes say.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
