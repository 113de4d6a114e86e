package drivertool

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rekey/internal/outside"
	"rekey/internal/provider/external"
	"rekey/internal/secret"
)

// python skips loudly where there is none, and fails where there has to be one.
func python(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("/usr/bin/python3"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("NOT TRIED: there is no /usr/bin/python3 here")
		}
		t.Skip("NOT TRIED: there is no /usr/bin/python3 here")
	}
}

// try runs the suite and returns the mistakes that it told.
func try(t *testing.T, program string) (passed bool, mistakes string) {
	t.Helper()
	var b strings.Builder
	passed, err := Test(t.Context(), program, "", func(l Line) {
		if l.Kind == Found {
			b.WriteString(l.Test + ": " + l.Text + "\n")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return passed, b.String()
}

// TestAnExampleToBeginWithPasses: what is written is the example that is published, it
// passes the whole suite as it is, and is not written over another.
func TestAnExampleToBeginWithPasses(t *testing.T) {
	python(t)
	published, err := os.ReadFile("../../examples/drivers/rekey-driver-keyfile")
	if err != nil || string(published) != examplePython {
		t.Errorf("example/driver.py is not examples/drivers/rekey-driver-keyfile (%v)", err)
	}
	dir := t.TempDir()
	paths, err := New(dir, "acme")
	if err != nil || len(paths) != 3 {
		t.Fatal(paths, err)
	}
	if passed, mistakes := try(t, paths[0]); !passed || mistakes != "" {
		t.Error(mistakes)
	}
	if _, err := New(dir, "acme"); err == nil || !strings.Contains(err.Error(), "nothing was written") {
		t.Error(err)
	}
	if _, err := New(dir, "../acme"); err == nil {
		t.Error("a name with a path in it was taken")
	}
}

// TestADriverThatIsWrongDoesNotPass: one that answers everything twice.
func TestADriverThatIsWrongDoesNotPass(t *testing.T) {
	python(t)
	paths, err := New(t.TempDir(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.TrimSpace(string(b)) + "\nif \"protocol\" not in out.get(\"result\", {}): print(json.dumps(out))\n"
	if err := os.WriteFile(paths[0], []byte(wrong), 0o755); err != nil {
		t.Fatal(err)
	}
	if passed, mistakes := try(t, paths[0]); passed || !strings.Contains(mistakes, "the driver gave more than one answer") || !strings.Contains(mistakes, "no operation was carried out at all") {
		t.Error(passed, mistakes)
	}
}

// TestWorldVariables: they are texts by name.
func TestWorldVariables(t *testing.T) {
	got := map[string]string{}
	if err := external.Variables(outside.Ended{Stdout: secret.New(`{"A":"a"}`)}, &got); err != nil || got["A"] != "a" {
		t.Error(got, err)
	}
	if err := external.Variables(outside.Ended{Stdout: secret.New(`{"A":1}`)}, &got); err == nil {
		t.Error("a number was taken for a text")
	}
	if _, err := Describe(t.Context(), filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("what is not there describes itself")
	}
}
