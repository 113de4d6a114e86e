package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"rekey/internal/cred"
	"rekey/internal/journal"
	"rekey/internal/rotation"
)

// Kinds of notes: what was seen outside of a run.
const (
	Compared      = "compared"         // where issuer, store and consumers disagree
	Checked       = "checked"          // whether everything that a run needs was there
	Discovered    = "discovered"       // who holds it without being a registered consumer
	KeyChanged    = "new-key"          // another key signs checkpoints from here on
	JournalMoved  = "moved"            // the journal is kept elsewhere from here on
	HandedOver    = "handed-over"      // somebody has answered what a run had asked him to do by hand
	PrintsChanged = "new-fingerprints" // another key makes fingerprints from here on
	Acknowledged  = "acknowledged"     // what somebody lets be of what was found, or not any more
)

// KeyChange is the body of a KeyChanged note.
type KeyChange struct {
	Old    string       `json:"old,omitempty"` // name and hash of its public key; "": it is lost
	New    string       `json:"new"`
	Actor  string       `json:"actor"`
	By     rotation.Who `json:"by"`
	Reason string       `json:"reason,omitempty"`
}

// Move is the body of a JournalMoved note.
type Move struct {
	From string       `json:"from"` // for people: without password
	To   string       `json:"to"`
	By   rotation.Who `json:"by"`
}

// Note is something that was seen outside of a run.
type Note struct {
	At         time.Time
	Credential string
	Kind       string
	Body       json.RawMessage
}

// Check is what a check came to: the body of a Checked note.
type Check struct {
	OK      bool          `json:"ok"`
	Against int           `json:"against"`           // refusals and things that could not be seen
	History string        `json:"history,omitempty"` // of the store: "" if earlier values can be read back
	Took    time.Duration `json:"took"`              // nanoseconds

	Current *cred.Handle `json:"current,omitempty"` // the generation in use, as the issuer listed it
}

// LastCheck returns the newest check of a credential and when it was made; nil if
// the journal knows none.
func (b Book) LastCheck(ctx context.Context, credential string) (*Check, time.Time, error) {
	last, found, err := b.read().NewestOf(ctx, credential, Checked)
	if err != nil || !found {
		return nil, time.Time{}, err
	}
	var c Check
	if err := json.Unmarshal(last.Body, &c); err != nil {
		return nil, time.Time{}, unread(last, err)
	}
	return &c, last.At, nil
}

// NewestNote is what the newest note of a kind says of a credential; false: there is none.
func NewestNote[T any](ctx context.Context, b Book, credential, kind string) (out T, found bool, err error) {
	last, found, err := b.read().NewestOf(ctx, credential, kind)
	if err != nil || !found {
		return out, false, err
	}
	if err := json.Unmarshal(last.Body, &out); err != nil {
		return out, false, unread(last, err)
	}
	return out, true, nil
}

// NoteOf makes a note of what was seen.
func NoteOf(at time.Time, credential, kind string, seen any) (Note, error) {
	body, err := json.Marshal(seen)
	return Note{At: at, Credential: credential, Kind: kind, Body: body}, err
}

// Add writes notes, all or none.
func (b Book) Add(ctx context.Context, notes ...Note) error {
	return b.J.Append(ctx, draftsOf(notes)...)
}

// AddWith is Add with something that is looked at, or written to further tables, in the
// same transaction: what with reads of the book cannot change until the notes are
// written. Its error refuses them and is returned as it is (journal.AppendWith).
func (b Book) AddWith(ctx context.Context, with func(context.Context, Book, *sql.Tx) error, notes ...Note) error {
	_, err := b.J.AppendWith(ctx, func(v journal.View, tx *sql.Tx) error {
		return with(ctx, Book{in: &v}, tx)
	}, draftsOf(notes)...)
	return err
}

func draftsOf(notes []Note) []journal.Draft {
	drafts := make([]journal.Draft, 0, len(notes))
	for _, n := range notes {
		drafts = append(drafts, journal.Draft{At: n.At, Subject: n.Credential, Kind: n.Kind, Body: n.Body})
	}
	return drafts
}

// AddIf writes notes, all or none, if may has nothing against it. What may reads cannot
// change until they are written.
func (b Book) AddIf(ctx context.Context, may func(context.Context, Book) error, notes ...Note) error {
	drafts := make([]journal.Draft, 0, len(notes))
	for _, n := range notes {
		drafts = append(drafts, journal.Draft{At: n.At, Subject: n.Credential, Kind: n.Kind, Body: n.Body})
	}
	_, err := b.J.AppendIf(ctx, func(v journal.View) error { return may(ctx, Book{in: &v}) }, drafts...)
	return err
}

// Notes returns the notes of these kinds about a credential, oldest first. Something may
// be done because of them, so they have to be as they were written.
func (b Book) Notes(ctx context.Context, credential string, kinds ...string) ([]Note, error) {
	entries, err := b.read().Of(ctx, credential, kinds...)
	if err != nil {
		return nil, err
	}
	if err := asWritten(entries); err != nil {
		return nil, err
	}
	out := make([]Note, 0, len(entries))
	for _, e := range entries {
		out = append(out, Note{At: e.At, Credential: e.Subject, Kind: e.Kind, Body: e.Body})
	}
	return out, nil
}

// Latest returns the newest note of a kind about each credential.
func (b Book) Latest(ctx context.Context, kind string) (map[string]Note, error) {
	entries, err := b.read().Latest(ctx, kind)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Note, len(entries))
	for _, e := range entries {
		out[e.Subject] = Note{At: e.At, Credential: e.Subject, Kind: e.Kind, Body: e.Body}
	}
	return out, nil
}
