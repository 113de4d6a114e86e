package sim

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// Save writes a state, so that it is either the old one or the new one.
func Save(path string, s *State) error {
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// Load opens the world in a file. It is the simulated vendors' own disk: every
// request that changes it is written before it is answered, so the world
// outlives whoever asked. One process at a time has it.
func Load(path string, now func() time.Time) (w *World, unlock func(), err error) {
	l := flock.New(path + ".lock")
	ok, err := l.TryLock()
	if err != nil {
		return nil, nil, fmt.Errorf("open the simulated world: %w", err)
	}
	if !ok {
		return nil, nil, fmt.Errorf("another process is in the simulated world %s", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		_ = l.Unlock()
		return nil, nil, fmt.Errorf("open the simulated world: %w", err)
	}
	var s State
	if err := json.Unmarshal(b, &s); err != nil {
		_ = l.Unlock()
		return nil, nil, fmt.Errorf("open the simulated world %s: %w", path, err)
	}
	w = Open(s, now)
	w.Saved = func(s *State) error { return Save(path, s) }
	return w, func() { _ = l.Unlock() }, nil
}
