//go:build !windows

package engine_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
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
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

var (
	incidents   = flag.Int("incidents", 0, "of the chaos, at least; 0: a sample")
	credentials = flag.Int("credentials", 0, "of the chaos; 0: a sample")
	chaosSeed   = flag.Uint64("chaos-seed", 1, "what happens when")
)

// The worker's environment: the test binary is its own worker.
const (
	workerName    = "REKEY_TEST_WORKER"
	workerFolder  = "REKEY_TEST_FOLDER"
	workerAddress = "REKEY_TEST_DATABASE"
	workerLease   = "REKEY_TEST_LEASE" // "": chaosLease
	workerHands   = "REKEY_TEST_HANDS" // how many runs at once; "": 8
)

const chaosLease = 2 * time.Second

// beWorker is a worker's whole life: it works until it is told to hand over.
func beWorker(name string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() { // it does not outlive the test
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(2)
	}()
	var j *journal.Journal
	for {
		var err error
		if j, err = journal.OpenPostgres(ctx, os.Getenv(workerAddress)); err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	defer func() { _ = j.Close() }()
	for ctx.Err() == nil {
		e, err := chaosEngine(os.Getenv(workerFolder), name, j, marked{name, http.DefaultTransport})
		if err == nil {
			err = e.Work(ctx)
		}
		if err == nil {
			return nil
		}
		fmt.Fprintln(os.Stderr, name, "begins anew:", err)
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}

// marked tells the vendors which process asks, for the judge.
type marked struct {
	name string
	next http.RoundTripper
}

func (m marked) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("X-Test-Process", m.name)
	return m.next.RoundTrip(req)
}

func chaosEngine(dir, name string, j *journal.Journal, network http.RoundTripper) (*engine.Engine, error) {
	config, err := sop.Load(filepath.Join(dir, "rekey.yaml"))
	if err != nil {
		return nil, err
	}
	term := chaosLease
	if text := os.Getenv(workerLease); text != "" {
		if term, err = time.ParseDuration(text); err != nil {
			return nil, err
		}
	}
	hands := 8
	if text := os.Getenv(workerHands); text != "" {
		if hands, err = strconv.Atoi(text); err != nil {
			return nil, err
		}
	}
	es := estate.New(config, estate.Surroundings{Tool: "test", Network: network, Journal: j, User: func() string { return name }})
	return engine.New(engine.Options{
		Estate: func() *estate.Estate { return es }, Name: name, Lease: term, Poll: 100 * time.Millisecond, Park: 200 * time.Millisecond, AtOnce: hands,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})).With("process", name),
	}), nil
}

// process is a worker's process, begun again whenever it has ended.
type process struct {
	name string
	c    *chaos
	mu   sync.Mutex
	cmd  *exec.Cmd
	n    int
}

func (p *process) start(more ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), workerName+"="+fmt.Sprintf("%s-%d", p.name, p.n), workerFolder+"="+p.c.dir, workerAddress+"="+p.c.workers+"&test.process="+fmt.Sprintf("%s-%d", p.name, p.n))
	p.cmd.Env = append(p.cmd.Env, more...)
	p.cmd.Stderr = p.c.said
	p.cmd.Stdout = p.c.said
	if _, err := p.cmd.StdinPipe(); err != nil {
		p.c.Error(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.c.Error(err)
	}
}

// end ends the process by a signal, and begins another one after a while.
func (p *process) end(sig syscall.Signal, pause time.Duration) {
	p.mu.Lock()
	cmd := p.cmd
	p.mu.Unlock()
	_ = cmd.Process.Signal(sig)
	_ = cmd.Wait()
	time.Sleep(pause)
	p.start()
}

// freeze stops the process for longer than its leases last, and lets it go on.
func (p *process) freeze(d time.Duration) {
	p.mu.Lock()
	cmd, name := p.cmd, fmt.Sprintf("%s-%d", p.name, p.n)
	p.mu.Unlock()
	from := time.Now()
	_ = cmd.Process.Signal(syscall.SIGSTOP)
	time.Sleep(d)
	_ = cmd.Process.Signal(syscall.SIGCONT)
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	p.c.frozen = append(p.c.frozen, frozen{name, from, time.Now()})
}

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
		c.happened[name]++
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

// How long it is waited once nothing happens any more: a machine that is slow comes to an
// end, and one on which nothing goes on does not.
const (
	noEntry  = 2 * time.Minute  // without a new entry in the journal
	noEnding = 15 * time.Minute // without one run more that has ended
)

// pulse is since when nothing goes on.
type pulse struct {
	mu             sync.Mutex
	seq            int64
	endings        int
	entered, ended time.Time
}

