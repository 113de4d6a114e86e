package estate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"rekey/internal/history"
	"rekey/internal/lease"
	"rekey/internal/rotation"
	"rekey/internal/schedule"
)

// SetBackSeen writes down that the journal has lost entries up to seen, which a process has
// missed (journal.Replaced): the database failed over to a standby that was behind, or was
// restored. From then on the schedule begins nothing until a person continues it, and whoever
// takes an open run up looks anew before he acts. Once for all processes that miss the same.
func (e *Estate) SetBackSeen(ctx context.Context, seen int64) error {
	j, closing, err := e.Journal()
	if err != nil {
		return err
	}
	if e.here.Journal != nil { // that one writes nothing more
		if j, err = j.Again(ctx); err != nil {
			return failed(err)
		}
		closing = j.Close
	}
	defer func() { _ = closing() }()
	s, err := lease.Open(ctx, j)
	if err != nil {
		return failed(err)
	}
	known := errors.New("it is known already")
	last, err := j.Last(ctx)
	if err != nil {
		return failed(err)
	}
	now := e.now().UTC()
	pause := schedule.Pause{At: now, By: rotation.Who{Name: "Rekey", How: schedule.SetBack},
		Reason: fmt.Sprintf("the journal was restored to an earlier state: entry %d was seen, and it ended at %d; what was done after that is lost", seen, last.Seq)}
	note, err := history.NoteOf(now, "", schedule.Paused, pause)
	if err != nil {
		return failed(err)
	}
	err = history.Book{J: j}.AddWith(ctx, func(ctx context.Context, book history.Book, tx *sql.Tx) error {
		var k schedule.Known
		if err := paused(ctx, book, &k); err != nil {
			return err
		}
		if k.Paused.Doubted() {
			return known
		}
		return s.Doubt(ctx, tx)
	}, note)
	if errors.Is(err, known) {
		return nil
	}
	return failed(err)
}

// SetBack tells why the journal is in doubt: entries of it were lost, and nobody has looked
// and continued the schedule since. "": it is not, as far as is known.
func (e *Estate) SetBack(ctx context.Context) (why string, err error) {
	err = e.withJournal(ctx, func(book history.Book) error {
		var k schedule.Known
		if err := paused(ctx, book, &k); err != nil {
			return err
		}
		if k.Paused.Doubted() {
			why = k.Paused.Reason
		}
		return nil
	})
	if CodeOf(err) == NoJournal {
		return "", nil
	}
	return why, err
}
