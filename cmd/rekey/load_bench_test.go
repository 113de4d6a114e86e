//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rekey/internal/journal"
	"rekey/internal/realserver"
	"rekey/internal/rotation"
	"rekey/internal/sim"
)

// What the load is: so many credentials in rekey.yaml, each with the whole of one run in
// the journal, and so many of them due at one moment. The vendors know those that are due:
// nobody asks about the others.
const (
	loadCredentials = 5_000
	loadDue         = 200
	loadLatency     = 100 * time.Millisecond // of each answer of a vendor
	loadRate        = 50                     // requests to the API in a second
)

// BenchmarkLoad has rekey serve rotate two hundred credentials of five thousand that are due
// at one moment, on a real PostgreSQL and vendors over the network, while the API is asked
// fifty times a second; and prints what that costs. docs/benchmarks.md has the figures.
//
//	go test ./cmd/rekey -run '^$' -bench Load -benchtime 1x -timeout 30m -v
func BenchmarkLoad(b *testing.B) {
	get, stop := realserver.PostgresOnce()
	b.Cleanup(stop)
	db := get(b)
	// The tests' server writes every statement into its log, and waits for no disk.
	db.SQL(b, "postgres", "ALTER DATABASE trusting SET log_statement TO 'none'")
	one := oneRun(b)
	for _, workers := range []int{1, 3} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			for b.Loop() {
				l := newLoad(b, db, one, workers)
				l.idle()
				l.rotate(workers)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// load is one service of several processes, and what it works with.
type load struct {
	*testing.B
	db   *realserver.Postgres
	path string
	dir  string
	j    *journal.Journal
	from int64 // newest entry before anything is done
	api  *served
	base string // of the API
}

func newLoad(b *testing.B, db *realserver.Postgres, one pattern, workers int) *load {
	b.Helper()
	l := &load{B: b, db: db, dir: b.TempDir()}
	var err error
	if l.path, err = binary(); err != nil {
		b.Fatal(err)
	}
	live := make([]string, loadDue)
	world := sim.Open(sim.New(sim.Options{Seed: 7, Now: time.Now(), Knobs: sim.Knobs{Latency: sim.Duration(loadLatency), Shutdown: sim.Duration(60 * time.Millisecond)}}), time.Now)
	world.Look(func(s *sim.State) {
		s.Fleet(loadDue, 10)
		for _, x := range s.Cloudflare.Tokens {
			var i int
			if _, err := fmt.Sscanf(x.Name, "fleet-%d-", &i); err == nil {
				live[i] = x.ID
			}
		}
	})
	vendors := httptest.NewServer(world)
	b.Cleanup(vendors.Close)
	text := sim.FleetConfig(loadCredentials, vendors.URL, fleetTiming)
	text = strings.Replace(text, "    discover: \"off\"\n", "    discover: \"off\"\n    cadence: 90d\n    run: automatically\n", 1)
	text = strings.Replace(text, "rekey: 1\n", "rekey: 1\ndatabase: file:db.txt\nschedule: {at_most: 200, canary: none, looks: {drift: off, discover: off, check: off}}\n", 1)
	schema := fmt.Sprintf("load%d_%d", workers, time.Now().UnixNano())
	address := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/trusting?search_path=%s", db.Port, schema)
	for name, content := range map[string]string{"rekey.yaml": text, "db.txt": address + "\n"} {
		if err := os.WriteFile(filepath.Join(l.dir, name), []byte(content), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	if l.j, err = journal.OpenPostgres(b.Context(), address); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = l.j.Close()
		db.SQL(b, "trusting", "DROP SCHEMA "+schema+" CASCADE")
	})
	l.remember(one, live)
	db.SQL(b, "trusting", "VACUUM ANALYZE "+schema+".entries")
	last, err := l.j.Last(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	l.from = last.Seq
	l.Logf("%d entries in the journal", l.from)
	return l
}

// remember writes one run of each credential: those that are due now first, the others in
// the three months since.
func (l *load) remember(one pattern, live []string) {
	l.Helper()
	now := time.Now()
	var drafts []journal.Draft
	for i := range loadCredentials {
		at, made := now.AddDate(0, 0, -92), fmt.Sprintf("%s-%d", one.made, i)
		if i < loadDue {
			made = live[i]
		} else {
			at = now.Add(-80*24*time.Hour + time.Duration(i)*20*time.Minute)
		}
		drafts = append(drafts, one.again(fmt.Sprintf("h%05d", i), fmt.Sprintf("FLEET_%d", i), fmt.Sprintf("%s-%d", one.old, i), made, at, time.Second)...)
		if len(drafts) > 5_000 || i == loadCredentials-1 {
			if err := l.j.Append(l.Context(), drafts...); err != nil {
				l.Fatal(err)
			}
			drafts = drafts[:0]
		}
	}
}

// served is a process of the service.
type served struct {
	*load
	cmd  *exec.Cmd
	said *lastLines
}

// serve starts a process with some roles, and returns where it serves, if it does.
func (l *load) serve(roles string) (p *served, base string) {
	l.Helper()
	p = &served{load: l, cmd: exec.Command(l.path, "-C", l.dir, "--json", "serve", "--listen", "127.0.0.1:0", "--role", roles), said: &lastLines{}}
	p.cmd.Stderr = p.said
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() {
		if l.Failed() {
			l.Logf("%s said: %s", roles, p.said)
		}
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(20*time.Second, func() { _ = p.cmd.Process.Kill() })
		_ = p.cmd.Wait()
		kill.Stop()
	})
	if !strings.Contains(roles, "api") {
		return p, ""
	}
	var told struct{ Address string }
	if err := json.NewDecoder(out).Decode(&told); err != nil {
		l.Fatalf("%v: %s", err, p.said)
	}
	return p, told.Address
}

// lastLines keeps the end of what a process says.
type lastLines struct {
	mu   sync.Mutex
	text []byte
}

func (s *lastLines) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, p...)
	s.text = bytes.Clone(s.text[max(0, len(s.text)-3000):])
	return len(p), nil
}

