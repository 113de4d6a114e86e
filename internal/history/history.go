// Package history reads and writes the events of runs in the journal.
package history

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"rekey/internal/journal"
	"rekey/internal/rotation"
)

// Book is the journal as a book of runs.
type Book struct {
	J *journal.Journal

	in *journal.View // the journal in one transaction; nil: at large
}

// In is the book as it is in one transaction. It can be read only.
func In(v journal.View) Book { return Book{in: &v} }

func (b Book) read() journal.View {
	if b.in != nil {
		return *b.in
	}
	return b.J.View
}

// Newest returns the number of the newest entry.
func (b Book) Newest(ctx context.Context) (int64, error) {
	e, err := b.read().Last(ctx)
	return e.Seq, err
}

// WrittenSince tells whether a run of a credential has begun, done or ended something after
// the entry of this number.
func (b Book) WrittenSince(ctx context.Context, credential string, seq int64) (written bool, err error) {
	kinds := []string{string(rotation.KindOpened), string(rotation.KindIntent), string(rotation.KindOutcome), string(rotation.KindClosed)}
	err = b.read().EachHeadAfter(ctx, seq, func(e journal.Entry) error {
		written = written || e.Subject == credential
		return nil
	}, kinds...)
	return written, err
}

// Events returns the events of a run, in order. What is done goes by them, so they
// have to be as they were written.
func (b Book) Events(ctx context.Context, run string) ([]rotation.Event, error) {
	_, events, err := b.Log(ctx, run)
	return events, err
}

// Log returns the entries of a run, in order, and the events that they are.
func (b Book) Log(ctx context.Context, run string) ([]journal.Entry, []rotation.Event, error) {
	entries, err := b.read().Run(ctx, run)
	if err != nil {
		return nil, nil, err
	}
	if err := asWritten(entries); err != nil {
		return nil, nil, err
	}
	events, err := Whole(entries)
	return entries, events, err
}

// Whole reads all entries of one run: it is opened once, with what it is about,
// and first of all, and without a plan it ends as nothing but refused. Everything
// that reads a run relies on that.
func Whole(entries []journal.Entry) ([]rotation.Event, error) {
	events, err := Decode(entries)
	planned := false
	for i, e := range events {
		planned = planned || e.Planned != nil
		if err := placed(e, i == 0, planned); err != nil {
			return nil, err
		}
	}
	return events, err
}

// placed refuses an event where a run has none of its kind.
func placed(e rotation.Event, first, planned bool) error {
	ends := e.Stuck != nil || e.Closed != nil && e.Closed.Ending != rotation.RefusedRun
	if first != (e.Opened != nil) || ends && !planned {
		return fmt.Errorf("journal entry %d, %s, is at a place where a run has none; find out whether the journal was edited: rekey verify", e.Seq, e.Kind)
	}
	return nil
}

// Decode reads entries as events; it fails at one that is of no run.
func Decode(entries []journal.Entry) ([]rotation.Event, error) {
	out := make([]rotation.Event, 0, len(entries))
	for _, en := range entries {
		e := rotation.Event{Seq: en.Seq, At: en.At, Run: en.Run, Kind: rotation.Kind(en.Kind)}
		if err := e.Decode(en.Body); err != nil {
			return nil, unread(en, err)
		}
		out = append(out, e)
	}
	return out, nil
}

// Generations returns what the journal remembers of a credential's generations,
// oldest first.
func (b Book) Generations(ctx context.Context, credential string) ([]rotation.Generation, error) {
	entries, err := b.read().Of(ctx, credential, string(rotation.KindPlanned), string(rotation.KindOutcome))
	if err != nil {
		return nil, err
	}
	events, err := Decode(entries)
	return rotation.Generations(events), err
}

