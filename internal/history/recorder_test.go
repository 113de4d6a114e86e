package history_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/rotation"
)

var at = time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)

func opened(run string) rotation.Event {
	return rotation.Event{At: at, Run: run, Kind: rotation.KindOpened, Opened: &rotation.Opened{Credential: "CF_X", Actor: "t"}}
}

func intent(run string) rotation.Event {
	return rotation.Event{At: at, Run: run, Kind: rotation.KindIntent, Intent: &rotation.Intent{Steps: []string{"create"}}}
}

func resumed(run string) rotation.Event {
	return rotation.Event{At: at, Run: run, Kind: rotation.KindResumed, Resumed: &rotation.Resumed{Actor: "t"}}
}

func newBook(t *testing.T) (history.Book, string) {
	t.Helper()
	dir := t.TempDir()
	j, err := journal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return history.Book{J: j}, dir
}

// TestOfTwoProcessesOnOneRunTheOneThatIsOvertakenWritesNothingMore, although no lock
// keeps them apart; that others write runs of their own is no matter.
func TestOfTwoProcessesOnOneRunTheOneThatIsOvertakenWritesNothingMore(t *testing.T) {
	_, dir := newBook(t)
	overtaken(t, func() (*journal.Journal, error) { return journal.Open(dir) })
}

func overtaken(t *testing.T, open func() (*journal.Journal, error)) {
	ctx := context.Background()
	here, err := open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = here.Close() }()
	book := history.Book{J: here}
	there, err := open() // another process
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = there.Close() }()
	first := &history.Recorder{Book: book, Credential: "CF_X"}
	other := &history.Recorder{Book: history.Book{J: there}, Credential: "CF_Y"}
	if err := errors.Join(first.Append(ctx, opened("r1")), other.Append(ctx, opened("r2")), first.Append(ctx, intent("r1"))); err != nil {
		t.Fatal(err)
	}
	events, second, err := history.Book{J: there}.Take(ctx, "CF_X", "r1")
	if err != nil || len(events) != 2 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	if err := second.Append(ctx, resumed("r1")); err != nil {
		t.Fatal(err)
	}
	err = first.Append(ctx, intent("r1"))
	var o *history.Overtaken
	if !errors.Is(err, journal.ErrOvertaken) || !errors.As(err, &o) || o.By.Kind != "resumed" || o.Seen != 3 {
		t.Errorf("the first process: %v", err)
	}
	if err := first.Append(ctx, intent("r1")); !errors.Is(err, journal.ErrOvertaken) {
		t.Errorf("the first process, once more: %v", err)
	}
	if err := errors.Join(second.Append(ctx, intent("r1")), other.Append(ctx, intent("r2"))); err != nil {
		t.Errorf("the others: %v", err)
	}
	if events, err := book.Events(ctx, "r1"); err != nil || len(events) != 4 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

// TestARunIsBegunOnce: an id that the journal knows begins no second run.
func TestARunIsBegunOnce(t *testing.T) {
	ctx := context.Background()
	book, _ := newBook(t)
	for i := range 2 {
		err := (&history.Recorder{Book: book, Credential: "CF_X"}).Begin(ctx, nil, opened("r1"))
		if i == 0 && err != nil || i == 1 && !errors.Is(err, journal.ErrOvertaken) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// TestWhatStandsAgainstARunIsSeenBeforeItIsWritten in one transaction: of many that
// may only run alone, one begins.
func TestWhatStandsAgainstARunIsSeenBeforeItIsWritten(t *testing.T) {
	_, dir := newBook(t)
	beginsAlone(t, func() (*journal.Journal, error) { return journal.Open(dir) })
}

func beginsAlone(t *testing.T, open func() (*journal.Journal, error)) {
	ctx := context.Background()
	busy := errors.New("another run is open")
	began := make(chan error)
	for i := range 10 {
		go func() {
			j, err := open()
			if err != nil {
				began <- err
				return
			}
			defer func() { _ = j.Close() }()
			r := &history.Recorder{Book: history.Book{J: j}, Credential: "CF_X"}
			began <- r.Begin(ctx, func(ctx context.Context, b history.Book, _ *sql.Tx) error {
				going, err := b.Going(ctx)
				if err == nil && len(going) > 0 {
					err = busy
				}
				return err
			}, opened(string(rune('a'+i))))
		}()
	}
	n := 0
	for range 10 {
		switch err := <-began; {
		case err == nil:
			n++
		case err != busy:
			t.Error(err)
		}
	}
	if n != 1 {
		t.Errorf("%d began", n)
	}
}

// TestAJournalThatWasSetBackIsNotWrittenOn: what this process has written no
// longer exists.
func TestAJournalThatWasSetBackIsNotWrittenOn(t *testing.T) {
	ctx := context.Background()
	book, _ := newBook(t)
	first := &history.Recorder{Book: book, Credential: "CF_X"}
	if err := first.Append(ctx, opened("r1"), intent("r1")); err != nil {
		t.Fatal(err)
	}
	elsewhere, _ := newBook(t) // where only the first entry is
	if err := (&history.Recorder{Book: elsewhere, Credential: "CF_X"}).Append(ctx, opened("r1")); err != nil {
		t.Fatal(err)
	}
	first.Book = elsewhere
	if err := first.Append(ctx, intent("r1")); !errors.Is(err, journal.ErrOvertaken) {
		t.Errorf("got %v", err)
	}
}

// TestARunWhoseEntriesWereEditedIsNotTakenUp: what is done goes by them.
func TestARunWhoseEntriesWereEditedIsNotTakenUp(t *testing.T) {
	for what, edit := range map[string]string{
		"the label of the run": `UPDATE entries SET run = 'r' || char(27) WHERE run = 'r1'`,
		"who began it":         `UPDATE entries SET body = replace(body, '"t"', '"u"') WHERE run = 'r1'`,
		"what cannot be read":  `UPDATE entries SET body = '{' WHERE kind = 'intent'`,
	} {
		ctx := context.Background()
		book, dir := newBook(t)
		first := &history.Recorder{Book: book, Credential: "CF_X"}
		if err := errors.Join(first.Append(ctx, opened("r1")), first.Append(ctx, intent("r1"))); err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("sqlite", filepath.Join(dir, "journal.db"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(edit); err != nil {
			t.Fatal(err)
		}
		_ = db.Close()
		runs, err := book.Runs(ctx)
		for _, r := range runs {
			if _, _, err = book.Take(ctx, "CF_X", r.Run); err == nil {
				break
			}
		}
		if err == nil || !strings.Contains(err.Error(), "was edited: its hash") || !strings.Contains(err.Error(), "rekey verify") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
