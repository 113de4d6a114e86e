package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rekey/internal/sim"
)

// TestCommandsAskAServer: looks, refusals and a whole run through a server that the same
// program serves, and what no server does is refused.
func TestCommandsAskAServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	world := httptest.NewServer(sim.Open(sim.New(sim.Options{Seed: 7, Now: time.Now(), Knobs: demoKnobs(0)}), time.Now))
	t.Cleanup(world.Close)
	text := strings.Replace(demoConfig(), "simulate: world.json", "simulate: "+world.URL, 1)
	if err := os.WriteFile(filepath.Join(dir, "rekey.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- execute(ctx, []string{"-C", dir, "serve", "--json", "--listen", "127.0.0.1:0"}, streams{out: in, err: io.Discard})
	}()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != exitDone {
			t.Errorf("the server ended with %d", code)
		}
	})
	var serving struct{ Address string }
	if err := json.NewDecoder(out).Decode(&serving); err != nil {
		t.Fatal(err)
	}
	const name = "CF_ACCESS_SVC_CONSOLE"
	for _, c := range []struct {
		code  int
		words string
		args  []string
	}{
		{exitDone, name, []string{"status"}},
		{exitDone, "self-declared", []string{"whoami"}},
		{exitDone, "answers", []string{"doctor", name}},
		{exitDone, "create the new credential", []string{"plan", name}},
		{exitDone, name, []string{"sop", name}},
		{exitUsage, "no credential NOBODY", []string{"run", "NOBODY"}},
		{exitUsage, "no run in the journal called 222222", []string{"resume", "222222"}},
		{exitUsage, "and not on a server", []string{"journal", "backup", "x"}},
		{exitUsage, "and not on a server", []string{"init"}},
		{exitUsage, "is not set", []string{"status", "--token-from", "env:REKEY_TEST_NO_TOKEN"}},
		{exitDone, "rotated", []string{"run", name, "--confirm", name, "--reason", "scheduled"}},
		{exitDone, "rotated", []string{"log"}},
		{exitDone, "one chain", []string{"verify"}},
	} {
		var said bytes.Buffer
		code := execute(t.Context(), append([]string{"--server", serving.Address}, c.args...), streams{out: &said, err: &said})
		if code != c.code || !strings.Contains(said.String(), c.words) {
			t.Errorf("%v: exit %d and not %d, or it does not say %q:\n%s", c.args, code, c.code, c.words, said.String())
		}
	}
	var said bytes.Buffer // a browser that nobody could allow it in would be waited for
	if code := execute(t.Context(), []string{"login", serving.Address}, streams{out: &said, err: &said}); code != exitFailed || !strings.Contains(said.String(), "no sign-in is needed") {
		t.Errorf("login: exit %d:\n%s", code, said.String())
	}
}

// TestAProxyThatIsNoneIsRefused: by a name or a mistyped network anybody could be believed.
func TestAProxyThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	for _, proxy := range []string{"proxy.example.com", "10.0.0.0/33", "10.0.0"} {
		var said bytes.Buffer
		code := execute(t.Context(), []string{"-C", t.TempDir(), "serve", "--behind", "10.0.0.0/8," + proxy}, streams{out: &said, err: &said})
		if code != exitUsage || !strings.Contains(said.String(), "--behind wants addresses or networks") || !strings.Contains(said.String(), proxy) {
			t.Errorf("--behind %s: exit %d\n%s", proxy, code, said.String())
		}
	}
}

// TestALeaseThatIsTooShortIsRefused, and does not become another one in silence.
func TestALeaseThatIsTooShortIsRefused(t *testing.T) {
	t.Parallel()
	for _, lease := range []string{"1999ms", "1s", "-1s"} {
		var said bytes.Buffer
		code := execute(t.Context(), []string{"-C", t.TempDir(), "serve", "--lease", lease}, streams{out: &said, err: &said})
		if code != exitUsage || !strings.Contains(said.String(), "--lease wants 2s at least") {
			t.Errorf("--lease %s: exit %d\n%s", lease, code, said.String())
		}
	}
}
