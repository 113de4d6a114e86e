package history_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"rekey/internal/history"
	"rekey/internal/journal"
)

// TestWhatGoesWithEventsAndNotesIsWrittenWithThem: a refusal writes neither, and is told
// as it is.
func TestWhatGoesWithEventsAndNotesIsWrittenWithThem(t *testing.T) {
	j, err := journal.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	if err := j.Tables(t.Context(), "with", journal.Migration{SQLite: `CREATE TABLE with_it (n INTEGER)`}); err != nil {
		t.Fatal(err)
	}
	book := history.Book{J: j}
	lost := errors.New("lost")
	var end error
	insert := func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO with_it (n) VALUES (1)`)
		return errors.Join(err, end)
	}
	note, err := history.NoteOf(time.Unix(0, 0), "", history.Compared, map[string]int{})
	if err != nil {
		t.Fatal(err)
	}
	beside := func(ctx context.Context, b history.Book, tx *sql.Tx) error {
		if _, err := b.Runs(ctx); err != nil {
			t.Error(err)
		}
		return insert(ctx, tx)
	}
	for want, end1 := range []error{lost, nil} {
		end = end1
		r := &history.Recorder{Book: book, Credential: "CF_X", With: insert}
		if err := r.Append(t.Context(), opened("r")); !errors.Is(err, end) {
			t.Errorf("%v, want %v", err, end)
		}
		if err := book.AddWith(t.Context(), beside, note); !errors.Is(err, end) {
			t.Errorf("%v, want %v", err, end)
		}
		db, _ := j.DB()
		var entries, rows int
		if err := errors.Join(db.QueryRow(`SELECT COUNT(*) FROM entries`).Scan(&entries), db.QueryRow(`SELECT COUNT(*) FROM with_it`).Scan(&rows)); err != nil || entries != 2*want || rows != 2*want {
			t.Errorf("%d entries, %d rows, %v; want %d", entries, rows, err, 2*want)
		}
	}
}
