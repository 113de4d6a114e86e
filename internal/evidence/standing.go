package evidence

import (
	"context"
	"time"

	"rekey/internal/journal"
)

// Standing is how far the evidence has come: what is signed, and what has left the
// machine.
type Standing struct {
	Entries   int64     `json:"entries"`
	Covered   int64     `json:"covered"`           // by the newest checkpoint
	At        time.Time `json:"at,omitzero"`       // when that was made
	Uncovered int64     `json:"uncovered"`         // entries that no checkpoint covers
	Leaves    bool      `json:"leaves"`            // there is somewhere to send checkpoints to
	Lagging   []Lag     `json:"lagging,omitempty"` // sinks that do not have the newest one
}

// Lag is a sink that does not have all checkpoints.
type Lag struct {
	Sink   string    `json:"sink"`
	Behind int       `json:"behind"` // checkpoints that it does not have
	Since  time.Time `json:"since"`  // when the oldest of these was made
}

// Behind reports whether something is not signed or not sent.
func (s Standing) Behind() bool { return s.Uncovered > 0 || len(s.Lagging) > 0 }

// Stand tells how far the evidence has come, for sinks by their names.
func Stand(ctx context.Context, j *journal.Journal, sinks []string) (Standing, error) {
	s := Standing{Leaves: len(sinks) > 0}
	head, err := j.Last(ctx)
	if err != nil {
		return s, err
	}
	newest, known, err := j.Newest(ctx)
	if err != nil {
		return s, err
	}
	s.Entries = head.Seq
	if known {
		s.Covered, s.At = newest.Size, newest.Made
	}
	s.Uncovered = max(0, s.Entries-s.Covered)
	for _, name := range sinks {
		sent, err := j.SentTo(ctx, name)
		if err != nil {
			return s, err
		}
		left, err := j.CheckpointsAfter(ctx, sent.ID)
		if err != nil {
			return s, err
		}
		if len(left) > 0 {
			s.Lagging = append(s.Lagging, Lag{Sink: name, Behind: len(left), Since: left[0].Made})
		}
	}
	return s, nil
}
