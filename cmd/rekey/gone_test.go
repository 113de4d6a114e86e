//go:build !windows

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rekey/internal/sim"
)

// begun starts a run whose creation is on its way, and returns what ends it.
func begun(t *testing.T, base, dir, name string, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	for deadline := time.Now().Add(30 * time.Second); look(t, base).Calls["cloudflare"]["POST /client/v4/accounts/{account}/access/service_tokens"] == 0; {
		if time.Now().After(deadline) {
			t.Fatal("no creation was seen")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// goesOn finishes what was left, and looks that nothing was lost by it.
func goesOn(t *testing.T, base, dir, name string) {
	t.Helper()
	code, _, told := command(t, never, 0, "-C", dir, "resume", "--confirm", name)
	if code != exitDone || !strings.Contains(told, "rotated") {
		t.Errorf("resume: exit %d: %s", code, told)
	}
	w := look(t, base)
	live := 0
	for _, tok := range w.Cloudflare.Tokens {
		if strings.HasPrefix(tok.Name, "raxx-console-svc-") {
			live++
		}
	}
	if len(w.Outages) != 0 || live != 1 {
		t.Errorf("%d outages, %d generations live", len(w.Outages), live)
	}
}

// TestATerminalThatGoesAwayEndsARunLikeCtrlC: the system and the shell both say
// so, and still everything that has begun is finished and written down.
func TestATerminalThatGoesAwayEndsARunLikeCtrlC(t *testing.T) {
	t.Parallel()
	// Where these tests run under nohup the program would inherit that: what is caught here
	// is not ignored there.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	defer signal.Stop(caught)
	// Slow enough that it is seen to have begun, on whatever machine, before it has ended.
	base := serve(t, "--latency", "150ms")
	turn(t, base, `{"world":{"shutdown":"60ms"}}`)
	dir, config := folder(t, base)
	name := config.Specs[0].Name
	cmd := exec.Command(rekey(t), "-C", dir, "run", name, "--confirm", name)
	var out bytes.Buffer
	cmd.Stdout = &out
	begun(t, base, dir, name, cmd)
	for range 3 {
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			break // it has ended
		}
		time.Sleep(2 * time.Millisecond)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitWaiting || !strings.Contains(out.String(), "interrupted") {
		t.Errorf("exit %d, want %d: %s", code, exitWaiting, out.String())
	}
	goesOn(t, base, dir, name)
}

// TestAHangUpThatIsIgnoredStaysIgnored: nohup means what it says.
func TestAHangUpThatIsIgnoredStaysIgnored(t *testing.T) {
	t.Parallel()
	base := serve(t, "--latency", "20ms")
	turn(t, base, `{"world":{"shutdown":"60ms"}}`)
	dir, config := folder(t, base)
	name := config.Specs[0].Name
	cmd := exec.Command("sh", "-c", `trap '' HUP; exec "$@"`, "sh", rekey(t), "-C", dir, "run", name, "--confirm", name)
	begun(t, base, dir, name, cmd)
	_ = cmd.Process.Signal(syscall.SIGHUP)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v", err)
	}
}

// TestAPipeThatNobodyReadsEndsARunLikeCtrlC: rekey run | head -1, for each of the
// streams, and as JSON.
func TestAPipeThatNobodyReadsEndsARunLikeCtrlC(t *testing.T) {
	t.Parallel()
	base := serve(t, "--latency", "20ms")
	turn(t, base, `{"world":{"shutdown":"60ms"}}`)
	for stream, more := range map[string]string{"stderr": "", "stdout": "--json"} {
		dir, config := folder(t, base)
		name := config.Specs[0].Name
		args := []string{"-C", dir, "run", name, "--confirm", name}
		if more != "" {
			args = append(args, more)
		}
		cmd := exec.Command(rekey(t), args...)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if stream == "stderr" {
			cmd.Stderr, cmd.Stdout = w, io.Discard
		} else {
			cmd.Stdout, cmd.Stderr = w, io.Discard
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		if line, err := bufio.NewReader(r).ReadString('\n'); err != nil || line == "" {
			t.Fatalf("%s: nothing was said: %v", stream, err)
		}
		_ = r.Close()
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != exitWaiting {
			t.Errorf("%s: exit %d (%s), want %d", stream, code, cmd.ProcessState, exitWaiting)
		}
		goesOn(t, base, dir, name)
	}
}

// reader reads so many lines, and no more.
type reader struct{ left int }

func (r *reader) Write(p []byte) (int, error) {
	if r.left -= bytes.Count(p, []byte("\n")); r.left < 0 {
		return 0, syscall.EPIPE
	}
	return len(p), nil
}

// TestAnInterruptionIsNoFailureWhereverItComes: before the run has looked,
// and between the requests of its first look.
func TestAnInterruptionIsNoFailureWhereverItComes(t *testing.T) {
	t.Parallel()
	for _, lines := range []int{1, 3, 7, 11} {
		t.Run(fmt.Sprint(lines), func(t *testing.T) {
			t.Parallel()
			dir, config := folder(t, "world.json")
			state := sim.New(sim.Options{Seed: 7, Now: time.Now(), Knobs: sim.Knobs{Shutdown: sim.Duration(60 * time.Millisecond)}})
			if err := sim.Save(filepath.Join(dir, "world.json"), &state); err != nil {
				t.Fatal(err)
			}
			name := config.Specs[0].Name
			ctx, interrupt := context.WithCancel(t.Context())
			a := &app{interrupt: interrupt, streams: streams{in: strings.NewReader(""), out: &reader{left: lines}, err: io.Discard}}
			if code := a.execute(ctx, []string{"-C", dir, "run", name, "--confirm", name, "--json"}); code != exitWaiting {
				t.Errorf("exit %d, want %d", code, exitWaiting)
			}
			var said bytes.Buffer
			a = &app{streams: streams{in: strings.NewReader(""), out: &said, err: &said}}
			if code := a.execute(t.Context(), []string{"-C", dir, "resume", "--confirm", name}); code != exitDone {
				t.Errorf("resume: exit %d: %s", code, said.String())
			}
		})
	}
}

// TestWhatIsOnlyShownIsNoErrorWhenNobodyReadsIt: rekey status | head -1.
func TestWhatIsOnlyShownIsNoErrorWhenNobodyReadsIt(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"schema"}, {"explain"}, {"--help"}} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
		cmd := exec.Command(rekey(t), args...)
		var errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = w, &errs
		err = cmd.Run()
		_ = w.Close()
		if err != nil || errs.Len() > 0 {
			t.Errorf("%v: %v: %s", args, err, errs.String())
		}
	}
}
