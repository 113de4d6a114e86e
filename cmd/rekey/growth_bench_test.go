//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
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
	world := newFleetWorld(b, credentials)
	for _, size := range []int{1_000, 100_000, 1_000_000} {
		dir := fleetFolder(b, world, credentials)
		manyEntries(b, filepath.Join(dir, ".rekey-simulated"), credentials, size)
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

// newFleetWorld is a simulated world with so many credentials; the address of it.
func newFleetWorld(tb testing.TB, n int) string {
	tb.Helper()
	world := sim.Open(sim.New(sim.Options{Seed: 7, Now: time.Now(), Knobs: demoKnobs(0)}), time.Now)
	world.Look(func(s *sim.State) { s.Fleet(n, 10) })
	server := httptest.NewServer(world)
	tb.Cleanup(server.Close)
	return server.URL
}

func fleetFolder(tb testing.TB, world string, n int) string {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rekey.yaml"), []byte(strings.Replace(fleet(n), "ADDRESS", world, 1)), 0o600); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// spend runs a command of the program and reports what it cost.
func spend(b *testing.B, path string, args ...string) {
	b.Helper()
	debug.FreeOSMemory() // a child's peak counts what its parent held when it was forked
	var cpu time.Duration
	var rss int64
	for b.Loop() {
		cmd := exec.Command(path, args...)
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			b.Fatalf("%v: %s", err, out)
		}
		b.Logf("%s: %v, %d bytes, ends with %.200s", strings.Join(args[2:], " "), cmd.ProcessState, len(out), out[max(0, len(out)-200):])
		usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		rss = max(rss, int64(usage.Maxrss))
	}
	b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s")
	b.ReportMetric(float64(rss)/1024, "MB-peak") // Linux counts KiB
}

// manyEntries fills a journal with the entries of one real run, repeated under other
// names, until it has so many.
func manyEntries(tb testing.TB, dir string, credentials, size int) {
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
	last, err := from.Last(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	one, err := from.Run(tb.Context(), last.Run)
	if err != nil || len(one) == 0 {
		tb.Fatal(err, len(one))
	}
	if err := from.Close(); err != nil {
		tb.Fatal(err)
	}
	to, err := journal.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = to.Close() }()
	var old, made string // ids of the generations
	for _, e := range one {
		var o struct {
			Handle *struct{ ID string }
			Old    *struct{ ID string }
		}
		if err := json.Unmarshal(e.Body, &o); err != nil {
			tb.Fatal(err)
		}
		if o.Handle != nil {
			made = o.Handle.ID
		}
		if o.Old != nil {
			old = o.Old.ID
		}
	}
	var drafts []journal.Draft
	written := 0
	start := time.Now().AddDate(-1, 0, 0)
	for n := 0; written < size; n++ {
		name, run := fmt.Sprintf("FLEET_%d", n%credentials), fmt.Sprintf("%06d", n)
		r := strings.NewReplacer(last.Run, run, one[0].Subject, name, made, fmt.Sprintf("%s-%d", made, n), old, fmt.Sprintf("%s-%d", made, n-credentials))
		for _, e := range one {
			at := start.Add(time.Duration(written) * 365 * 24 * time.Hour / time.Duration(size))
			drafts = append(drafts, journal.Draft{At: at, Run: run, Subject: name, Kind: e.Kind, Body: []byte(r.Replace(string(e.Body)))})
			written++
		}
		if len(drafts) > 20_000 || written >= size {
			if err := to.Append(tb.Context(), drafts...); err != nil {
				tb.Fatal(err)
			}
			drafts = drafts[:0]
		}
	}
}
