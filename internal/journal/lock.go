package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/gofrs/flock"
)

// ErrLocked means that a living process holds the lock.
var ErrLocked = errors.New("another process is at it right now")

var unsafeName = regexp.MustCompile(`[^A-Za-z0-9_.-]`)

// Lock takes the lock of a name, without waiting. The system frees it when the
// process dies, however it dies; unlock frees it earlier.
func (j *Journal) Lock(name string) (unlock func(), err error) {
	dir := filepath.Join(j.dir, "locks")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	l := flock.New(filepath.Join(dir, unsafeName.ReplaceAllString(name, "_")+".lock"))
	ok, err := l.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("lock %s: %w", name, err)
	case !ok:
		return nil, fmt.Errorf("lock %s: %w", name, ErrLocked)
	}
	return func() { _ = l.Unlock() }, nil
}
