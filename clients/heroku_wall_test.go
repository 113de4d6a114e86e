package clients

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// heroku is the real CLI, with a home of its own and no way off this machine.
type heroku struct {
	node, script, home, guard string
	env                       []string
}

// herokuCLI finds the installed CLI and gives it the environment that the world
// tells (GET /_env/heroku), and guard.cjs, which refuses every other address:
// with a HEROKU_HOST that it does not like, the CLI goes to api.heroku.com.
func herokuCLI(t *testing.T, w *world) *heroku {
	t.Helper()
	const install = "sh clients/heroku/install.sh   (Node.js 20 or later)"
	node, err := exec.LookPath("node")
	if err != nil {
		lacks(t, "Node.js", install)
	}
	out, err := exec.Command("sh", "heroku/install.sh", "where").Output()
	script := strings.TrimSpace(string(out))
	if err != nil {
		t.Fatalf("heroku/install.sh where: %v", err)
	}
	if _, err := os.Stat(script); err != nil {
		lacks(t, "the Heroku CLI 11.10.0", install)
	}
	wall, err := filepath.Abs("heroku/guard.cjs")
	if err != nil {
		t.Fatal(err)
	}
	h := &heroku{node: node, script: script, home: t.TempDir()}
	h.guard = filepath.Join(h.home, "guard.log")
	h.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + h.home, "NO_COLOR=1", "REKEY_GUARD=" + h.guard, "NODE_OPTIONS=--require " + wall,
		"XDG_DATA_HOME=" + h.home, "XDG_CACHE_HOME=" + h.home, "XDG_CONFIG_HOME=" + h.home,
	}
	if w != nil {
		for _, name := range slices.Sorted(maps.Keys(w.Clients["heroku"])) {
			h.env = append(h.env, name+"="+w.Clients["heroku"][name])
		}
	}
	return h
}

// run runs one command. Nothing may have tried to leave this machine.
func (h *heroku) run(t *testing.T, args ...string) (int, string) {
	t.Helper()
	code, out := run(t, 2*time.Minute, h.env, h.node, append([]string{h.script}, args...)...)
	if b, err := os.ReadFile(h.guard); err == nil {
		t.Fatalf("heroku %s wanted to reach\n%s", strings.Join(args, " "), b)
	}
	return code, out
}

// does runs a command that must succeed, saying this.
func (h *heroku) does(t *testing.T, args []string, parts ...string) string {
	t.Helper()
	code, out := h.run(t, args...)
	wants(t, "heroku "+strings.Join(args, " "), code, 0, out, parts...)
	return out
}

// newest is the app's newest release, whatever became of it.
func newest(s state) release {
	all := s.Heroku.Apps[0].Releases
	return all[len(all)-1]
}

func words(s string) []string { return strings.Fields(s) }

// TestHerokuWall: the wall stands, and it is needed. 192.0.2.0/24 is nobody's (RFC 5737).
func TestHerokuWall(t *testing.T) {
	t.Parallel()
	h := herokuCLI(t, nil)
	for _, js := range []string{
		`require("net").connect(443, "192.0.2.1").on("error", e => console.log(e.code))`,
		`require("https").get("https://192.0.2.1/").on("error", e => console.log(e.code))`,
		`fetch("https://192.0.2.1/").catch(e => console.log(e.cause.code))`,
		`require("dns").lookup("nobody.invalid", e => console.log(e.code))`,
	} {
		code, out := run(t, time.Minute, h.env, h.node, "-e", js)
		wants(t, js, code, 0, out, "ECONNREFUSED")
		b, err := os.ReadFile(h.guard)
		if err != nil || len(b) == 0 {
			t.Fatalf("nothing was refused by guard.cjs: %v", err)
		}
		if err := os.Remove(h.guard); err != nil {
			t.Fatal(err)
		}
	}
	h.env = append(h.env, "HEROKU_HOST=http://192.0.2.1:80", "HEROKU_API_KEY=nobody", "DISABLE_TELEMETRY=true", "HEROKU_SKIP_NEW_VERSION_CHECK=1", "HEROKU_DISABLE_AUTOUPDATE=1")
	if code, out := run(t, time.Minute, h.env, h.node, h.script, "config:get", "A", "-a", app); code == 0 {
		t.Errorf("it found an app somewhere:\n%s", out)
	}
	if b, _ := os.ReadFile(h.guard); !strings.Contains(string(b), "api.heroku.com") {
		t.Errorf("with a HEROKU_HOST that it does not like, the CLI wanted to reach %q; the warning in internal/sim/clients.go is about api.heroku.com", b)
	}
}
