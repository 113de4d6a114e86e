package outside

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// starts is the variable by which this program is the one that starts another and is killed.
const starts = "REKEY_TEST_STARTS"

func TestMain(m *testing.M) {
	if path := os.Getenv(starts); path != "" {
		_, _ = Real{}.Exec(Changing(context.Background()), Command{Path: "sh", Args: []string{"-c", `touch "$1.begun"; sleep 1; touch "$1"`, "sh", path}})
		return
	}
	os.Exit(m.Run())
}

// TestAProgramEndsWithTheProcessThatHasStartedIt: after kill -9 another process goes on with
// the run, so nothing that was started for it may change anything any more.
func TestAProgramEndsWithTheProcessThatHasStartedIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "changed")
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), starts+"="+path)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if _, err := os.Stat(path + ".begun"); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := c.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	if _, err := os.Stat(path + ".begun"); err != nil {
		t.Fatal("it was never started")
	}
	time.Sleep(1500 * time.Millisecond)
	if _, err := os.Stat(path); err == nil {
		t.Error("it went on, and changed something")
	}
}
