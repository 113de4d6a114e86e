package estate

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"rekey/internal/approvals"
	"rekey/internal/history"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/schedule"
)

// Past is what a process that lasts keeps of the journal between two operations, and over
// a rekey.yaml that was read again: what it has read, and when it last verified it. It is
// of one journal.
type Past struct {
	read     *history.Past
	verified verified
}

// NewPast returns one that knows nothing yet.
func NewPast() *Past { return &Past{read: history.NewPast(readers())} }

// readers say how the notes are read by which credentials stand.
func readers() map[string]func(history.Note) (any, error) {
	return map[string]func(history.Note) (any, error){
		history.Checked: func(n history.Note) (any, error) {
			c := report.Checked{At: n.At}
			err := json.Unmarshal(n.Body, &c.Check)
			return c, unreadNote(err, "the journal's check of %s cannot be read: %w", n)
		},
		history.Compared:     reads[report.Compared]("the journal's comparison of %s cannot be read: %w"),
		history.Discovered:   reads[report.Discovered]("what the journal notes about others that hold %s cannot be read: %w"),
		history.Acknowledged: reads[report.Acknowledged]("the journal's note about what people let be of %s cannot be read: %w"),
		schedule.CannotBe:    reads[schedule.Refusal]("the journal's note about why %s could not be begun cannot be read: %w"),
		approvals.Asked:      reads[approvals.Request]("the journal's note about the approval of %s cannot be read: %w"),
	}
}

// reads is how notes are read whose body is a T; what says, with the credential's name,
// what cannot be.
func reads[T any](what string) func(history.Note) (any, error) {
	return func(n history.Note) (any, error) {
		var v T
		err := json.Unmarshal(n.Body, &v)
		return v, unreadNote(err, what, n)
	}
}

func unreadNote(err error, what string, n history.Note) error {
	if err == nil {
		return nil
	}
	return failedf(what, n.Credential, err)
}

// notesOf are the newest notes of a kind, by credential.
func notesOf[T any](seen history.Seen, kind string) map[string]T {
	out := make(map[string]T, len(seen.Notes[kind]))
	for name, n := range seen.Notes[kind] {
		if v, is := n.(T); is { // as reads has made it
			out[name] = v
		}
	}
	return out
}

// past is what was read before; nothing, in a process that asks once.
func (e *Estate) past() *history.Past {
	if e.here.Past != nil {
		return e.here.Past.read
	}
	return NewPast().read
}

// newest are the newest notes of a kind, by credential.
func newest[T any](ctx context.Context, e *Estate, book history.Book, kind string) (map[string]T, error) {
	if e.here.Past != nil {
		seen, err := e.here.Past.read.Read(ctx, book)
		return notesOf[T](seen, kind), failed(err)
	}
	notes, err := book.Latest(ctx, kind)
	if err != nil {
		return nil, failed(err)
	}
	out, read := make(map[string]T, len(notes)), readers()[kind]
	for name, n := range notes {
		v, err := read(n)
		if err != nil {
			return nil, err
		}
		out[name], _ = v.(T) // as reads has made it
	}
	return out, nil
}

// verified is what the last look at the evidence came to, in this process.
type verified struct {
	mu  sync.Mutex
	at  time.Time
	why string
}

// OpenRuns folds every open run.
func (e *Estate) OpenRuns(ctx context.Context) ([]OpenRun, error) {
	var out []OpenRun
	err := e.ifJournal(ctx, func(book history.Book) error {
		return e.open(ctx, book, func(r Summary, st *rotation.State) error {
			out = append(out, OpenRun{Summary: r, Final: st.Final})
			return nil
		})
	})
	return out, err
}

// open tells f of every open run and its state, of which f keeps and changes nothing.
func (e *Estate) open(ctx context.Context, book history.Book, f func(Summary, *rotation.State) error) error {
	if e.here.Past != nil {
		return e.here.Past.read.Open(ctx, book, f)
	}
	open, err := book.Going(ctx)
	if err != nil {
		return err
	}
	for _, r := range open {
		st, err := book.State(ctx, r.Run)
		if err != nil {
			return err
		}
		if st.Stuck != nil {
			r.Stuck = st.Stuck.Why
		}
		if err := f(r.Summary, st); err != nil {
			return err
		}
	}
	return nil
}

// Runs returns all runs, oldest first; there may be no journal yet.
func (e *Estate) Runs(ctx context.Context) (runs []Summary, err error) {
	err = e.ifJournal(ctx, func(book history.Book) error {
		if e.here.Past == nil {
			runs, err = book.Runs(ctx)
			return err
		}
		seen, err := e.here.Past.read.Read(ctx, book)
		if err == nil {
			runs, err = e.here.Past.read.Begun(ctx, book, seen.Runs, func(Summary) bool { return true })
		}
		return err
	})
	return runs, err
}

// RunsOf returns the runs of one credential, oldest first.
func (e *Estate) RunsOf(ctx context.Context, credential string) (runs []Summary, err error) {
	err = e.ifJournal(ctx, func(book history.Book) (err error) {
		runs, err = book.RunsOf(ctx, credential)
		return err
	})
	return runs, err
}

// OneRun returns one run in one line.
func (e *Estate) OneRun(ctx context.Context, run string) (one Summary, err error) {
	known := false
	err = e.ifJournal(ctx, func(book history.Book) (err error) {
		one, known, err = book.OneRun(ctx, run)
		return err
	})
	if err == nil && !known {
		err = &Error{Code: NoRun, Run: run}
	}
	return one, err
}

// Log returns everything that the journal holds of a run.
func (e *Estate) Log(ctx context.Context, run string) (Logged, error) {
	var out Logged
	err := e.withJournal(ctx, func(book history.Book) (err error) {
		if out.Entries, out.Events, err = book.Log(ctx, run); err != nil {
			return err
		}
		if len(out.Events) == 0 {
			return &Error{Code: NoRun, Run: run}
		}
		return nil
	})
	return out, err
}
