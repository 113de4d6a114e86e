package quickjq

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestADifferenceIsTold: where the machine's jq answers otherwise the quick one fails,
// and says so again when the test ends; the same call is not asked twice.
func TestADifferenceIsTold(t *testing.T) {
	asked := filepath.Join(t.TempDir(), "asked")
	real := filepath.Join(t.TempDir(), "jq")
	// This jq says 1 and notes that it was asked.
	if err := os.WriteFile(real, []byte("#!/bin/sh\necho x >> '"+asked+"'\necho 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	var q Quick
	defer q.Remove()
	program := q.Path(quiet{t}, real)
	say := func(args ...string) string {
		out, err := exec.Command(program, args...).CombinedOutput()
		if err != nil {
			return err.Error() + " " + string(out)
		}
		return string(out)
	}
	for _, want := range []string{"1\n", "1\n"} {
		if got := say("-n", "--arg", "x", "1", "$x | tonumber"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if b, _ := os.ReadFile(asked); string(b) != "x\n" {
		t.Errorf("the machine's jq was asked %q, want once", b)
	}
	if got := say("-n", "2"); !strings.Contains(got, "answers otherwise") || !strings.HasPrefix(got, "exit status 97") {
		t.Errorf("a difference passes: %q", got)
	}
	if got := say("-n", "--seq", "2"); !strings.Contains(got, "knows no --seq") {
		t.Errorf("an option that it does not know passes: %q", got)
	}
	if found, _ := filepath.Glob(filepath.Join(q.asked, "*.differs")); len(found) != 1 {
		t.Errorf("%d differences are written down, want 1", len(found))
	}
}

// quiet is a test whose end tells nothing: the difference is meant.
type quiet struct{ *testing.T }

func (quiet) Cleanup(func()) {}
