package estate

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/kept"
	"rekey/internal/lease"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Moving says where the journal goes.
type Moving struct {
	// To is a folder, or a database as the configuration names one.
	To string
	// From is a folder, if it is not where the configuration keeps the journal: a backup
	// that is restored; "": it is.
	From string
	// Further are tables beside the journal that go with it, besides those of operations.
	Further []journal.Further
	// Tell is told how many entries are there so far; nil: nobody is.
	Tell func(entries int64)
}

// MovedTo is what became of it.
type MovedTo struct {
	From    string `json:"from"`
	To      string `json:"to"` // without password
	Entries int64  `json:"entries"`
	Last    string `json:"last"`    // hash of the newest
	Already bool   `json:"already"` // nothing was left to be done
	// Write is the line that makes rekey.yaml follow; "": it does already.
	Write string `json:"write,omitempty"`
	// SignedOut: people have to sign in again, where the journal is now.
	SignedOut bool `json:"signed_out"`
}

// Move carries the journal to another place, where it verifies before the old one can
// no longer be written. It may be killed at any moment and repeated. Like Backup it is not part of
// Operations. Refused: NoJournal; NoRole; Busy (a run is being carried out; Credential);
// MovedAway (elsewhere); NoDatabase; OtherKey, KeyDamaged; Failed where the new place holds
// another journal, or the old one does not verify.
func (e *Estate) Move(ctx context.Context, m Moving) (MovedTo, error) {
	from, to := e.ends(m)
	out := MovedTo{From: from.Name(), To: to.Name()}
	switch {
	case from.Database == "" && to.Database == "":
		if err := stands(ctx, from); err != nil {
			return out, err
		}
		return out, failedf("the journal is in a folder already: move its files while nothing runs, and change journal in rekey.yaml")
	case from.Database == to.Database:
		return out, failedf("the journal is there already")
	}
	who, err := e.who(ctx)
	if err == nil {
		err = e.mayMove(ctx)
	}
	if err != nil {
		return out, err
	}
	where, err := from.Where(ctx)
	if err != nil {
		return out, failed(err)
	}
	j, err := journal.OpenLeaving(ctx, where)
	if errors.Is(err, journal.ErrNone) {
		return out, &Error{Code: NoJournal, Dir: from.Name()}
	}
	if err != nil {
		return out, failed(err)
	}
	defer func() { _ = j.Close() }()
	if err := e.sameWorld(ctx, history.Book{J: j}); err != nil {
		return out, err
	}
	dest, err := to.Where(ctx)
	if err != nil {
		return out, failed(err)
	}
	id, err := e.runID()
	if err != nil {
		return out, err
	}
	busy, free, err := atWork(ctx, j)
	if err != nil {
		return out, failed(err)
	}
	defer free()
	c, err := j.Move(ctx, dest, journal.Carrying{
		ID: id, Name: m.To, At: e.now().UTC(), Tell: m.Tell, Busy: busy, Further: append(slices.Clone(m.Further), requestTables(), toldTables(), lease.Further()),
		Beside: func(ctx context.Context, into *journal.Journal) error { return from.CarryTo(ctx, to, into) },
	})
	if errors.Is(err, journal.ErrLocked) {
		return out, failedf("another process is moving the journal: %w", err)
	}
	if err != nil {
		return out, failed(err)
	}
	out.To, out.Entries, out.Last, out.Already = c.To, c.Entries, c.Last, c.Already
	out.Write, out.SignedOut = e.follows(to), e.config.Identity != nil && e.config.Identity.SignIn != nil
	return out, e.noteMove(ctx, to, history.Move{From: out.From, To: out.To, By: who})
}

// stands tells of a journal that was moved away from this place: its files are of no use
// to whoever has taken the database out of rekey.yaml before moving back.
func stands(ctx context.Context, at kept.Place) error {
	j, err := at.Read(ctx)
	if _, moved := errors.AsType[*journal.Moved](err); moved {
		return failed(err)
	}
	if err == nil {
		_ = j.Close()
	}
	return nil
}

