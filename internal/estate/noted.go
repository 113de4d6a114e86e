package estate

import (
	"context"

	"rekey/internal/history"
	"rekey/internal/report"
)

// Noted tells what the last comparison and the last look for others found of each
// credential, as the journal keeps it; nobody is asked. A credential that was never
// looked at is in neither. It is not an operation of its own right: Status counts what this
// tells whole.
func (e *Estate) Noted(ctx context.Context) (compared map[string]report.Compared, discovered map[string]report.Discovered, err error) {
	err = e.ifJournal(ctx, func(book history.Book) (err error) {
		if compared, err = newest[report.Compared](ctx, e, book, history.Compared); err != nil {
			return err
		}
		discovered, err = newest[report.Discovered](ctx, e, book, history.Discovered)
		return err
	})
	return compared, discovered, err
}
