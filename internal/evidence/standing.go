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
	Lagging   []Lag     `json:"lagging,omitempty"` // sinks that have not got the newest one
}

// Lag is a sink that has not got all checkpoints.
type Lag struct {
	Sink   string    `json:"sink"`
	Behind int       `json:"behind"` // checkpoints that it has not got
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
	all, err := j.Checkpoints(ctx)
	if err != nil {
		return s, err
	}
	s.Entries = head.Seq
	if len(all) > 0 {
		newest := all[len(all)-1]
		s.Covered, s.At = newest.Size, newest.Made
	}
	s.Uncovered = max(0, s.Entries-s.Covered)
	sent, err := j.Sent(ctx)
	if err != nil {
		return s, err
	}
	for _, name := range sinks {
		if left := Unsent(all, sent, name); len(left) > 0 {
			s.Lagging = append(s.Lagging, Lag{Sink: name, Behind: len(left), Since: left[0].Made})
		}
	}
	return s, nil
}

// Unsent returns the checkpoints that a sink has not got, oldest first.
func Unsent(all []journal.Checkpoint, sent map[string]journal.Sending, sink string) []journal.Checkpoint {
	for i, c := range all {
		if c.ID > sent[sink].ID {
			return all[i:]
		}
	}
	return nil
}
