package history

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"rekey/internal/journal"
	"rekey/internal/rotation"
)

// Overtaken says by what a process was overtaken. It is journal.ErrOvertaken.
type Overtaken struct {
	Run  string
	Seen int64         // the newest entry of the run that this process knows; 0: none
	By   journal.Entry // the newest one that is there; the zero Entry: what was seen is gone
}

func (o *Overtaken) Error() string {
	if o.By.Seq == 0 {
		return fmt.Sprintf("entry %d of run %s, which this process has read or written, is not in the journal any more", o.Seen, o.Run)
	}
	return fmt.Sprintf("%v: entry %d (%s) at %s", journal.ErrOvertaken, o.By.Seq, o.By.Kind, o.By.At.UTC().Format("15:04:05"))
}

func (o *Overtaken) Unwrap() error { return journal.ErrOvertaken }

// Recorder writes the events of one run. It knows the newest entry of the run that
// it has seen, and writes only if there is no other: one process at a time carries a
// run out, whatever became of the lock. The zero Recorder begins a run.
type Recorder struct {
	Book       Book
	Credential string

	// With is called in the transaction of each append before anything else: its error
	// refuses the events, and is returned as it is; what it writes to further tables is
	// there if and only if the events are (journal.AppendWith). nil: there is nothing.
	With func(context.Context, *sql.Tx) error
	// Words: a lease says whose the run is, so that others may write what a person says to
	// it: a word of a person does not overtake this process, which Hears it.
	Words bool

	mu     sync.Mutex
	last   journal.Entry
	unsure []journal.Draft // of which it is not known whether they were written
}

// Hear reads the whole run, and what people said to it since: what it returns is what the
// recorder has seen.
func (r *Recorder) Hear(ctx context.Context) ([]rotation.Event, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	entries, err := r.Book.read().Run(ctx, r.last.Run)
	if err != nil {
		return nil, err
	}
	if err := asWritten(entries); err != nil {
		return nil, err
	}
	if n := len(entries); n > 0 {
		r.last = entries[n-1]
	}
	return Decode(entries)
}

// Seen is the number of the newest entry of the run that this process knows; 0: none.
func (r *Recorder) Seen() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last.Seq
}

// isWord tells whether a person has written an entry, and no process that carries a run
// out.
func isWord(e journal.Entry) bool {
	switch rotation.Kind(e.Kind) {
	case rotation.KindAsked:
		return true
	case rotation.KindResumed:
		var r rotation.Resumed
		return json.Unmarshal(e.Body, &r) == nil && r.Worker == ""
	}
	return false
}

// overtaken says by what this recorder was overtaken; nil: by nothing. written: what it
// was not sure of is there.
func (r *Recorder) overtaken(ctx context.Context, v journal.View, run string, newest journal.Entry) (written bool, err error) {
	if newest.Seq == r.last.Seq && newest.Hash == r.last.Hash {
		return false, nil
	}
	by := &Overtaken{Run: run, Seen: r.last.Seq, By: newest}
	if newest.Seq < r.last.Seq || !r.Words && r.unsure == nil {
		return false, by
	}
	since, err := v.RunAfter(ctx, run, r.last.Seq)
	if err != nil {
		return false, err
	}
	ours := 0
	for _, e := range since {
		switch {
		case ours < len(r.unsure) && same(e, r.unsure[ours]):
			ours++
		case r.Words && isWord(e):
		default:
			return false, by
		}
	}
	return ours > 0, nil
}

func same(e journal.Entry, d journal.Draft) bool {
	return e.At.Equal(d.At) && e.Kind == d.Kind && bytes.Equal(e.Body, d.Body)
}

// errWritten ends a transaction in which nothing is left to be written.
var errWritten = errors.New("it is written already")

// Append writes events of one run and returns when they are on disk.
func (r *Recorder) Append(ctx context.Context, events ...rotation.Event) error {
	return r.append(ctx, nil, events)
}

// Begin writes what this process writes first to a run, if may has nothing against it.
// What may reads cannot change until that is written, and what it writes to further tables
// is there if and only if the events are (journal.AppendWith).
func (r *Recorder) Begin(ctx context.Context, may func(context.Context, Book, *sql.Tx) error, events ...rotation.Event) error {
	return r.append(ctx, may, events)
}

func (r *Recorder) append(ctx context.Context, may func(context.Context, Book, *sql.Tx) error, events []rotation.Event) error {
	if len(events) == 0 {
		return nil
	}
	run := events[0].Run
	drafts := make([]journal.Draft, 0, len(events))
	for _, e := range events {
		body, err := e.Body()
		if err != nil {
			return err
		}
		if e.Run != run {
			return fmt.Errorf("events of the runs %s and %s cannot be written as one", run, e.Run)
		}
		drafts = append(drafts, journal.Draft{At: e.At, Run: e.Run, Subject: r.Credential, Kind: string(e.Kind), Body: body})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var there journal.Entry
	last, err := r.Book.J.AppendWith(ctx, func(v journal.View, tx *sql.Tx) error {
		if r.With != nil {
			if err := r.With(ctx, tx); err != nil {
				return err
			}
		}
		newest, err := v.LastOf(ctx, run)
		if err != nil {
			return err
		}
		written, err := r.overtaken(ctx, v, run, newest)
		switch {
		case err != nil:
			return err
		case written:
			there = newest
			return errWritten
		case may != nil:
			return may(ctx, Book{in: &v}, tx)
		}
		return nil
	}, drafts...)
	if errors.Is(err, errWritten) {
		last, err = there, nil
	}
	if err != nil {
		r.unsure = drafts // whoever goes on after an error writes the same again
		return err
	}
	r.last, r.unsure = last, nil
	return nil
}

// Ours returns an *Overtaken if somebody else has written to the run since this
// recorder has; nil before it has begun one.
func (r *Recorder) Ours(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last.Seq == 0 {
		return nil
	}
	newest, err := r.Book.read().LastOf(ctx, r.last.Run)
	if err == nil {
		_, err = r.overtaken(ctx, r.Book.read(), r.last.Run, newest)
	}
	return err
}

// Take reads a run in order to go on with it: what it returns is what the recorder
// has seen. It goes on with no run that says anything which this version does not know: one
// of a newer Rekey, which has written it, is to (*rotation.NotUnderstood).
func (b Book) Take(ctx context.Context, credential, run string) ([]rotation.Event, *Recorder, error) {
	entries, err := b.read().Run(ctx, run)
	if err != nil {
		return nil, nil, err
	}
	if err := asWritten(entries); err != nil {
		return nil, nil, err
	}
	r := &Recorder{Book: b, Credential: credential}
	if n := len(entries); n > 0 {
		r.last = entries[n-1]
	}
	events, err := Decode(entries)
	for i := range events {
		if err == nil {
			err = rotation.Understood(events[i], entries[i].Body)
		}
	}
	return events, r, err
}
