// Package quickjq builds, for tests that call jq a thousand times, one that starts in a
// tenth of the time, and holds it against the machine's jq.
//
// jq 1.6, which stable systems still have, parses its own library at each start: of the
// time of a test that follows a page by hand that was most. The quick one answers every
// call; the machine's is asked too, with the same arguments and the same input, the
// first time that a program ends in a way (output, an error, no), and has to answer the
// same. So every program of every page is run by a real jq, on what it really gets, and
// no program is believed to work because another jq says so.
package quickjq

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Quick is the quick jq of one process of tests, built when it is first wanted. The zero
// value is ready for use.
type Quick struct {
	once       sync.Once
	dir, asked string
	err        error
}

// Path is where the quick jq is that is held against the one at real. At the end of the
// test it is told whether that one has answered anything else, to any test of this process.
func (q *Quick) Path(t testing.TB, real string) string {
	t.Helper()
	q.once.Do(func() { q.err = q.build(real) })
	if q.err != nil {
		t.Fatal(q.err)
	}
	t.Cleanup(func() {
		found, err := filepath.Glob(filepath.Join(q.asked, "*.differs"))
		if err != nil {
			t.Error(err)
		}
		for _, path := range found {
			text, err := os.ReadFile(path)
			t.Errorf("the machine's jq answers otherwise (%v): %s", err, text)
		}
	})
	return q.program()
}

func (q *Quick) program() string { return filepath.Join(q.dir, "jq") }

func (q *Quick) build(real string) error {
	var err error
	if q.dir, err = os.MkdirTemp("", "quickjq"); err != nil {
		return err
	}
	q.asked = filepath.Join(q.dir, "asked")
	if err := os.Mkdir(q.asked, 0o700); err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-ldflags", fmt.Sprintf("-s -w -X main.real=%s -X main.asked=%s", real, q.asked), "-o", q.program(), "rekey/internal/quickjq/jq")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// Remove takes away what was built, if anything was: for TestMain, when all tests have ended.
func (q *Quick) Remove() {
	if q.dir != "" {
		_ = os.RemoveAll(q.dir)
	}
}
