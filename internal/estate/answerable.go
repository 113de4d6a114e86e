package estate

import (
	"context"
	"time"

	"rekey/internal/journal"
	"rekey/internal/report"
)

// servedMark is the mark under which every process finds when pages were last served.
const servedMark = "pages served"

const (
	// ServedEvery is how often a process that serves pages says so.
	ServedEvery = 30 * time.Second
	// servedWithin is how long after that somebody may still be expected to answer there.
	servedWithin = 4 * ServedEvery
)

// NobodyServes is said of what is to be done by hand where no process of the service could
// take the answer: no page asks for it.
const NobodyServes = "no process serves pages, so nobody can answer; start one beside the workers: rekey serve --role api"

// NoteServed notes that a process serves pages, on which what is done by hand is answered.
func NoteServed(ctx context.Context, j *journal.Journal, now time.Time) error {
	return j.MarkTime(ctx, servedMark, now)
}

// served reports whether some process serves pages, as far as a minute or two ago tells.
func served(ctx context.Context, j *journal.Journal, now time.Time) (bool, error) {
	at, err := j.TimeOf(ctx, servedMark)
	return err == nil && now.Sub(at) < servedWithin, err
}

// Answerable reports whether some process serves the pages on which a person answers what
// a run asks him to do by hand.
func (e *Estate) Answerable(ctx context.Context) (is bool, err error) {
	err = e.besideJournal(ctx, func(j *journal.Journal) error {
		is, err = served(ctx, j, e.now())
		return err
	})
	return is, err
}

// unserved notes whether nobody can answer what is done by hand.
func unserved(ctx context.Context, j *journal.Journal, known *report.Known, now time.Time) error {
	is, err := served(ctx, j, now)
	known.Unserved = !is
	return err
}
