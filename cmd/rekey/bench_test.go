//go:build unix

package main

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// criticalPath is the longest chain of calls of the SOP's run that must follow
// one another; everything else runs beside it.
var criticalPath = []string{
	"log in to the store", "read the slots", "prove that history can be read",
	"create",
	"read the policy", "write the policy",
	"probe with the new one",
	"write the store",
	"write the app",
	"find the release, and look at dynos", "read config vars",
	"check, and ask when the old one was last used",
	"list who may hold the old one",
	"switch the old one off", "probe with it", "check while it is off",
	"look at the store before anything is taken away",
	"read the policy", "write the policy",
	"delete the old one",
	"probe with the old one and the new one, and check",
	"look whether everything runs",
}

// waited adds up what a run waited for because its plan says so, and how often it asked
// again afterwards.
func waited(tb testing.TB, stream []byte) (long time.Duration, again int) {
	tb.Helper()
	var now time.Time // of the latest event
	for line := range strings.Lines(string(stream)) {
		var l struct {
			Type      string
			At, Until time.Time
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			tb.Fatal(err)
		}
		switch {
		case l.Type == "event":
			now = l.At
		case l.Type == "wait" && l.Until.After(now):
			long, again = long+l.Until.Sub(now), again+1
		}
	}
	return long, again
}

// BenchmarkRun times the whole binary on vendors that take 100 ms for every
// answer, and prints how much longer than its critical path that takes, its waits aside.
func BenchmarkRun(b *testing.B) {
	const latency = 100 * time.Millisecond
	path, err := binary()
	if err != nil {
		b.Fatal(err)
	}
	var wall, chain time.Duration
	var rss int64
	calls, entries, best := 0, 0, math.Inf(1)
	for b.Loop() {
		dir := b.TempDir()
		out, err := exec.Command(path, "-C", dir, "demo", "--folder", "d", "--latency", "0s", "--json").CombinedOutput()
		if err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		dir = filepath.Join(dir, "d")
		file := filepath.Join(dir, "rekey.yaml")
		config := strings.NewReplacer("quiet: 1s", "quiet: 0s", "watch: 1s", "watch: 0s", "grace: 1s ", "grace: 0s ").Replace(demoConfig())
		world := filepath.Join(dir, "world.json")
		w, err := os.ReadFile(world)
		if err != nil {
			b.Fatal(err)
		}
		w = []byte(strings.Replace(string(w), `"knobs": {`, `"knobs": {"latency": "`+latency.String()+`",`, 1))
		w = []byte(strings.Replace(string(w), `"shutdown": "1s"`, `"shutdown": "0s"`, 1))
		if err := os.WriteFile(world, w, 0o600); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
			b.Fatal(err)
		}
		cmd := exec.Command(path, "-C", dir, "run", "CF_ACCESS_SVC_VAULT", "--confirm", "CF_ACCESS_SVC_VAULT", "--json")
		start := time.Now()
		out, err = cmd.Output()
		took := time.Since(start)
		if err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		long, again := waited(b, out)
		least := time.Duration(len(criticalPath)+again) * latency
		wall, chain = wall+took-long, chain+least
		best = min(best, float64(took-long)/float64(least))
		usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		rss = max(rss, int64(usage.Maxrss))
		calls = strings.Count(string(out), `"type":"call"`)
		entries = strings.Count(string(out), `"type":"event"`)
	}
	n := time.Duration(b.N)
	b.ReportMetric(float64(wall)/float64(chain), "x-critical-path")
	b.ReportMetric(best, "x-at-best") // a machine that others use adds to the rest
	b.ReportMetric(float64(((wall - chain) / n).Milliseconds()), "ms-over-path")
	b.ReportMetric(float64(calls), "calls")
	b.ReportMetric(float64(entries), "journal-entries")
	mib := float64(rss) / 1024 // Linux counts KiB
	if runtime.GOOS == "darwin" {
		mib /= 1024
	}
	b.ReportMetric(mib, "MiB-peak")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkLint reads a file with a thousand credentials.
func BenchmarkLint(b *testing.B) {
	var text strings.Builder
	text.WriteString(sop.Example())
	for i := range 1000 {
		name := "N" + strings.Repeat("X", i%7) + string(rune('A'+i%26)) + string(rune('A'+i/26%26)) + string(rune('A'+i/676))
		text.WriteString("\n  CF_ACCESS_SVC_" + name + ":\n    consumers: [{app: app-" + strings.ToLower(name) + "}]\n")
	}
	src := []byte(text.String())
	if _, err := sop.Parse("bench.yaml", src); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		_, _ = sop.Parse("bench.yaml", src)
	}
}

// BenchmarkStatus shows the status of ten thousand credentials, each rotated three
// times, from the journal alone: the whole command, its file read and checked.
func BenchmarkStatus(b *testing.B) {
	const credentials, rotations = 10_000, 3
	dir := b.TempDir()
	var text strings.Builder
	text.WriteString(sop.Example())
	names := []string{}
	for i := range credentials {
		name := "CF_ACCESS_SVC_N" + strconv.Itoa(i)
		names = append(names, name)
		text.WriteString("\n  " + name + ":\n    consumers: [{app: app-n" + strconv.Itoa(i) + "}]\n")
	}
	if err := os.WriteFile(filepath.Join(dir, "rekey.yaml"), []byte(text.String()), 0o644); err != nil {
		b.Fatal(err)
	}
	config, err := sop.Load(filepath.Join(dir, "rekey.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	j, err := journal.Open(filepath.Join(dir, ".rekey"))
	if err != nil {
		b.Fatal(err)
	}
	book := history.Book{J: j}
	for n := range rotations {
		var all []journal.Draft
		for i, name := range names {
			spec, err := config.Spec(name)
			if err != nil {
				b.Fatal(err)
			}
			at := time.Now().AddDate(0, 0, -90*(rotations-n)+i%90)
			run := "r" + strconv.Itoa(i) + "-" + strconv.Itoa(n)
			for _, e := range []rotation.Event{
				{Kind: rotation.KindOpened, Opened: &rotation.Opened{Credential: name, Spec: spec, Actor: "bench", Tool: "bench"}},
				{Kind: rotation.KindClosed, Closed: &rotation.Closed{Ending: rotation.Rotated, Current: &cred.Handle{ID: run, Name: name, Created: at}}},
			} {
				body, err := e.Body()
				if err != nil {
					b.Fatal(err)
				}
				all = append(all, journal.Draft{At: at, Run: run, Subject: name, Kind: string(e.Kind), Body: body})
			}
		}
		if err := book.J.Append(b.Context(), all...); err != nil {
			b.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	path, err := binary()
	if err != nil {
		b.Fatal(err)
	}
	debug.FreeOSMemory() // a process that is started begins with what this one has
	spend(b, path, "-C", dir, "status")
}
