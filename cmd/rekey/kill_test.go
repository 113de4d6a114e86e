package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rekey/internal/sim"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

// builtBinary tells whether there is something to clean up.
var builtBinary atomic.Bool

// binary builds the program once, as it is released.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "rekey-test")
	if err != nil {
		return "", err
	}
	builtBinary.Store(true)
	path := filepath.Join(dir, "rekey")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	build := exec.Command("go", "build", "-ldflags", "-s -w", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// rekey is the program as a process of its own. The race detector, which is what -short is
// for, does not watch one.
func rekey(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: a process of its own is not watched")
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// serve starts `rekey sim` as a process of its own and returns its address.
func serve(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(rekey(t), append([]string{"sim", "--listen", "127.0.0.1:0", "--json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var hello struct{ Base string }
	if err := json.NewDecoder(out).Decode(&hello); err != nil || hello.Base == "" {
		t.Fatalf("the simulated world said nothing: %v", err)
	}
	return hello.Base
}

func look(t *testing.T, base string) *sim.State {
	t.Helper()
	var w sim.State
	if err := json.Unmarshal(contentOf(t, base+"/_world"), &w); err != nil {
		t.Fatal(err)
	}
	return &w
}

func turn(t *testing.T, base, body string) {
	t.Helper()
	resp, err := http.Post(base+"/_faults", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(resp.Body)
		t.Fatalf("%s: %s", resp.Status, b)
	}
}

// folder writes a rekey.yaml for the world, with short waits.
func folder(t *testing.T, base string) (string, *sop.Config) {
	t.Helper()
	dir := t.TempDir()
	text := strings.Replace(demoConfig(), "simulate: world.json", "simulate: "+base, 1)
	text = strings.NewReplacer("quiet: 1s", "quiet: 60ms", "watch: 1s", "watch: 20ms", "poll: 200ms", "poll: 20ms", "grace: 1s ", "grace: 80ms ").Replace(text)
	path := filepath.Join(dir, "rekey.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := sop.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return dir, c
}

// never: the program is left alone.
const never = -1

// killer starts the clock of a kill once so many lines were written.
type killer struct {
	said  bytes.Buffer // not embedded: it would be read into past Write
	lines int
	kill  func()
}

func (k *killer) Write(p []byte) (int, error) {
	n, err := k.said.Write(p)
	if k.kill != nil && bytes.Count(k.said.Bytes(), []byte("\n")) >= k.lines {
		k.kill()
		k.kill = nil
	}
	return n, err
}

// command runs the program to its end, or kills it a while after it has written so
// many lines: how far it had come does not depend on how fast the machine is.
func command(t *testing.T, lines int, late time.Duration, args ...string) (code int, killed bool, output string) {
	t.Helper()
	cmd := exec.Command(rekey(t), args...)
	out := killer{lines: lines}
	var timer *time.Timer
	kill := func() { timer = time.AfterFunc(late, func() { _ = cmd.Process.Kill() }) }
	if lines > 0 {
		out.kill = kill
	}
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if lines == 0 {
		kill()
	}
	err := cmd.Wait() // and for whoever writes to out, who may have set timer
	if timer != nil {
		timer.Stop()
	}
	var ee *exec.ExitError
	switch {
	case err == nil:
		return 0, false, out.said.String()
	case errors.As(err, &ee) && ee.ExitCode() < 0:
		return -1, true, out.said.String()
	case errors.As(err, &ee):
		return ee.ExitCode(), false, out.said.String()
	}
	t.Fatal(err)
	return 0, false, ""
}

// TestKill kills `rekey run` with SIGKILL at random moments, and its resumption
// again, a hundred times with -whole; the world and the journal are judged after
// each run. The kills are spread over worlds that are used side by side.
func TestKill(t *testing.T) {
	t.Parallel()
	worlds, n := 4, 100
	if !*whole {
		worlds, n = 2, 12
		sampled(t, fmt.Sprintf("%d of 100 kills", n))
	}
	for i := range worlds {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			killOften(t, n/worlds, rand.New(rand.NewPCG(2026, 11+uint64(i))))
		})
	}
}

// killOften kills runs of one world, one after the other.
func killOften(t *testing.T, n int, r *rand.Rand) {
	const latency = 8 * time.Millisecond
	base := serve(t, "--latency", latency.String())
	turn(t, base, `{"world":{"shutdown":"60ms"}}`)
	dir, config := folder(t, base)
	sendCheckpoints(t, dir)
	rekey := func(lines int, args ...string) (int, bool, string) {
		late := time.Duration(r.Int64N(int64(2 * latency)))
		if lines == 0 {
			late *= 4 // a process has to start first
		}
		return command(t, lines, late, append(append([]string{"-C", dir}, args...), "--json")...)
	}

	_, _, out := rekey(never, "run", config.Specs[0].Name, "--confirm", config.Specs[0].Name)
	if !strings.Contains(out, `"ending":"rotated"`) {
		t.Fatalf("an undisturbed run does not end: %s", out)
	}
	all := strings.Count(out, "\n")
	deaths, runs := 0, 0
	for i := 0; deaths < n; i++ {
		if runs++; runs > 20*n {
			t.Fatalf("only %d kills in %d runs: the moments are badly chosen", deaths, runs)
		}
		spec := config.Specs[i%2]
		_, killed, out := rekey(r.IntN(all), "run", spec.Name, "--confirm", spec.Name)
		for tries := 0; killed && tries < 20; tries++ {
			deaths++
			if !strings.Contains(out, `"kind":"opened"`) {
				// It died before the journal knew of it: nothing to resume.
				if code, _, again := rekey(never, "run", spec.Name, "--confirm", spec.Name); code == exitLocked {
					_ = again // it was written, but not yet said
				} else {
					out, killed = again, false
					break
				}
			}
			wait := never
			if r.IntN(3) == 0 {
				wait = r.IntN(all / 2) // less is left to do
			}
			_, killed, out = rekey(wait, "resume", "--confirm", spec.Name)
			if strings.Contains(out, "no run is open") {
				killed, out = false, `"ending":"rotated"`
			}
		}
		if !strings.Contains(out, `"ending":"rotated"`) && !strings.Contains(out, `"ending":"rolled back"`) {
			t.Fatalf("run %d did not end: %s", i, out)
		}
		w := look(t, base)
		for _, o := range w.Outages {
			t.Errorf("run %d: outage of %s (%s): %s", i, o.Process, o.Var, o.Why)
		}
		for _, s := range config.Specs {
			if _, broken := stage.Agreement(w, s); len(broken) > 0 {
				t.Errorf("run %d: %v", i, broken)
			}
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	// What had left before each kill holds, and what was not sent is caught up on.
	if code, _, out := command(t, never, 0, "-C", dir, "checkpoint"); code != 0 {
		t.Errorf("the evidence was not caught up on: %s", out)
	}
	if code, _, out := command(t, never, 0, "-C", dir, "verify", "--checkpoint", "sent.txt"); code != 0 || !strings.Contains(out, "are as they were when the checkpoint in sent.txt was signed") || strings.Contains(out, "no checkpoint that holds") {
		t.Errorf("the journal does not verify: %s", out)
	}
	t.Logf("%d runs, %d kills", runs, deaths)
}
