package outside

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rekey/internal/secret"
)

// TestClosedWaysTouchNothing: each says that this is a simulation, and nothing real
// is reached, a file that is there included.
func TestClosedWaysTouchNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var w Ways = Closed{}
	_, dial := w.Dial(t.Context(), "tcp", "127.0.0.1:1")
	_, run := w.Exec(t.Context(), Command{Path: "touch", Args: []string{path + "2"}})
	_, read := w.Files().Read(path, 10)
	_, _, owner := w.Files().Owner("root", "")
	for what, err := range map[string]error{"dial": dial, "exec": run, "read": read, "owner": owner,
		"replace": w.Files().Replace(path, File{}), "remove": w.Files().Remove(path)} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if b, err := os.ReadFile(path); string(b) != "x" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

// TestACommandGetsWhatItIsGivenAndNothingElse: no variable of ours, its input, an exit
// status that is not an error, and an end when it takes or prints too much.
func TestACommandGetsWhatItIsGivenAndNothingElse(t *testing.T) {
	t.Setenv("REKEY_TEST_TOKEN", "hunter2")
	sh := func(script string, c Command) (Ended, error) {
		c.Path, c.Args = "sh", []string{"-c", script}
		return Real{}.Exec(t.Context(), c)
	}
	e, err := sh(`cat; echo "[$REKEY_TEST_TOKEN]"; echo bad >&2; exit 3`, Command{Stdin: secret.New("in ")})
	if err != nil || e.Exit != 3 || e.Stdout.Reveal() != "in []\n" || e.Stderr.Reveal() != "bad\n" {
		t.Errorf("%d %q %q %v", e.Exit, e.Stdout.Reveal(), e.Stderr.Reveal(), err)
	}
	if _, err := sh("yes", Command{Limit: 1000}); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if _, err := sh("sleep 60 & sleep 60", Command{Patience: 20 * time.Millisecond}); err == nil || !strings.Contains(err.Error(), "within 20ms") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Real{}).Exec(ctx, Command{Path: "true"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := (Real{}).Exec(t.Context(), Command{Path: "rekey-there-is-no-such-program"}); !errors.Is(err, ErrNotStarted) {
		t.Error(err)
	}
}

// TestAFileIsReplacedWhole: mode kept as asked, a link's target replaced, nothing left
// beside it, another identity; and what cannot be written leaves the old one.
func TestAFileIsReplacedWhole(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "f"), filepath.Join(dir, "link")
	files := Real{}.Files()
	if _, err := files.Read(path, 10); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := files.Replace(path, File{Content: secret.New("one"), Mode: 0o640, UID: -1, GID: -1}); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	before, err := files.Read(link, 10)
	if err != nil || before.Content.Reveal() != "one" || before.Mode != 0o640 {
		t.Errorf("%o %v", before.Mode, err)
	}
	if err := files.Replace(link, File{Content: secret.New("two"), Mode: 0o600, UID: before.UID, GID: before.GID}); err != nil {
		t.Fatal(err)
	}
	after, err := files.Read(path, 10)
	if err != nil || after.Content.Reveal() != "two" || after.Mode != 0o600 || after.ID == before.ID {
		t.Errorf("%o %q %v", after.Mode, after.ID, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Error("the link was replaced, not what it leads to")
	}
	if _, err := files.Read(path, 2); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if _, err := files.Read(dir, 10); !errors.Is(err, ErrNotRegular) {
		t.Error(err)
	}
	if err := files.Replace(filepath.Join(dir, "none", "f"), File{}); err == nil {
		t.Error("a folder that is not there was written to")
	}
	for range 2 {
		if err := files.Remove(path); err != nil {
			t.Error(err)
		}
	}
	left, _ := os.ReadDir(dir)
	if len(left) != 1 || left[0].Name() != "link" {
		t.Errorf("left: %v", left)
	}
}
