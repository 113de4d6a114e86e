package kept

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"rekey/internal/cred"
	"rekey/internal/journal"
	"rekey/internal/secret"
)

// marks are of logins that were refused, beside the journal, so that the next command,
// on whatever machine, does not try the same again. What is kept are times and the keyed
// hash of what was refused, under a name that is a keyed hash too.
type marks struct {
	shelf
	keyer secret.Keyer
}

// shelf is where marks are: a folder or a table.
type shelf interface {
	get(name string) string
	put(name, text string) // "" takes it away; where it cannot be written, nothing is kept
}

// marked is one of them.
type marked struct {
	At []time.Time      `json:"refused_at"` // latest last
	Of cred.Fingerprint `json:"of"`         // of the last
}

// mostMarks is how many times are kept: more never matter.
const mostMarks = 4

func (m marks) key(name string) string { return string(m.keyer.Of(secret.New(name))) }

func (m marks) read(name string) (out marked) {
	if json.Unmarshal([]byte(m.get(m.key(name))), &out) != nil {
		return marked{}
	}
	return out
}

// Mark replaces what is kept in one step, so that a process beside this one reads the
// old or the new.
func (m marks) Mark(name string, v secret.Value, at time.Time) {
	now := m.read(name)
	now.At, now.Of = append(now.At, at.UTC()), m.keyer.Of(v)
	now.At = now.At[max(0, len(now.At)-mostMarks):]
	if b, err := json.Marshal(now); err == nil {
		m.put(m.key(name), string(b))
	}
}

// Marked reads it back.
func (m marks) Marked(name string, v secret.Value) ([]time.Time, bool) {
	was := m.read(name)
	return was.At, was.Of != "" && was.Of == m.keyer.Of(v)
}

// Clear forgets a name.
func (m marks) Clear(name string) { m.put(m.key(name), "") }

// inFiles is one file for each name.
type inFiles string

func (f inFiles) file(name string) string { return filepath.Join(string(f), name+".json") }

func (f inFiles) get(name string) string {
	b, _ := os.ReadFile(f.file(name))
	return string(b)
}

func (f inFiles) put(name, text string) {
	if text == "" {
		_ = os.Remove(f.file(name))
		return
	}
	if os.MkdirAll(string(f), 0o700) != nil {
		return
	}
	fresh, err := os.CreateTemp(string(f), "new-*") // 0600
	if err != nil {
		return
	}
	_, err = fresh.WriteString(text + "\n")
	if closed := fresh.Close(); err != nil || closed != nil || os.Rename(fresh.Name(), f.file(name)) != nil {
		_ = os.Remove(fresh.Name())
	}
}

// inTable is the journal's database. A mark is a courtesy to a vendor: a database that
// is slow with one holds nobody up for long.
type inTable struct{ j *journal.Journal }

const markWithin = 5 * time.Second

func (t inTable) get(name string) string {
	ctx, cancel := context.WithTimeout(context.Background(), markWithin)
	defer cancel()
	text, _ := t.j.MarkOf(ctx, name)
	return text
}

func (t inTable) put(name, text string) {
	ctx, cancel := context.WithTimeout(context.Background(), markWithin)
	defer cancel()
	_ = t.j.Mark(ctx, name, text)
}
