package dossier

import (
	"context"
	"fmt"
	"time"

	"rekey/internal/journal"
	"rekey/internal/rotation"
)

// surveyed is which entries and runs a period holds.
type surveyed struct {
	entries, first, last int64
	runs                 map[string]bool
	also                 map[int64]bool // entries about approvals
	ask                  Ask
}

// survey goes over all entries once, without keeping them. A run is of the period
// if it was open in it, with or without an entry there.
func survey(ctx context.Context, j *journal.Journal, ask Ask) (surveyed, error) {
	s := surveyed{runs: map[string]bool{}, ask: ask}
	open := map[string]time.Time{} // runs that are not closed yet, and when they were opened
	err := j.EachHead(ctx, func(e journal.Entry) error {
		s.entries = e.Seq
		inside := !e.At.Before(ask.From) && e.At.Before(ask.To)
		if inside {
			s.last = e.Seq
			if s.first == 0 {
				s.first = e.Seq
			}
		}
		if e.Run == "" || !ask.wants(e.Subject) {
			return nil
		}
		if inside {
			s.runs[e.Run] = true
		}
		switch rotation.Kind(e.Kind) {
		case rotation.KindOpened:
			open[e.Run] = e.At
		case rotation.KindClosed:
			if open[e.Run].Before(ask.To) && e.At.After(ask.From) {
				s.runs[e.Run] = true
			}
			delete(open, e.Run)
		}
		return nil
	})
	if err != nil {
		return s, fmt.Errorf("read journal: %w", err)
	}
	for run, at := range open {
		if at.Before(ask.To) {
			s.runs[run] = true
		}
	}
	return s, nil
}

// inside reports whether an entry is of the period.
func (s surveyed) inside(e journal.Entry) bool {
	return s.first > 0 && e.Seq >= s.first && e.Seq <= s.last && s.ask.wants(e.Subject)
}

// edge reports whether an entry is the one just before the period, or just after.
func (s surveyed) edge(e journal.Entry) bool {
	return s.ask.Credential == "" && s.first > 0 && (e.Seq == s.first-1 || e.Seq == s.last+1)
}

// atOnce is how many entries are held at once.
const atOnce = 500

// each calls f for every entry that is in the export, in order; boundary tells one
// that is there only to show where the period begins or ends.
func (s surveyed) each(ctx context.Context, j *journal.Journal, f func(e journal.Entry, boundary bool) error) error {
	for seq := int64(0); seq < s.entries; {
		part, err := j.After(ctx, seq, atOnce)
		if err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		if len(part) == 0 {
			return fmt.Errorf("read journal: entry %d is missing", seq+1)
		}
		for _, e := range part {
			seq = e.Seq
			if inside := s.inside(e); e.Seq <= s.entries && (inside || s.edge(e) || s.runs[e.Run] || s.also[e.Seq]) {
				if err := f(e, !inside && s.edge(e)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
