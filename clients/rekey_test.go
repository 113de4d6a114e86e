// Package clients holds tests only: the vendors' own clients drive `rekey sim`, and rekey sees what they did.
package clients

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// program is the rekey that is tested: REKEY_BIN, or what the tree above builds.
var program string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if program = os.Getenv("REKEY_BIN"); program != "" {
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "rekey-clients")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		program = filepath.Join(dir, "rekey")
		build := exec.Command("go", "build", "-o", program, "./cmd/rekey")
		build.Dir = ".."
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build rekey: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// lacks ends a test that needs what this machine has not: as a failure where the
// tests were asked for (REKEY_CLIENTS=1, as CI does), as a skip that is said elsewhere.
func lacks(t *testing.T, what, install string) {
	t.Helper()
	says := fmt.Sprintf("%s is not on this machine, so NOTHING of this test was done.\n  install it with: %s\n  REKEY_CLIENTS=1 makes this a failure", what, install)
	if os.Getenv("REKEY_CLIENTS") == "1" {
		t.Fatal(says)
	}
	fmt.Fprintf(os.Stderr, "%s: %s\n", t.Name(), says)
	t.Skip(says)
}

// world is one `rekey sim`, a process of its own.
type world struct {
	Base    string
	Env     map[string]string
	Clients map[string]map[string]string // by vendor: the environment of its own tools
}

// state is what the tests look at in the world.
type state struct {
	Cloudflare struct {
		Tokens   []struct{ ID, Name string }
		Policies []map[string]json.RawMessage
	}
	Heroku struct {
		Apps []struct {
			Name     string
			Releases []release
		}
	}
	Calls   map[string]map[string]int
	Outages []struct{ Process, Var, Why string }
}

// release is one of Heroku's.
type release struct {
	Version int
	Vars    map[string]string
}

func serve(t *testing.T) *world {
	t.Helper()
	cmd := exec.Command(program, "sim", "--json", "--listen", "127.0.0.1:0", "--cloudflare", "127.0.0.1:0", "--infisical", "127.0.0.1:0", "--heroku", "127.0.0.1:0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	w := &world{}
	if err := json.NewDecoder(out).Decode(w); err != nil || len(w.Clients) != 3 {
		t.Fatalf("rekey sim said nothing of use: %v", err)
	}
	w.turn(t, `{"world":{"shutdown":"10ms"}}`)
	return w
}

func (w *world) look(t *testing.T) state {
	t.Helper()
	resp, err := http.Get(w.Base + "/_world")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var s state
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// turn changes the world: faults, and how it behaves.
func (w *world) turn(t *testing.T, body string) {
	t.Helper()
	resp, err := http.Post(w.Base+"/_faults", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(resp.Body)
		t.Fatalf("%s: %s", resp.Status, b)
	}
}

// tokens are the ids of the live service tokens whose names begin so.
func (s state) tokens(prefix string) []string {
	var ids []string
	for _, x := range s.Cloudflare.Tokens {
		if strings.HasPrefix(x.Name, prefix) {
			ids = append(ids, x.ID)
		}
	}
	return ids
}

// folder is where rekey works on this world: the example configuration with short waits.
func (w *world) folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if code, out := rekey(t, dir, "init"); code != 0 {
		t.Fatal(out)
	}
	path := filepath.Join(dir, "rekey.yaml")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, change := range [][2]string{
		{"rekey: 1\n", "rekey: 1\nsimulate: " + w.Base + "\n"},
		{"      name: <scope>-svc-<date>", "      name: raxx-<scope>-svc-<date>"},
		{"    before_expiry: 14d\n", "    before_expiry: 14d\n    timing: {poll: 20ms, quiet: 60ms, watch: 20ms}\n"},
		{"      vendor: heroku\n      slots:", "      vendor: heroku\n      grace: 80ms\n      slots:"},
	} {
		if !strings.Contains(text, change[0]) {
			t.Fatalf("rekey init no longer writes %q", change[0])
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// rekey runs the program and returns its exit code and everything it said.
func rekey(t *testing.T, dir string, args ...string) (int, string) {
	t.Helper()
	return run(t, 2*time.Minute, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "NO_COLOR=1"}, program, append([]string{"-C", dir}, args...)...)
}

// run gives a program this environment and nothing else.
func run(t *testing.T, limit time.Duration, env []string, name string, args ...string) (int, string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	if !stop.Stop() {
		t.Fatalf("%s %s did not end within %s:\n%s", filepath.Base(name), strings.Join(args, " "), limit, out.String())
	}
	var e *exec.ExitError
	if err != nil && !errors.As(err, &e) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// wants fails unless the program ended and spoke like this, however it broke its lines.
func wants(t *testing.T, what string, code, wantCode int, out string, parts ...string) {
	t.Helper()
	flat := strings.Join(strings.Fields(strings.ReplaceAll(out, "›", "")), " ")
	if code != wantCode || slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(out, p) && !strings.Contains(flat, p) }) {
		t.Fatalf("%s: exit %d (want %d, saying %q)\n%s", what, code, wantCode, parts, out)
	}
}