func (s *lastLines) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text)
}

// idle asks for pages while nothing is carried out.
func (l *load) idle() {
	l.Helper()
	l.api, l.base = l.serve("api")
	for _, path := range []string{"/", "/?q=fleet_77", "/?needs=overdue", "/credentials/FLEET_7", "/runs", "/calendar", "/health", "/api/v1/status?limit=100", "/api/v1/runs?limit=100", "/api/v1/open-runs", "/readyz"} {
		var took tally
		cpu, database := time.Duration(0), time.Duration(0)
		const times = 15
		for n := range times + 1 {
			before, theirs := l.api.cpu(), l.databaseCPU()
			took.add(l.ask(path))
			if n == 0 {
				l.Logf("%-28s first %v", path, took.worst().Round(time.Millisecond))
				took = tally{}
				continue
			}
			cpu, database = cpu+l.api.cpu()-before, database+l.databaseCPU()-theirs
		}
		l.Logf("%-28s %v, CPU a page %v here and %v in the database", path, &took, cpu/times, database/times)
		if path == "/" {
			l.ReportMetric(took.at(50).Seconds()*1000, "page-ms")
			l.ReportMetric(cpu.Seconds()*1000/times, "page-cpu-ms")
		}
	}
}

// rotate has everything rotated that is due, and the API asked meanwhile.
func (l *load) rotate(n int) {
	l.Helper()
	ctx, stop := context.WithCancel(l.Context())
	defer stop()
	before := l.databaseCPU()
	var workers []*served
	for range n {
		w, _ := l.serve("worker")
		workers = append(workers, w)
	}
	api := l.api.cpu()
	plan, _ := l.serve("scheduler")
	start := time.Now()
	var asking sync.WaitGroup
	asked := map[string]*tally{}
	asking.Go(func() { l.asking(ctx, asked) })
	var begun, last time.Time
	done, bad := 0, 0
	for done < loadDue {
		select {
		case <-time.After(500 * time.Millisecond):
		case <-time.After(15*time.Minute - time.Since(start)):
			l.Fatalf("%d of %d are over", done, loadDue)
		}
		done, bad = 0, 0
		err := l.j.EachAfter(ctx, l.from, func(e journal.Entry) error {
			if begun.IsZero() {
				begun = e.At
			}
			if e.Kind == string(rotation.KindClosed) {
				done, last = done+1, e.At
				if !strings.Contains(string(e.Body), `"ending":"rotated"`) {
					bad++
				}
			}
			return nil
		}, "", string(rotation.KindOpened), string(rotation.KindClosed), string(rotation.KindStuck))
		if err != nil {
			l.Fatal(err)
		}
	}
	database := l.databaseCPU() - before
	stop()
	asking.Wait()
	if bad > 0 {
		l.Errorf("%d of %d did not end well", bad, done)
	}
	cpu, peak := time.Duration(0), 0.0
	for _, w := range workers {
		cpu, peak = cpu+w.cpu(), max(peak, w.peak())
	}
	took := last.Sub(begun)
	l.Logf("%d rotations in %v; CPU: workers %v, API %v, scheduler %v, database %v; memory at most: a worker %.0f MB, API %.0f MB, scheduler %.0f MB; load %s",
		done, took.Round(time.Millisecond), cpu, l.api.cpu()-api, plan.cpu(), database, peak, l.api.peak(), plan.peak(), loadAverage())
	l.ReportMetric(float64(done)/took.Minutes(), "rotations/min")
	l.ReportMetric(database.Seconds(), "db-cpu-s")
	l.ReportMetric(cpu.Seconds()/float64(done)*1000, "worker-cpu-ms/rotation")
	l.ReportMetric(peak, "worker-MB")
	var all tally
	for path, t := range asked {
		l.Logf("while runs go on, %-40s %v", path, t)
		if strings.HasPrefix(path, "/api/") {
			all.took = append(all.took, t.took...)
		}
	}
	l.Logf("while runs go on, all of the API: %v", &all)
	l.ReportMetric(all.at(99).Seconds()*1000, "api-p99-ms")
	l.ReportMetric(all.at(50).Seconds()*1000, "api-p50-ms")
}