// ends are where the journal is and where it goes.
func (e *Estate) ends(m Moving) (from, to kept.Place) {
	from, to = e.place(), e.place()
	to.Database = ""
	if sop.DatabaseIsReference(m.To) || strings.Contains(m.To, "://") {
		to.Database = m.To
	} else {
		to.Folder = m.To
	}
	if m.From != "" {
		from.Folder, from.Database = m.From, ""
	} else if to.Database != "" && from.Database == to.Database {
		from.Database = "" // rekey.yaml was changed first
	}
	return from, to
}

// follows is what rekey.yaml has to say of the new place; "": it does.
func (e *Estate) follows(to kept.Place) string {
	switch {
	case to.Database != "" && e.config.Database != to.Database:
		return "database: " + sop.ShownDatabase(to.Database)
	case to.Database == "" && (e.config.Database != "" || e.journalDir() != to.Folder):
		return "journal: " + to.Folder
	}
	return ""
}

// mayMove refuses whoever may not change one of the credentials.
func (e *Estate) mayMove(ctx context.Context) error {
	w := &work{Estate: e}
	return w.may(ctx, sop.OpNewKey, false, e.config.Specs...)
}

// atWork refuses a move while a run is being carried out: what its process holds in
// memory only would be lost with its journal. free gives back what it has locked.
func atWork(ctx context.Context, j *journal.Journal) (busy func(journal.View, *sql.Tx) error, free func(), err error) {
	leases, err := lease.Open(ctx, j)
	if err != nil {
		return nil, nil, err
	}
	var locked []func()
	free = func() {
		for _, unlock := range locked {
			unlock()
		}
	}
	return func(v journal.View, tx *sql.Tx) error {
		living, err := leases.Living(ctx, tx)
		if err != nil {
			return err
		}
		if len(living) > 0 {
			return &Error{Code: Busy, Credential: living[0]}
		}
		open, err := history.In(v).Going(ctx)
		if err != nil {
			return err
		}
		for _, r := range open {
			unlock, err := j.Lock(r.Credential)
			if errors.Is(err, journal.ErrLocked) {
				return &Error{Code: Busy, Credential: r.Credential}
			}
			if err != nil {
				return err
			}
			locked = append(locked, unlock)
		}
		return nil
	}, free, nil
}

// noteMove notes in the journal, where it is now, that it was moved and by whom, once.
func (e *Estate) noteMove(ctx context.Context, at kept.Place, m history.Move) error {
	j, err := at.Write(ctx)
	if err != nil {
		return failed(err)
	}
	defer func() { _ = j.Close() }()
	book := history.Book{J: j}
	noted, err := book.Latest(ctx, history.JournalMoved)
	if err != nil {
		return failed(err)
	}
	var last history.Move
	if n, some := noted[""]; some && json.Unmarshal(n.Body, &last) == nil && last.From == m.From && last.To == m.To {
		return nil
	}
	note, err := history.NoteOf(e.now().UTC(), "", history.JournalMoved, m)
	if err == nil {
		err = book.Add(ctx, note)
	}
	return failed(err)
}

// NewPrints lets the journal go on with this machine's fingerprint key, or a new one,
// where the one that it was written with is lost. Earlier fingerprints match nothing any
// more. Refused: NoReason, NoRole, and as opening the journal is.
func (e *Estate) NewPrints(ctx context.Context, n NewKey) (rotation.Who, error) {
	if n.Reason == "" {
		return rotation.Who{}, &Error{Code: NoReason, Without: n.Without}
	}
	w := &work{Estate: e}
	if err := w.may(ctx, sop.OpNewKey, n.Without, e.config.Specs...); err != nil {
		return w.by, err
	}
	at := e.place()
	j, err := at.Write(ctx)
	if err != nil {
		return w.by, failed(err)
	}
	defer func() { _ = j.Close() }()
	book := history.Book{J: j}
	if err := e.sameWorld(ctx, book); err != nil {
		return w.by, err
	}
	err = at.Accept(ctx, j, func(change func(context.Context, *sql.Tx) error) error {
		note, err := history.NoteOf(e.now().UTC(), "", history.PrintsChanged, history.KeyChange{Actor: w.by.Name, By: w.by, Reason: n.Reason})
		if err != nil {
			return err
		}
		return book.AddWith(ctx, func(ctx context.Context, _ history.Book, tx *sql.Tx) error { return change(ctx, tx) }, note)
	})
	return w.by, failed(err)
}