// still tells why nothing more is to be waited for; "": things go on.
func (p *pulse) still(seq int64, endings int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.entered.IsZero() || seq != p.seq {
		p.seq, p.entered = seq, now
	}
	if p.ended.IsZero() || endings != p.endings {
		p.endings, p.ended = endings, now
	}
	switch {
	case now.Sub(p.entered) > noEntry:
		return fmt.Sprintf("nothing was written for %s", noEntry)
	case now.Sub(p.ended) > noEnding:
		return fmt.Sprintf("no run has ended for %s", noEnding)
	}
	return ""
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

// judge compares the vendors' truth and the journal with the promises.
func (c *chaos) judge(j *journal.Journal, boss *engine.Engine) testified {
	c.world.Look(func(s *sim.State) {
		for _, o := range s.Outages {
			c.Errorf("outage of %s in %s from %s: %s", o.App, o.Var, o.From.Format(time.TimeOnly), o.Why)
		}
		live := map[string][]*sim.Token{}
		for _, x := range s.Cloudflare.Tokens {
			if m := fleetNumber.FindStringSubmatch(x.Name); m != nil {
				live["FLEET_"+m[1]] = append(live["FLEET_"+m[1]], x)
			}
		}
		for i := range c.n {
			name := fmt.Sprintf("FLEET_%d", i)
			if len(live[name]) != 1 {
				var names []string
				for _, x := range live[name] {
					names = append(names, x.Name)
				}
				c.Errorf("%s: live are %v", name, names)
				continue
			}
			x := live[name][0]
			if !x.Enabled {
				c.Errorf("%s: the live one is switched off", name)
			}
			for _, secret := range s.Infisical.Secrets {
				if now := secret.Versions[len(secret.Versions)-1].Value; secret.Key == name && now != x.Secret || secret.Key == name+"__CLIENT_ID" && now != x.ClientID {
					c.Errorf("%s: the store's %s is not of the live one", name, secret.Key)
				}
			}
			for _, a := range s.Heroku.Apps {
				if a.Name == fmt.Sprintf("fleet-%d", i) {
					if now := a.Releases[len(a.Releases)-1].Vars[name]; now != x.ClientID+":"+x.Secret {
						c.Errorf("%s: the app does not hold the live one", name)
					}
				}
			}
			named := 0
			for _, p := range s.Cloudflare.Policies {
				named += strings.Count(string(p["include"]), x.ID)
			}
			if named != 1 {
				c.Errorf("%s: the live one is named %d times", name, named)
			}
		}
		for _, x := range s.Cloudflare.Deleted {
			for _, p := range s.Cloudflare.Policies {
				if strings.Contains(string(p["include"]), x.ID) {
					c.Errorf("a policy still names %s, which is deleted", x.Name)
				}
			}
		}
	})
	ctx := context.Background()
	if _, _, err := j.Verify(ctx); err != nil {
		c.Errorf("the journal does not verify: %v", err)
	}
	book := history.Book{J: j}
	runs, err := book.Runs(ctx)
	if err != nil {
		c.Fatal(err)
	}
	for _, run := range runs {
		events, err := book.Events(ctx, run.Run)
		if err != nil {
			c.Fatal(err)
		}
		closed := 0
		for _, e := range events {
			if closed > 0 {
				c.Errorf("run %s goes on after it was closed", run.Run)
			}
			if e.Closed != nil {
				closed++
			}
		}
		if closed != 1 {
			c.Errorf("run %s was closed %d times", run.Run, closed)
		}
	}
	rows, err := boss.Leases(ctx)
	for began := time.Now(); len(rows) > 0 && time.Since(began) < 10*time.Second; rows, err = boss.Leases(ctx) {
		time.Sleep(50 * time.Millisecond) // it is removed after the last entry
	}
	if err != nil || len(rows) > 0 {
		c.Errorf("leases that are left: %+v (%v)", rows, err)
	}
	db, _ := j.DB()
	said, err := c.testify(ctx, db, c.frozen)
	if err != nil {
		c.Fatal(err)
	}
	for _, x := range said.broken {
		c.Error(x)
	}
	if said.changes == 0 || said.written == 0 {
		c.Errorf("nothing was witnessed: %+v", said)
	}
	c.Logf("%d runs, let go of or handed on %d times, %d of them while their holder was stopped; judged were %d changes and %d entries, %d broke a promise, %d came when a run was in nobody's hands",
		len(runs), said.handed, said.lost, said.changes, said.written, len(said.broken), said.between)
	return said
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

// cutter stands before the database, and cuts all connections when it is told to.
type cutter struct {
	port int
	mu   sync.Mutex
	open map[net.Conn]bool
}

func newCutter(t *testing.T, port int) *cutter {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &cutter{port: l.Addr().(*net.TCPAddr).Port, open: map[net.Conn]bool{}}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				_ = client.Close()
				continue
			}
			p.mu.Lock()
			p.open[client], p.open[server] = true, true
			p.mu.Unlock()
			pipe := func(to, from net.Conn) {
				_, _ = io.Copy(to, from)
				_, _ = to.Close(), from.Close()
				p.mu.Lock()
				delete(p.open, to)
				delete(p.open, from)
				p.mu.Unlock()
			}
			go pipe(server, client)
			go pipe(client, server)
		}
	}()
	return p
}

func (p *cutter) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close()
	}
}
