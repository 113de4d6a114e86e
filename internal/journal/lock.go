package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/gofrs/flock"
)

// ErrLocked means that a living process holds the lock.
var ErrLocked = errors.New("another process is working on it right now")

// Lock takes the lock of a name, without waiting. The system frees it when the
// process dies, however it dies; unlock frees it earlier.
func (j *Journal) Lock(name string) (unlock func(), err error) {
	if j.server != nil {
		unlock, ok, err := j.server.locks.take(name)
		if err == nil && !ok {
			err = ErrLocked
		}
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		return unlock, nil
	}
	l, err := j.lock(name)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	ok, err := l.TryLock()
	handOver(j.dir)
	switch {
	case err != nil:
		return nil, fmt.Errorf("lock %s: %w", name, err)
	case !ok:
		return nil, fmt.Errorf("lock %s: %w", name, ErrLocked)
	}
	return func() { _ = l.Unlock() }, nil
}

// holdEvery is how often a lock that somebody else has is asked for again.
const holdEvery = 20 * time.Millisecond

// Hold is Lock that waits until the lock is free or ctx is done: one writer at a
// time per place, over all processes that share the journal. These locks have names
// of their own. Whoever holds one must not wait for another.
func (j *Journal) Hold(ctx context.Context, name string) (release func(), err error) {
	if j.server != nil {
		if release, err = j.server.locks.hold(ctx, "place "+name); err != nil {
			return nil, fmt.Errorf("hold %s: %w", name, err)
		}
		return release, nil
	}
	l, err := j.lock("place " + name)
	if err != nil {
		return nil, fmt.Errorf("hold %s: %w", name, err)
	}
	_, err = l.TryLockContext(ctx, holdEvery)
	handOver(j.dir)
	if err != nil {
		if ctx.Err() != nil {
			err = errors.Join(ErrLocked, ctx.Err())
		}
		return nil, fmt.Errorf("hold %s: %w", name, err)
	}
	return func() { _ = l.Unlock() }, nil
}

// lock is the file of a lock, opened by nobody yet: each holder of one process has
// to open it anew, or the system would take them for one.
func (j *Journal) lock(name string) (*flock.Flock, error) {
	dir := filepath.Join(j.dir, "locks")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return flock.New(filepath.Join(dir, lockName(name)+".lock"), flock.SetPermissions(0o600)), nil
}

var unsafeName = regexp.MustCompile(`[^A-Za-z0-9_.-]`)

const maxName = 64

// lockName is a name as a file system takes it. One that is changed for that gets a
// hash, or two names could share a lock, and whoever holds one wait for ever.
func lockName(name string) string {
	safe := unsafeName.ReplaceAllString(name, "_")
	if safe == name && len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return safe[:min(len(safe), maxName)] + "-" + hex.EncodeToString(sum[:8])
}
