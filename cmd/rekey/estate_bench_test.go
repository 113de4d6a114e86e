//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"rekey/internal/sim"
)

// BenchmarkEstate measures what looking at ten thousand credentials costs, of which the
// journal holds the whole of one run each: seconds of CPU of the command, and of the
// service for each of its pages and for what its schedule does. docs/benchmarks.md has the
// figures.
//
//	go test ./cmd/rekey -run '^$' -bench Estate -benchtime 1x -timeout 30m -v
func BenchmarkEstate(b *testing.B) {
	const credentials, entries = 10_000, 300_000
	l := &load{B: b, dir: b.TempDir()}
	var err error
	if l.path, err = binary(); err != nil {
		b.Fatal(err)
	}
	text := sim.FleetConfig(credentials, "http://127.0.0.1:1", fleetTiming) // nobody is asked
	text = strings.Replace(text, "    discover: \"off\"\n", "    discover: \"off\"\n    cadence: 90d\n", 1)
	text = strings.Replace(text, "rekey: 1\n", "rekey: 1\nschedule: {looks: {drift: off, discover: off, check: off}}\n", 1)
	if err := os.WriteFile(filepath.Join(l.dir, "rekey.yaml"), []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	live := make([]string, credentials)
	for i := range live {
		live[i] = fmt.Sprintf("live-%d", i)
	}
	manyEntries(b, filepath.Join(l.dir, ".rekey-simulated"), live, entries)
	debug.FreeOSMemory() // a process that is started begins with what this one has
	for _, words := range []string{"lint", "status", "schedule", "doctor"} {
		b.Run(words, func(b *testing.B) { spend(b, l.path, "-C", l.dir, words) })
	}
	l.api, l.base = l.serve("api")
	for _, path := range []string{"/", "/?q=fleet_77", "/credentials/FLEET_7", "/runs", "/calendar", "/findings", "/evidence", "/health", "/metrics", "/readyz?verbose",
		"/api/v1/status?limit=100", "/api/v1/runs?limit=100", "/api/v1/schedule"} {
		const times = 10
		before := l.api.cpu()
		l.ask(path)
		first := l.api.cpu() - before
		for range times {
			l.ask(path)
		}
		l.Logf("%-26s CPU: the first %v, each further one %v", path, first, (l.api.cpu()-before-first)/times)
	}
	b.ReportMetric(l.api.peak(), "api-MB")
	plan, _ := l.serve("scheduler")
	time.Sleep(10 * time.Second) // it has read everything once
	before := plan.cpu()
	const ticks = 3 // one in 15 seconds
	time.Sleep(ticks * 15 * time.Second)
	l.Logf("the schedule: CPU of its first 10 s %v, of each tick since %v", before, (plan.cpu()-before)/ticks)
	b.ReportMetric(plan.peak(), "schedule-MB")
	b.ReportMetric(0, "ns/op")
}