// Recent returns the newest of a credential's generations, oldest first: as far back
// as all that the journal knows of the one with this id is among them. whole tells
// that nothing was left out. Runs of one credential follow one another, so that from
// the plan of one on the journal tells whole runs.
func (b Book) Recent(ctx context.Context, credential, id string) (past []rotation.Generation, whole bool, err error) {
	for n := 2; ; n *= 8 {
		entries, whole, err := b.read().Since(ctx, credential, n, string(rotation.KindPlanned), string(rotation.KindPlanned), string(rotation.KindOutcome))
		if err != nil {
			return nil, false, err
		}
		events, err := Decode(entries)
		if err != nil || whole || rotation.Makes(events, id) {
			return rotation.Generations(events), whole, err
		}
	}
}

// LastPlan returns the newest plan of a credential and when it was made; nil if the
// journal knows none.
func (b Book) LastPlan(ctx context.Context, credential string) (*rotation.Plan, time.Time, error) {
	newest, found, err := b.read().NewestOf(ctx, credential, string(rotation.KindPlanned))
	if err != nil || !found {
		return nil, time.Time{}, err
	}
	events, err := Decode([]journal.Entry{newest})
	if err != nil {
		return nil, time.Time{}, err
	}
	return events[0].Planned, events[0].At, nil
}

// State returns what a run amounts to.
func (b Book) State(ctx context.Context, run string) (*rotation.State, error) {
	events, err := b.Events(ctx, run)
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return nil, fmt.Errorf("there is no run in the journal called %s", run)
	}
	return rotation.Fold(events), nil
}

// CarriedOut returns the run that carried out the plan of a credential with this id,
// if there is one.
func (b Book) CarriedOut(ctx context.Context, credential, plan string) (run string, err error) {
	return b.begunFor(ctx, credential, func(e journal.Entry, o begun) bool {
		return o.Plan == plan || e.Run == plan // an older version gave the run the plan's id
	})
}

// NewestRun returns the newest run of a credential, open or not; "" if there never was
// one.
func (b Book) NewestRun(ctx context.Context, credential string) (run string, err error) {
	en, _, err := b.read().NewestOf(ctx, credential, string(rotation.KindOpened))
	return en.Run, err
}

// begun is what a run was opened with, as far as it tells one opening from another.
type begun struct{ Plan string }

func (b Book) begunFor(ctx context.Context, credential string, is func(journal.Entry, begun) bool) (run string, err error) {
	entries, err := b.read().Of(ctx, credential, string(rotation.KindOpened))
	if err != nil {
		return "", err
	}
	for _, en := range entries {
		var o begun
		if err := json.Unmarshal(en.Body, &o); err != nil {
			return "", unread(en, err)
		}
		if is(en, o) {
			return en.Run, nil
		}
	}
	return "", nil
}

// Retired are the former names of a credential that runs have taken away, oldest first.
func (b Book) Retired(ctx context.Context, credential string) ([]string, error) {
	entries, err := b.read().Of(ctx, credential, string(rotation.KindClosed))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, en := range entries {
		var s Summary
		if err := s.add(en); err != nil {
			return nil, unread(en, err)
		}
		if s.Ending == rotation.NameGone {
			out = append(out, s.Why)
		}
	}
	return out, nil
}

// asWritten reports the first entry that was edited.
func asWritten(entries []journal.Entry) error {
	for _, e := range entries {
		if e.Hash != e.Sum() {
			return unread(e, nil)
		}
	}
	return nil
}

// unread is an entry whose content is not what this program writes: damaged, edited,
// or of a version to come.
func unread(e journal.Entry, err error) error {
	what := "its content cannot be read, and is as it was written"
	if e.Hash != e.Sum() {
		what = "it was edited: its hash is not that of its content"
	}
	if err != nil {
		what += " (" + err.Error() + ")"
	}
	return fmt.Errorf("journal entry %d, %s: %s\n  next  rekey verify\n  or    restore a backup of the journal's folder, and check what is live: rekey drift", e.Seq, e.Kind, what)
}
