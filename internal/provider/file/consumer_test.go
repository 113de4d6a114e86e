package file

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// service is a little program that takes its environment from the file when it starts,
// and a script that restarts it.
type service struct {
	path, pid, restart string
}

func serve(t *testing.T) service {
	t.Helper()
	if _, err := exec.LookPath("setsid"); err != nil || runtime.GOOS != "linux" {
		if os.Getenv("CI") != "" {
			t.Fatal("this needs Linux with setsid")
		}
		t.Skip("SKIPPED: this needs Linux with setsid; processes are not tried")
	}
	dir := t.TempDir()
	s := service{filepath.Join(dir, "a.env"), filepath.Join(dir, "pid"), filepath.Join(dir, "restart")}
	wrote(t, s.path, "A=one\nB=2\n")
	script := fmt.Sprintf("#!/bin/sh\n[ -e %[1]s ] && kill \"$(cat %[1]s)\"\nsetsid env -i $(cat %[2]s) sleep 300 >/dev/null 2>&1 </dev/null &\necho $! >%[1]s\n", s.pid, s.path)
	if err := os.WriteFile(s.restart, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	s.again(t)
	return s
}

func (s service) number() int {
	b, _ := os.ReadFile(s.pid)
	n, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return n
}

func (s service) stop() {
	if n := s.number(); n > 1 {
		_ = syscall.Kill(n, syscall.SIGKILL)
	}
}

// again restarts it by hand and waits until it is what it will be: a process has its
// environment once it has become the program.
func (s service) again(t *testing.T) {
	t.Helper()
	if out, err := exec.Command(s.restart).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	s.up(t)
}

func (s service) up(t *testing.T) {
	t.Helper()
	for range 500 {
		if b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.number())); strings.HasPrefix(string(b), "sleep\x00") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it does not come up")
}

