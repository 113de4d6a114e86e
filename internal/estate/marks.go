package estate

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"rekey/internal/cred"
	"rekey/internal/secret"
)

// marks are of logins that were refused, one file for each name beside the journal,
// so that the next command does not try the same again. A file holds times and the
// keyed hash of what was refused, its name is a keyed hash too.
type marks struct {
	dir   string
	keyer secret.Keyer
}

// marked is the content of a file.
type marked struct {
	At []time.Time      `json:"refused_at"` // latest last
	Of cred.Fingerprint `json:"of"`         // of the last
}

// mostMarks is how many times are kept: more never matter.
const mostMarks = 4

func (m marks) file(name string) string {
	return filepath.Join(m.dir, string(m.keyer.Of(secret.New(name)))+".json")
}

func (m marks) read(name string) (out marked) {
	b, err := os.ReadFile(m.file(name))
	if err != nil || json.Unmarshal(b, &out) != nil {
		return marked{}
	}
	return out
}

// Mark replaces the file in one step, so that a process beside this one reads the
// old or the new. Where it cannot be written, as on a full disk, nothing is kept.
func (m marks) Mark(name string, v secret.Value, at time.Time) {
	now := m.read(name)
	now.At, now.Of = append(now.At, at.UTC()), m.keyer.Of(v)
	now.At = now.At[max(0, len(now.At)-mostMarks):]
	b, err := json.Marshal(now)
	if err != nil || os.MkdirAll(m.dir, 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(m.dir, "new-*") // 0600
	if err != nil {
		return
	}
	_, err = f.Write(append(b, '\n'))
	if closed := f.Close(); err != nil || closed != nil || os.Rename(f.Name(), m.file(name)) != nil {
		_ = os.Remove(f.Name())
	}
}

// Marked reads it back.
func (m marks) Marked(name string, v secret.Value) ([]time.Time, bool) {
	was := m.read(name)
	return was.At, was.Of != "" && was.Of == m.keyer.Of(v)
}

// Clear forgets a name.
func (m marks) Clear(name string) { _ = os.Remove(m.file(name)) }
