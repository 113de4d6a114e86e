package traces

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"rekey/internal/history"
	"rekey/internal/journal"
)

// markName is the mark of the journal under which Standing is kept.
const markName = "traces"

const (
	entriesAtOnce = 256
	spansAtOnce   = 512
	// Behind is how long spans wait for a collector that does not take them. Then they are
	// dropped, and counted: they would come too late to be looked at, and more follow.
	Behind = time.Hour
)

// Standing is how far the journal was told.
type Standing struct {
	Seq     int64  `json:"seq"` // up to and with this entry
	Sent    int64  `json:"sent"`
	Dropped int64  `json:"dropped"`
	Failing string `json:"failing,omitempty"` // why nothing is taken now; "": it is
}

// StandingOf reads how far the journal was told; false: it never was.
func StandingOf(ctx context.Context, j *journal.Journal) (s Standing, ok bool, err error) {
	body, err := j.MarkOf(ctx, markName)
	if err != nil || body == "" {
		return s, false, err
	}
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		return s, false, fmt.Errorf("how far traces were sent cannot be read: %w", err)
	}
	return s, true, nil
}

// Sender sends spans: an Exporter.
type Sender interface {
	Send(ctx context.Context, spans []Span) (dropped int64, err error)
}

// Follower makes spans of what is written to the journal, and sends them. It is behind the
// runs and never before them: whether it works makes no difference to any of them. How far
// it came stands in the database, so that another process goes on where this one ended; a
// span that was sent, and of which that could not be noted, is sent again, as the same.
type Follower struct {
	Journal *journal.Journal
	To      Sender
	Now     func() time.Time
	Log     *slog.Logger
	Every   time.Duration // between two looks; 0: five seconds

	told string
}

// Run follows the journal until ctx is done; one process at a time does.
func (f *Follower) Run(ctx context.Context) {
	every := f.Every
	if every == 0 {
		every = 5 * time.Second
	}
	for {
		wait, err := f.alone(ctx)
		if err != nil && ctx.Err() == nil && err.Error() != f.told {
			f.told = err.Error()
			f.Log.Warn("traces are not sent", "why", err)
		} else if err == nil && f.told != "" {
			f.told = ""
			f.Log.Info("traces are sent again")
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(every, wait)):
		}
	}
}

func (f *Follower) alone(ctx context.Context) (wait time.Duration, err error) {
	unlock, err := f.Journal.Lock("traces")
	if errors.Is(err, journal.ErrLocked) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer unlock()
	for more := true; more && err == nil && ctx.Err() == nil; {
		more, wait, err = f.Look(ctx)
	}
	return wait, err
}

// Look sends what was written since the last look, a part of it at a time: more tells that
// there is more. wait is how long the collector wants to be left alone.
//
// Errors: the journal's, and why the collector takes nothing.
func (f *Follower) Look(ctx context.Context) (more bool, wait time.Duration, err error) {
	s, ok, err := f.standing(ctx)
	if err != nil || !ok {
		return false, 0, err
	}
	entries, err := f.Journal.After(ctx, s.Seq, entriesAtOnce)
	if err != nil || len(entries) == 0 {
		return false, 0, err
	}
	upto := entries[len(entries)-1]
	spans, err := f.between(ctx, entries, s.Seq, upto.Seq)
	if err != nil {
		return false, 0, err
	}
	var why error
	for part := range slices.Chunk(spans, spansAtOnce) {
		dropped, err := f.To.Send(ctx, part)
		again, after := later(err)
		switch {
		case err == nil:
			s.Sent, s.Dropped = s.Sent+int64(len(part))-dropped, s.Dropped+dropped
		case ctx.Err() != nil:
			return false, 0, ctx.Err()
		case again && f.Now().Sub(entries[0].At) < Behind:
			s.Failing = err.Error()
			return false, after, errors.Join(err, f.note(ctx, s))
		default:
			why, s.Dropped = err, s.Dropped+int64(len(part))
		}
	}
	s.Seq, s.Failing = upto.Seq, ""
	if why != nil {
		s.Failing = why.Error()
	}
	return len(entries) == entriesAtOnce, 0, errors.Join(why, f.note(ctx, s))
}

// standing is where to go on. The first time that is the journal's end: what is past is
// not told.
func (f *Follower) standing(ctx context.Context) (s Standing, ok bool, err error) {
	if err = f.Journal.Beside(ctx); err != nil {
		return s, false, err
	}
	if s, ok, err = StandingOf(ctx, f.Journal); err != nil || ok {
		return s, ok, err
	}
	last, err := f.Journal.Last(ctx)
	if err != nil {
		return s, false, err
	}
	s.Seq = last.Seq
	return s, true, f.note(ctx, s)
}

func (f *Follower) note(ctx context.Context, s Standing) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return f.Journal.Mark(ctx, markName, string(b))
}

// between are the spans that ended in entries of these numbers.
func (f *Follower) between(ctx context.Context, entries []journal.Entry, after, upto int64) (out []Span, err error) {
	book := history.Book{J: f.Journal}
	seen := map[string]bool{}
	for _, en := range entries {
		if en.Run == "" || seen[en.Run] {
			continue
		}
		seen[en.Run] = true
		events, err := book.Events(ctx, en.Run)
		if err != nil {
			return nil, err
		}
		for _, s := range Of(events) {
			if s.Seq > after && s.Seq <= upto {
				out = append(out, s)
			}
		}
	}
	return out, nil
}
