package journal

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// TestProcessesThatFoldTheWriteAheadLogInAreNotTakenForStrangers: each changes the
// database file under the others, again and again, and no entry is refused or lost.
func TestProcessesThatFoldTheWriteAheadLogInAreNotTakenForStrangers(t *testing.T) {
	if dir := os.Getenv("REKEY_JOURNAL_BESIDE"); dir != "" {
		if err := writeBeside(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	dir := t.TempDir()
	const processes = 4
	var wg sync.WaitGroup
	for range processes {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run", "^TestProcessesThatFold")
			cmd.Env = append(os.Environ(), "REKEY_JOURNAL_BESIDE="+dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	j, err := OpenExisting(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	if n, _, err := j.Verify(context.Background()); err != nil || n != processes*besideRounds*besideEach {
		t.Errorf("%d entries, %v", n, err)
	}
}

const besideRounds, besideEach = 3, 40

// writeBeside opens and closes the journal several times and writes more than SQLite
// keeps in its write-ahead log.
func writeBeside(dir string) error {
	for range besideRounds {
		j, err := Open(dir)
		if err != nil {
			return err
		}
		for range besideEach {
			d := draft(fmt.Sprint("r", os.Getpid()))
			d.Body = []byte(`"` + strings.Repeat("x", 12_000) + `"`)
			if err := j.Append(context.Background(), d); err != nil {
				return err
			}
		}
		if err := j.Close(); err != nil {
			return err
		}
	}
	return nil
}
