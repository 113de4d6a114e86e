package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// By hand there is no lock: two operators make two tokens, write in turns, and
// the second deletes what the first has just propagated. Instead one of them is
// told at once who else is at it, and by which command it is continued.
func TestT44TwoOperators(t *testing.T) {
	t.Parallel()
	base := serve(t, "--latency", "20ms")
	held(t, base)
	dir, config := folder(t, base)
	name := config.Specs[0].Name
	type end struct {
		code int
		out  string
	}
	ends := make(chan end, 2)
	for range 2 {
		go func() {
			cmd := exec.Command(rekey(t), "-C", dir, "run", name, "--confirm", name)
			out, _ := cmd.CombinedOutput()
			ends <- end{cmd.ProcessState.ExitCode(), string(out)}
		}()
	}
	a, b := <-ends, <-ends
	if a.code == exitDone {
		a, b = b, a
	}
	if a.code != exitLocked || b.code != exitDone {
		t.Fatalf("exits %d and %d\n%s\n%s", a.code, b.code, a.out, b.out)
	}
	if !strings.Contains(a.out, name) || !strings.Contains(a.out, "rekey resume") && !strings.Contains(a.out, "another process") {
		t.Errorf("it is not told what to do: %s", a.out)
	}
	w := look(t, base)
	if n := w.Calls["cloudflare"]["POST /client/v4/accounts/{account}/access/service_tokens"]; n != 1 {
		t.Errorf("%d tokens were made, want 1", n)
	}
	if len(w.Outages) != 0 || len(w.Cloudflare.Deleted) != 1 {
		t.Errorf("%d outages, %d tokens deleted", len(w.Outages), len(w.Cloudflare.Deleted))
	}
}

// By hand secrets stay in shell variables until the shell ends, in core dumps and
// in what `set` prints. Instead the process that holds one shows it neither in its
// environment nor in its arguments, writes no core, and a killed one leaves none.
func TestT47NothingStaysBehind(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("NEEDS LINUX: it reads /proc; CI runs it there")
	}
	base := serve(t, "--latency", "40ms")
	held(t, base)
	dir, config := folder(t, base)
	name := config.Specs[0].Name
	cmd := exec.Command(rekey(t), "-C", dir, "run", name, "--confirm", name)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for deadline := time.Now().Add(20 * time.Second); len(look(t, base).Cloudflare.Tokens) < 4; {
		if time.Now().After(deadline) {
			t.Fatalf("no token was made: %s", out.String())
		}
		time.Sleep(5 * time.Millisecond)
	}
	read := func(what string) string {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, what))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	seen := read("environ") + read("cmdline")
	for what, value := range everySecret(t, base) {
		for _, s := range spellings(value) {
			if strings.Contains(seen, s) {
				t.Errorf("%s can be seen from outside", what)
			}
		}
	}
	for line := range strings.Lines(read("limits")) {
		if f := strings.Fields(line); strings.HasPrefix(line, "Max core file size") && (f[4] != "0" || f[5] != "0") {
			t.Errorf("it may write its memory to the disk: %s", line)
		}
	}
}