// progress asks until it is something else than Waiting for a start under way.
func (s service) progress(t *testing.T, c *consumer, w provider.Followed) provider.Progress {
	t.Helper()
	s.up(t)
	p, err := c.Progress(t.Context(), w, []string{"A"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAProcessIsRestartedAndProven, by its environment, and by when it started; and when
// the restart was cut off, it is seen that it has not happened, and done again.
func TestAProcessIsRestartedAndProven(t *testing.T) {
	for _, proof := range []string{`"environment":true`, `"environment":false`} {
		s := serve(t)
		// It has to be older than what is written, and starts are known to 20 ms.
		time.Sleep(2 * slack)
		h := &hooked{}
		c := opened(t, vendor(t, h).Consumer, `{"path":%q,"command":[%q],"pidfiles":[%q],%s}`, s.path, s.restart, s.pid, proof).(*consumer)
		before, err := c.Snapshot(t.Context(), []string{"A"})
		if err != nil || before.Units != 1 || len(before.Problems) > 0 || before.Mark == "" {
			t.Fatalf("%+v %v", before.Problems, err)
		}
		first := s.number()
		follow := provider.Followed{Since: before.Mark}

		// Killed between writing and applying.
		h.exec = func(outside.Command) (outside.Ended, error, bool) {
			return outside.Ended{}, fmt.Errorf("killed: %w", outside.ErrNotStarted), true
		}
		if err := c.Write(t.Context(), set("A", "two")); err != nil {
			t.Fatal(err)
		}
		if err := c.Apply(t.Context(), []string{"A"}); cred.ClassOf(err) != cred.Unsent {
			t.Fatal(err)
		}
		h.exec = nil
		p := s.progress(t, c, follow)
		if p.Class != cred.Waiting || len(p.Evidence) > 0 || p.Slots["A"].Value.Reveal() != "two" || s.number() != first {
			t.Errorf("%s: not applied, and it says %s %s", proof, p.Class, p.Detail)
		}
		if err := c.Apply(t.Context(), []string{"A"}); err != nil {
			t.Fatal(err)
		}
		p = s.progress(t, c, follow)
		second := s.number()
		if p.Class != cred.Done || len(p.Evidence) != 1 || second == first || p.Mark == before.Mark {
			t.Errorf("%s: applied, and it says %s %s", proof, p.Class, p.Detail)
		}
		// What is seen to run with it is left alone.
		if err := c.Apply(t.Context(), []string{"A"}); err != nil {
			t.Fatal(err)
		}
		s.up(t)
		if (s.number() == second) != strings.Contains(proof, "true") {
			t.Errorf("%s: restarted once more: %v", proof, s.number() != second)
		}
		// Somebody edits another key: where nothing was written, nothing has to be younger.
		wrote(t, s.path, "A=two\nB=theirs\n")
		if p := s.progress(t, c, provider.Followed{}); p.Class != cred.Done || len(p.Evidence) != 1 || strings.Contains(p.Evidence[0], "after") {
			t.Errorf("%s: as it is, and it says %s %s %v", proof, p.Class, p.Detail, p.Evidence)
		}
		s.again(t)
		time.Sleep(2 * slack)
		// Given back before anything was restarted: the old process is as good as a new one.
		now, err := c.Snapshot(t.Context(), []string{"A"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * slack)
		wrote(t, s.path, "A=three\nB=2\n")
		third, err := c.Snapshot(t.Context(), []string{"A"})
		if err != nil {
			t.Fatal(err)
		}
		wrote(t, s.path, "A=two\nB=2\n")
		if p := s.progress(t, c, provider.Followed{Since: third.Mark, Same: now.Mark}); p.Class != cred.Done {
			t.Errorf("%s: given back, and it says %s %s", proof, p.Class, p.Detail)
		}
	}
}

// TestAProcessThatDoesNotComeUp is never taken for one that works.
func TestAProcessThatDoesNotComeUp(t *testing.T) {
	s := serve(t)
	c := opened(t, vendor(t, outside.Real{}).Consumer, `{"path":%q,"command":[%q],"pidfiles":[%q]}`, s.path, s.restart, s.pid).(*consumer)
	s.stop()
	for range 500 { // until somebody has reaped it, or it is seen as a zombie
		if p, err := c.Progress(t.Context(), provider.Followed{}, []string{"A"}); err != nil {
			t.Fatal(err)
		} else if p.Class == cred.Waiting {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	p, err := c.Progress(t.Context(), provider.Followed{}, []string{"A"})
	if err != nil || p.Class != cred.Waiting || !strings.Contains(p.Detail, "does not run") || len(p.Evidence) > 0 {
		t.Errorf("%s %s %v", p.Class, p.Detail, err)
	}
	if now, err := c.Snapshot(t.Context(), []string{"A"}); err != nil || len(now.Problems) != 1 || now.Units != 0 {
		t.Errorf("%+v %v", now.Problems, err)
	}
	if err := os.Remove(s.pid); err != nil {
		t.Fatal(err)
	}
	if p, err := c.Progress(t.Context(), provider.Followed{}, []string{"A"}); err != nil || p.Class != cred.Waiting || !strings.Contains(p.Detail, "there is no") {
		t.Errorf("%s %s %v", p.Class, p.Detail, err)
	}
	bad := opened(t, vendor(t, outside.Real{}).Consumer, `{"path":%q,"command":["false"],"pidfiles":[%q]}`, s.path, s.pid).(*consumer)
	if err := bad.Apply(t.Context(), []string{"A"}); cred.ClassOf(err) != cred.Unknown || !strings.Contains(err.Error(), "status 1") {
		t.Error(err)
	}
}

// TestUnits: what systemd says of a unit, and with which words it is asked to restart it.
func TestUnits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.env")
	wrote(t, path, "A=one\n")
	show, exit := "", 0
	var asked []string
	h := &hooked{exec: func(c outside.Command) (outside.Ended, error, bool) {
		if c.Path != "systemctl" {
			return outside.Ended{}, nil, false
		}
		asked = append(asked, strings.Join(c.Args, " "))
		return outside.Ended{Exit: exit, Stdout: secret.New(show)}, nil, true
	}}
	c := opened(t, vendor(t, h).Consumer, `{"path":%q,"units":["web.service"],"reload":true,"check":["true"]}`, path).(*consumer)
	for _, s := range []struct {
		show string
		want cred.Class
		says string
	}{
		{"LoadState=loaded\nActiveState=active\nMainPID=12\nJob=\n", cred.Done, ""},
		{"LoadState=loaded\nActiveState=active\nMainPID=12\nJob=77\n", cred.Waiting, "is being started or stopped"},
		{"LoadState=loaded\nActiveState=activating\nMainPID=0\n", cred.Waiting, "activating"},
		{"LoadState=loaded\nActiveState=hunter2\nMainPID=0\n", cred.Waiting, "not known here"},
		{"LoadState=loaded\nActiveState=inactive\nMainPID=0\n", cred.Waiting, "has no process"},
		{"LoadState=loaded\nActiveState=failed\nMainPID=0\n", cred.Failed, "has failed"},
	} {
		show = s.show
		p, err := c.Progress(t.Context(), provider.Followed{}, []string{"A"})
		if err != nil || p.Class != s.want || !strings.Contains(p.Detail, s.says) || p.Unwell != (s.want == cred.Failed) || strings.Contains(p.Detail, "hunter2") {
			t.Errorf("%q: %s %s %v", s.show, p.Class, p.Detail, err)
		}
	}
	show = "LoadState=not-found\nActiveState=inactive\nMainPID=0\n"
	if _, err := c.Snapshot(t.Context(), []string{"A"}); cred.ClassOf(err) != cred.Absent {
		t.Error(err)
	}
	show = "what?"
	if _, err := c.Snapshot(t.Context(), []string{"A"}); cred.ClassOf(err) != cred.Unknown {
		t.Error(err)
	}
	asked = nil
	if err := c.Apply(t.Context(), nil); err != nil || asked[0] != "--no-block reload -- web.service" {
		t.Errorf("%q %v", asked, err)
	}
	exit = 5
	if err := c.Apply(t.Context(), nil); cred.ClassOf(err) != cred.Unknown {
		t.Error(err)
	}
	c.s.Check = []string{"false"}
	show, exit = "LoadState=loaded\nActiveState=active\nMainPID=12\nJob=\n", 0
	if p, err := c.Progress(t.Context(), provider.Followed{}, []string{"A"}); err != nil || p.Class != cred.Waiting || !strings.Contains(p.Detail, "status 1") {
		t.Errorf("%s %s %v", p.Class, p.Detail, err)
	}
}
