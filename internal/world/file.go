package world

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/gofrs/flock"
)

// Marshal writes a world down: what it knows itself, and each double's memory under
// its name. It does so at every request, so nothing is encoded twice.
func Marshal(s *State, doubles []Double) ([]byte, error) {
	all, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	all = all[:len(all)-1] // a struct that always has something in it: more is added to it
	for _, d := range doubles {
		own, err := json.Marshal(d.Memory())
		if err != nil {
			return nil, fmt.Errorf("write down %s: %w", d.Name(), err)
		}
		all = append(append(strconv.AppendQuote(append(all, ','), d.Name()), ':'), own...)
	}
	var out bytes.Buffer
	err = json.Indent(&out, append(all, '}'), "", " ")
	return out.Bytes(), err
}

// Unmarshal reads a world into the state and the memories of its doubles. A double
// of which the file knows nothing begins empty.
func Unmarshal(b []byte, s *State, doubles []Double) error {
	if err := json.Unmarshal(b, s); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	for _, d := range doubles {
		if raw := all[d.Name()]; len(raw) > 0 {
			if err := json.Unmarshal(raw, d.Memory()); err != nil {
				return fmt.Errorf("read %s: %w", d.Name(), err)
			}
		}
	}
	return nil
}

// Save writes a world into a file, so that it is either the old one or the new one.
func Save(path string, s *State, doubles []Double) error {
	b, err := Marshal(s, doubles)
	if err != nil {
		return err
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// Load opens the world in a file with these doubles, whose memories are read into.
// The file is the simulated vendors' own disk: every request that changes it is
// written before it is answered, so the world outlives whoever asked. One process at
// a time has it.
func Load(path string, now func() time.Time, state *State, doubles ...Double) (w *World, unlock func(), err error) {
	if _, err := os.Stat(path); err != nil { // before anything is left beside it
		return nil, nil, fmt.Errorf("open the simulated world: %w", err)
	}
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
	if err := Unmarshal(b, state, doubles); err != nil {
		_ = l.Unlock()
		return nil, nil, fmt.Errorf("open the simulated world %s: %w", path, err)
	}
	w = Open(state, now, doubles...)
	w.Saved = func(w *World) error { return Save(path, w.state, w.doubles) }
	return w, func() { _ = l.Unlock() }, nil
}
