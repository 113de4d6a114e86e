package outside

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"rekey/internal/secret"
)

var errLate = errors.New("the run is another process's")

// TestOnAFencedWayNothingIsChangedOnceItIsTooLate: a connection that was opened for a change
// sends nothing more, no program is started, and no file put in its place, although it was
// not too late when that began. Looks go on.
func TestOnAFencedWayNothingIsChangedOnceItIsTooLate(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	came := make(chan byte, 8)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				for b := make([]byte, 1); ; {
					if _, err := c.Read(b); err != nil {
						return
					}
					came <- b[0]
				}
			}()
		}
	}()
	asked, lateFrom := 0, 1000
	f := Fence{Ways: Real{}, Late: func(context.Context) error {
		if asked++; asked >= lateFrom {
			return errLate
		}
		return nil
	}}
	dial := func(ctx context.Context) net.Conn {
		c, err := f.Dial(ctx, "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	look, change := dial(t.Context()), dial(Changing(t.Context()))
	for _, c := range []net.Conn{look, change} {
		if _, err := c.Write([]byte("a")); err != nil || <-came != 'a' {
			t.Fatal(err)
		}
	}
	lateFrom = asked + 1
	if _, err := change.Write([]byte("b")); !errors.Is(err, errLate) {
		t.Errorf("sent: %v", err)
	}
	if _, err := look.Write([]byte("c")); err != nil || <-came != 'c' {
		t.Errorf("a look is held back: %v", err)
	}
	dir := t.TempDir()
	path, touched := filepath.Join(dir, "f"), filepath.Join(dir, "touched")
	if _, err := f.Exec(Changing(t.Context()), Command{Path: "touch", Args: []string{touched}}); !errors.Is(err, errLate) {
		t.Errorf("started: %v", err)
	}
	if _, err := f.Exec(t.Context(), Command{Path: "true"}); err != nil {
		t.Errorf("a look is held back: %v", err)
	}
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, soon := range []int{1, 2} { // before it begins, and once it is written and synced beside
		lateFrom = asked + soon
		if err := f.Files().Replace(path, File{Content: secret.New("new"), Mode: 0o600, UID: -1, GID: -1}); !errors.Is(err, errLate) {
			t.Errorf("replaced: %v", err)
		}
	}
	lateFrom = asked + 1
	if err := f.Files().Remove(path); !errors.Is(err, errLate) {
		t.Errorf("removed: %v", err)
	}
	left, _ := os.ReadDir(dir)
	if got, _ := os.ReadFile(path); string(got) != "old" || len(left) != 1 {
		t.Errorf("it holds %q, and %d files are left", got, len(left))
	}
}
