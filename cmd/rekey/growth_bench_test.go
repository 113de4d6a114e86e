//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rekey/internal/journal"
	"rekey/internal/sim"
)

// BenchmarkGrowth measures what commands cost where very much has been done: seconds
// of CPU and peak memory of the process, on a simulated fleet of a hundred
// credentials. docs/benchmarks.md has the figures of before.
//
//	go test ./cmd/rekey -run '^$' -bench Growth -benchtime 1x -timeout 30m
func BenchmarkGrowth(b *testing.B) {
	path, err := binary()
	if err != nil {
		b.Fatal(err)
	}
	const credentials = 100
	for _, size := range []int{1_000, 100_000, 1_000_000} {
		world, live := newFleetWorld(b, credentials)
		dir := fleetFolder(b, world, credentials)
		manyEntries(b, filepath.Join(dir, ".rekey-simulated"), live, size)
		if out, err := exec.Command(path, "-C", dir, "checkpoint").CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out) // as every command that writes leaves it
		}
		measure := func(name string, args ...string) {
			b.Run(fmt.Sprintf("%s/%d-entries", name, size), func(b *testing.B) { spend(b, path, append([]string{"-C", dir}, args...)...) })
		}
		measure("run", "run", "FLEET_7", "--confirm", "FLEET_7")
		measure("drift", "drift")
		measure("status", "status")
		if size <= 100_000 {
			measure("evidence", "evidence", "--from", "2020-01-01", "--json")
		}
	}
}

// newFleetWorld is a simulated world with so many credentials: its address, and the ids
// of what is in use.
func newFleetWorld(tb testing.TB, n int) (address string, live []string) {
	tb.Helper()
	live = make([]string, n)
	world := sim.Open(sim.New(sim.Options{Seed: 7, Now: time.Now(), Knobs: demoKnobs(0)}), time.Now)
	world.Look(func(s *sim.State) {
		s.Fleet(n, 10)
		for _, x := range s.Cloudflare.Tokens {
			var i int
			if _, err := fmt.Sscanf(x.Name, "fleet-%d-", &i); err == nil {
				live[i] = x.ID
			}
		}
	})
	server := httptest.NewServer(world)
	tb.Cleanup(server.Close)
	return server.URL, live
}

func fleetFolder(tb testing.TB, world string, n int) string {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rekey.yaml"), []byte(sim.FleetConfig(n, world, fleetTiming)), 0o600); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// spend runs a command of the program and reports what it cost.
func spend(b *testing.B, path string, args ...string) {
	b.Helper()
	var cpu time.Duration
	var rss int64
	for b.Loop() {
		cmd := exec.Command(path, args...)
		var out ending
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); cmd.ProcessState == nil {
			b.Fatalf("%v: %s", err, out.last)
		}
		b.Logf("%s: %v, %d bytes, ends with %s", strings.Join(args[2:], " "), cmd.ProcessState, out.n, out.last)
		usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		rss = max(rss, int64(usage.Maxrss))
	}
	b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s")
	b.ReportMetric(float64(rss)/1024, "MB-peak") // Linux counts KiB
}

// ending keeps the end of what is written, and counts the rest: on Linux the peak of a
// process counts what its parent held when it was forked, so that is little.
type ending struct {
	n    int
	last []byte
}

func (e *ending) Write(p []byte) (int, error) {
	e.n += len(p)
	e.last = append(e.last, p...)
	e.last = append([]byte(nil), e.last[max(0, len(e.last)-200):]...)
	return len(p), nil
}

// pattern is the entries of one real run, to be repeated under other names.
type pattern struct {
	entries   []journal.Entry
	old, made string // ids of the generations
}

// oneRun carries one run out, in a world of its own.
func oneRun(tb testing.TB) (p pattern) {
	tb.Helper()
	demo := tb.TempDir()
	path, err := binary()
	if err != nil {
		tb.Fatal(err)
	}
	if out, err := exec.Command(path, "-C", demo, "demo", "--folder", "d", "--latency", "0s", "--json").CombinedOutput(); err != nil {
		tb.Fatalf("%v: %s", err, out)
	}
	from, err := journal.OpenExisting(filepath.Join(demo, "d", ".rekey"))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	last, err := from.Last(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	if p.entries, err = from.Run(tb.Context(), last.Run); err != nil || len(p.entries) == 0 {
		tb.Fatal(err, len(p.entries))
	}
	for _, e := range p.entries {
		var o struct {
			Handle *struct{ ID string }
			Old    *struct{ ID string }
		}
		if err := json.Unmarshal(e.Body, &o); err != nil {
			tb.Fatal(err)
		}
		if o.Handle != nil {
			p.made = o.Handle.ID
		}
		if o.Old != nil {
			p.old = o.Old.ID
		}
	}
	return p
}

// again is the run once more, of another credential, that puts a generation in the place of
// an old one: each entry a step after the one before.
func (p pattern) again(run, credential, old, made string, from time.Time, step time.Duration) (drafts []journal.Draft) {
	r := strings.NewReplacer(p.entries[0].Run, run, p.entries[0].Subject, credential, p.made, made, p.old, old)
	for i, e := range p.entries {
		drafts = append(drafts, journal.Draft{At: from.Add(time.Duration(i) * step), Run: run, Subject: credential, Kind: e.Kind, Body: []byte(r.Replace(string(e.Body)))})
	}
	return drafts
}

// manyEntries fills a journal with the entries of one real run, repeated under other
// names, until it has so many. live are the ids of what the last run of each credential
// has made.
func manyEntries(tb testing.TB, dir string, live []string, size int) {
	tb.Helper()
	one := oneRun(tb)
	to, err := journal.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = to.Close() }()
	var drafts []journal.Draft
	credentials, runs := len(live), (size+len(one.entries)-1)/len(one.entries)
	id := func(n int) string { // of what the n-th run has made
		if n >= runs-credentials && n >= 0 {
			return live[n%credentials]
		}
		return fmt.Sprintf("%s-%d", one.made, n)
	}
	step := 365 * 24 * time.Hour / time.Duration(size)
	start := time.Now().AddDate(-1, 0, 0)
	for n := range runs {
		at := start.Add(time.Duration(n*len(one.entries)) * step)
		drafts = append(drafts, one.again(fmt.Sprintf("%06d", n), fmt.Sprintf("FLEET_%d", n%credentials), id(n-credentials), id(n), at, step)...)
		if len(drafts) > 5_000 || n == runs-1 {
			if err := to.Append(tb.Context(), drafts...); err != nil {
				tb.Fatal(err)
			}
			drafts = drafts[:0]
		}
	}
}
