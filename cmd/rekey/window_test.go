package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestOutsideItsWindow: a run does not begin where no window is open, says when
// the next one is, and begins when it is told to.
func TestOutsideItsWindow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rekey := func(args ...string) (int, string) {
		var out bytes.Buffer
		code := execute(t.Context(), append([]string{"-C", dir}, args...), streams{in: strings.NewReader(""), out: &out, err: &out})
		return code, out.String()
	}
	if code, out := rekey("demo", "--latency", "0s", "--json"); code != 0 {
		t.Fatalf("%d %s", code, out)
	}
	dir = filepath.Join(dir, "rekey-demo")
	file := filepath.Join(dir, "rekey.yaml")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().UTC().AddDate(0, 0, 3)
	window := later.Format("Mon") + " 09:00-10:00 UTC"
	if err := os.WriteFile(file, []byte(strings.Replace(string(b), "    before_expiry: 14d\n", "    before_expiry: 14d\n    windows: [\""+window+"\"]\n", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	const name = "CF_ACCESS_SVC_VAULT"
	code, out := rekey("run", name, "--confirm", name)
	if code != exitFailed || !strings.Contains(out, window) || !strings.Contains(out, later.Format(time.DateOnly)+"T09:00:00Z") || !strings.Contains(out, "--outside-window") {
		t.Errorf("exit %d: %s", code, out)
	}
	if code, out = rekey("log"); strings.Contains(out, name) {
		t.Errorf("exit %d: a run was opened: %s", code, out)
	}
	if code, out = rekey("run", name, "--confirm", name, "--outside-window"); code != exitDone {
		t.Errorf("exit %d: %s", code, out)
	}
}
