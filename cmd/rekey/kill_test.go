package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rekey/internal/sim"
	"rekey/internal/sop"
	"rekey/internal/stage"
)

var kills = flag.Int("kills", 100, "how often the real binary is killed")

// builtBinary tells whether there is something to clean up.
var builtBinary atomic.Bool

// binary builds the program once.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "rekey-test")
	if err != nil {
		return "", err
	}
	builtBinary.Store(true)
	path := filepath.Join(dir, "rekey")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func rekey(t *testing.T) string {
	t.Helper()
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
	resp, err := http.Get(base + "/_world")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var w sim.State
	if err := json.NewDecoder(resp.Body).Decode(&w); err != nil {
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

// command runs the program to its end, or kills it after a while.
func command(t *testing.T, kill time.Duration, args ...string) (code int, killed bool, output string) {
	t.Helper()
	cmd := exec.Command(rekey(t), args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if kill > 0 {
		timer := time.AfterFunc(kill, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
	}
	err := cmd.Wait()
	var ee *exec.ExitError
	switch {
	case err == nil:
		return 0, false, out.String()
	case errors.As(err, &ee) && ee.ExitCode() < 0:
		return -1, true, out.String()
	case errors.As(err, &ee):
		return ee.ExitCode(), false, out.String()
	}
	t.Fatal(err)
	return 0, false, ""
}

// TestKill kills `rekey run` with SIGKILL at random moments, and its resumption
// again, a hundred times; the world and the journal are judged after each run.
func TestKill(t *testing.T) {
	n := *kills
	if testing.Short() {
		n = 10
		t.Logf("ONLY %d KILLS (-short)", n)
	}
	base := serve(t, "--latency", "8ms")
	turn(t, base, `{"world":{"shutdown":"60ms"}}`)
	dir, config := folder(t, base)
	sendCheckpoints(t, dir)
	r := rand.New(rand.NewPCG(2026, 11))

	_, _, out := command(t, 0, "-C", dir, "run", config.Specs[0].Name, "--confirm", config.Specs[0].Name, "--json")
	if !strings.Contains(out, `"ending":"rotated"`) {
		t.Fatalf("an undisturbed run does not end: %s", out)
	}
	deaths, runs := 0, 0
	for i := 0; deaths < n; i++ {
		if runs++; runs > 20*n {
			t.Fatalf("only %d kills in %d runs: the moments are badly chosen", deaths, runs)
		}
		spec := config.Specs[i%2]
		_, killed, out := command(t, time.Duration(20+r.IntN(420))*time.Millisecond, "-C", dir, "run", spec.Name, "--confirm", spec.Name, "--json")
		for tries := 0; killed && tries < 20; tries++ {
			deaths++
			if !strings.Contains(out, `"kind":"opened"`) {
				// It died before the journal knew of it: nothing to resume.
				if code, _, again := command(t, 0, "-C", dir, "run", spec.Name, "--confirm", spec.Name, "--json"); code == exitLocked {
					_ = again // it was written, but not yet said
				} else {
					out, killed = again, false
					break
				}
			}
			var wait time.Duration
			if r.IntN(3) == 0 {
				wait = time.Duration(20+r.IntN(400)) * time.Millisecond
			}
			_, killed, out = command(t, wait, "-C", dir, "resume", "--confirm", spec.Name, "--json")
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
	if code, _, out := command(t, 0, "-C", dir, "checkpoint"); code != 0 {
		t.Errorf("the evidence was not caught up on: %s", out)
	}
	if code, _, out := command(t, 0, "-C", dir, "verify", "--checkpoint", "sent.txt"); code != 0 || !strings.Contains(out, "are as they were when the checkpoint in sent.txt was signed") || strings.Contains(out, "no checkpoint that holds") {
		t.Errorf("the journal does not verify: %s", out)
	}
	t.Logf("%d runs, %d kills", runs, deaths)
}
