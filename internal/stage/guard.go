package stage

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Guard is what keeps a promise, and how to take it out: in one file one text becomes
// another.
type Guard struct{ Name, File, From, To string }

// Without returns the file without the guard. It fails the test where the text stands there
// more or less often than once: the list of guards is about the code as it is.
func (g Guard) Without(t testing.TB) (text string, found bool) {
	t.Helper()
	b, err := os.ReadFile(g.File)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), g.From); n != 1 {
		t.Errorf("%s: %s has %d times %q", g.Name, g.File, n, g.From)
		return "", false
	}
	return strings.Replace(string(b), g.From, g.To, 1), true
}

// Proof is how the tests of the package in this folder show that a guard is missed.
type Proof struct {
	Run  []string // patterns of tests, the likeliest first
	Skip string   // pattern of those that are not run
	// Says tells whether a line of what they say is a promise that was broken.
	Says func(line string) bool
}

// MustBeCaught builds the tests in a copy without the guard, which only the compiler sees,
// and fails unless one of them says that a promise was broken.
func (g Guard) MustBeCaught(t testing.TB, by Proof) {
	t.Helper()
	text, found := g.Without(t)
	if !found {
		return
	}
	dir := t.TempDir()
	path, err := filepath.Abs(g.File)
	if err != nil {
		t.Fatal(err)
	}
	without, overlay, binary := filepath.Join(dir, "without.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "play.test")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {path: without}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{without: []byte(text), overlay: list} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "test", "-c", "-overlay", overlay, "-o", binary, ".").CombinedOutput(); err != nil {
		t.Errorf("%s: without it this does not compile:\n%s", g.Name, out)
		return
	}
	for _, part := range by.Run {
		out, err := exec.Command(binary, "-test.run", part, "-test.skip", by.Skip, "-test.failfast").CombinedOutput()
		if err == nil {
			continue
		}
		for line := range strings.Lines(string(out)) {
			if by.Says(line) {
				t.Logf("caught: %s: %s", g.Name, strings.TrimSpace(line))
				return
			}
		}
		t.Errorf("%s: this does not play without it:\n%s", g.Name, out)
		return
	}
	t.Errorf("NOT CAUGHT: %s", g.Name)
}
