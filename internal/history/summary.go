package history

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"rekey/internal/cred"
	"rekey/internal/journal"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

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
	// Few get stuck and nearly all are closed, which comes last and says that none is stuck
	// any more: so only those few are put in order.
	if err := b.read().EachOf(ctx, take, string(rotation.KindStuck), string(rotation.KindResumed)); err != nil {
		return nil, err
	}
	if err := b.read().EachTextOf(ctx, string(rotation.KindClosed), take); err != nil {
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
		var o struct { // of rotation.Closed; the record of the procedure is not for a line
			Ending  rotation.Ending
			Why     string
			Current *cred.Handle
		}
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