// asking asks the API so many times a second, whether or not it has answered, and looks at a
// page of the console once a second.
func (l *load) asking(ctx context.Context, asked map[string]*tally) {
	paths := []string{"/api/v1/open-runs", "/api/v1/runs?limit=50", "/api/v1/runs/h00007", "/api/v1/runs/h00007/log", "/api/v1/status?limit=50",
		"/api/v1/runs?credential=FLEET_7", "/api/v1/whoami", "/api/v1/approvals", "/api/v1/runs/h00100", "/api/v1/runs?open=true"}
	var mu sync.Mutex
	var all sync.WaitGroup
	defer all.Wait()
	tick := time.NewTicker(time.Second / loadRate)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		path := paths[n%len(paths)]
		if n%loadRate == 0 {
			path = "/"
		}
		all.Go(func() {
			took := l.ask(path)
			mu.Lock()
			defer mu.Unlock()
			if asked[path] == nil {
				asked[path] = &tally{}
			}
			asked[path].add(took)
		})
	}
}

// ask is how long one answer takes, to its last byte.
func (l *load) ask(path string) time.Duration {
	start := time.Now()
	resp, err := http.Get(l.base + path)
	if err != nil {
		l.Errorf("%s: %v", path, err)
		return 0
	}
	var b bytes.Buffer
	_, err = b.ReadFrom(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK {
		l.Errorf("%s: %s %v %.300s", path, resp.Status, err, b.String())
	}
	return time.Since(start)
}

// cpu is what a process has used, of user and system.
func (p *served) cpu() time.Duration { return used(p.Fatal, p.cmd.Process.Pid, false) }

// peak is the most memory that a process had, in MB.
func (p *served) peak() float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), "VmHWM:")
	kib, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
	if err != nil {
		p.Fatal(err)
	}
	return kib / 1024
}

// databaseCPU is what all processes of the database have used, those that are over included.
func (l *load) databaseCPU() time.Duration {
	first, err := os.ReadFile(filepath.Join(l.db.SQL(l, "postgres", "SHOW data_directory")[0][0], "postmaster.pid"))
	if err != nil {
		l.Fatal(err)
	}
	line, _, _ := strings.Cut(string(first), "\n")
	parent, err := strconv.Atoi(line)
	if err != nil {
		l.Fatal(err)
	}
	all := used(l.Fatal, parent, true)
	processes, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		l.Fatal(err)
	}
	for _, name := range processes {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		if f := statFields(b); len(f) > 1 && f[1] == line {
			all += ticks(f[11]) + ticks(f[12])
		}
	}
	return all
}

// statFields are those of /proc/PID/stat after the name, which may hold anything: state
// first, then the parent. proc(5).
func statFields(b []byte) []string {
	_, after, _ := strings.Cut(string(b[bytes.LastIndexByte(b, ')')+1:]), " ")
	return strings.Fields(after)
}

// ticks are hundredths of a second: sysconf(_SC_CLK_TCK), which Linux tells all programs.
func ticks(text string) time.Duration {
	n, _ := strconv.ParseInt(text, 10, 64)
	return time.Duration(n) * 10 * time.Millisecond
}

func used(fatal func(...any), pid int, children bool) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		fatal(err)
	}
	f := statFields(b)
	sum := ticks(f[11]) + ticks(f[12])
	if children {
		sum += ticks(f[13]) + ticks(f[14])
	}
	return sum
}

func loadAverage() string {
	b, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(b), " ")
	return first
}
