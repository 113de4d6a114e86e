// Package history reads and writes the events of runs in the journal.
package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"rekey/internal/cred"
	"rekey/internal/journal"
	"rekey/internal/rotation"
	"rekey/internal/sop"
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
		return fmt.Errorf("journal entry %d, %s, is not where a run has one; find out whether the journal was edited: rekey verify", e.Seq, e.Kind)
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
		return nil, fmt.Errorf("the journal knows no run %s", run)
	}
	return rotation.Fold(events), nil
}

// Summary is a run in one line.
type Summary struct {
	Run        string          `json:"run"`
	Credential string          `json:"credential"`
	Actor      string          `json:"actor"`
	Reason     string          `json:"reason,omitempty"`
	Purpose    sop.Purpose     `json:"purpose,omitempty"` // "": to rotate
	Opened     time.Time       `json:"opened"`
	Closed     time.Time       `json:"closed,omitzero"`
	Ending     rotation.Ending `json:"ending,omitempty"` // "" while open
	Stuck      string          `json:"stuck,omitempty"`  // why, while it is stuck
	Simulated  bool            `json:"simulated,omitempty"`
	Request    string          `json:"request,omitempty"` // that asked for it
	Why        string          `json:"why,omitempty"`
	Current    *cred.Handle    `json:"current,omitempty"`
}

// Open reports whether the run is still open.
func (s Summary) Open() bool { return s.Ending == "" }

// Runs returns all runs, oldest first. It reads only their ends, so it stays
// fast with many runs.
func (b Book) Runs(ctx context.Context) ([]Summary, error) {
	return b.summaries(ctx, func(f func(journal.Entry) error) error {
		return b.read().EachOf(ctx, f, string(rotation.KindOpened))
	})
}

// Overview is Runs without who began a run that is over, why, and for what: it
// stays fast with very many. Who asks again and again keeps a Past.
func (b Book) Overview(ctx context.Context) ([]Summary, error) {
	seen, err := NewPast(nil).Read(ctx, b)
	return seen.Runs, err
}

// heads are all runs without what their beginnings tell.
func (b Book) heads(ctx context.Context) ([]Summary, error) {
	return b.summaries(ctx, func(f func(journal.Entry) error) error {
		return b.read().EachHeadOf(ctx, string(rotation.KindOpened), f)
	})
}

// RunsOf returns the runs of one credential, oldest first.
func (b Book) RunsOf(ctx context.Context, credential string) ([]Summary, error) {
	entries, err := b.read().Of(ctx, credential, ofRuns()...)
	if err != nil {
		return nil, err
	}
	return inLines(entries)
}

// OneRun returns one run in one line; false where there is no such run.
func (b Book) OneRun(ctx context.Context, run string) (Summary, bool, error) {
	entries, err := b.read().RunOf(ctx, run, ofRuns()...)
	if err != nil || len(entries) == 0 {
		return Summary{}, false, err
	}
	one, err := inLines(entries)
	if err != nil {
		return Summary{}, false, err
	}
	return one[0], true, nil
}

// inLines puts the beginnings of runs and their ends together, which are in order.
func inLines(entries []journal.Entry) ([]Summary, error) {
	out := []Summary{}
	place := map[string]int{}
	for _, en := range entries {
		i, known := place[en.Run]
		if !known {
			i = len(out)
			place[en.Run] = i
			out = append(out, Summary{Run: en.Run, Credential: en.Subject, Opened: en.At})
		}
		if err := out[i].add(en); err != nil {
			return nil, unread(en, err)
		}
	}
	inOrder(out)
	return out, nil
}

// summaries puts the beginnings of runs and their ends together.
func (b Book) summaries(ctx context.Context, begun func(func(journal.Entry) error) error) ([]Summary, error) {
	out := []Summary{}
	place := map[string]int{}
	take := func(en journal.Entry) error {
		i, known := place[en.Run]
		if !known {
			i = len(out)
			place[en.Run] = i
			out = append(out, Summary{Run: en.Run, Credential: en.Subject, Opened: en.At})
		}
		if len(en.Body) == 0 {
			return nil
		}
		if err := out[i].add(en); err != nil {
			return unread(en, err)
		}
		return nil
	}
	if err := begun(take); err != nil {
		return nil, err
	}
	if err := b.read().EachOf(ctx, take, string(rotation.KindClosed), string(rotation.KindStuck), string(rotation.KindResumed)); err != nil {
		return nil, err
	}
	inOrder(out)
	return out, nil
}

func (s *Summary) add(en journal.Entry) error {
	switch rotation.Kind(en.Kind) {
	case rotation.KindOpened:
		var o struct {
			Actor, Reason, Request string
			Spec                   struct{ Purpose sop.Purpose }
			Simulated              bool
		}
		if err := json.Unmarshal(en.Body, &o); err != nil {
			return err
		}
		s.Opened, s.Actor, s.Reason, s.Purpose, s.Simulated, s.Request = en.At, o.Actor, o.Reason, o.Spec.Purpose, o.Simulated, o.Request
	case rotation.KindStuck:
		var o rotation.Stuck
		if err := json.Unmarshal(en.Body, &o); err != nil {
			return err
		}
		s.Stuck = o.Why
	case rotation.KindResumed:
		s.Stuck = ""
	case rotation.KindClosed:
		var o rotation.Closed
		if err := json.Unmarshal(en.Body, &o); err != nil {
			return err
		}
		s.Closed, s.Ending, s.Why, s.Current, s.Stuck = en.At, o.Ending, o.Why, o.Current, ""
	}
	return nil
}

// Going is an open run and what it was opened for.
type Going struct {
	Summary
	Spec sop.Spec
}

// Going returns the open runs, oldest first.
func (b Book) Going(ctx context.Context) ([]Going, error) {
	entries, err := b.read().Begun(ctx, string(rotation.KindOpened), string(rotation.KindClosed))
	if err != nil {
		return nil, err
	}
	out := make([]Going, len(entries))
	for i, en := range entries {
		out[i].Summary = Summary{Run: en.Run, Credential: en.Subject}
		var o struct{ Spec sop.Spec }
		if err := errors.Join(out[i].add(en), json.Unmarshal(en.Body, &o)); err != nil {
			return nil, unread(en, err)
		}
		out[i].Spec = o.Spec
	}
	return out, nil
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
	return fmt.Errorf("journal entry %d, %s: %s\n  next  rekey verify\n  or    put a backup of the journal's folder back, and look what is live: rekey drift", e.Seq, e.Kind, what)
}
