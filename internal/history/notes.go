package history

import (
	"context"
	"encoding/json"
	"time"

	"rekey/internal/journal"
)

// Kinds of notes: what was seen outside of a run.
const (
	Compared   = "compared"   // where issuer, store and consumers disagree
	Discovered = "discovered" // who holds it without being a registered consumer
)

// Note is something that was seen outside of a run.
type Note struct {
	At         time.Time
	Credential string
	Kind       string
	Body       json.RawMessage
}

// Add writes notes, all or none.
func (b Book) Add(ctx context.Context, notes ...Note) error {
	drafts := make([]journal.Draft, 0, len(notes))
	for _, n := range notes {
		drafts = append(drafts, journal.Draft{At: n.At, Subject: n.Credential, Kind: n.Kind, Body: n.Body})
	}
	return b.J.Append(ctx, drafts...)
}

// Latest returns the newest note of a kind about each credential.
func (b Book) Latest(ctx context.Context, kind string) (map[string]Note, error) {
	entries, err := b.J.Latest(ctx, kind)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Note, len(entries))
	for _, e := range entries {
		out[e.Subject] = Note{At: e.At, Credential: e.Subject, Kind: e.Kind, Body: e.Body}
	}
	return out, nil
}
