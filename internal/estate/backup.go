package estate

import (
	"context"

	"rekey/internal/history"
	"rekey/internal/lease"
)

// BackedUp is what a backup of the journal holds.
type BackedUp struct {
	File    string `json:"file"`
	Entries int64  `json:"entries"`
	Last    string `json:"last"` // hash of the newest entry
}

// Backup writes a copy of the journal to a new file on this machine, while others may
// write on. It is not part of Operations: a file belongs to the machine that asks.
// Refused: NoJournal; Failed where the file is there already, or what was copied does
// not verify, and then there is no file.
func (e *Estate) Backup(ctx context.Context, file string) (BackedUp, error) {
	out := BackedUp{File: file}
	err := e.withJournal(ctx, func(b history.Book) (err error) {
		out.Entries, out.Last, err = b.J.Backup(ctx, file, lease.InCopy())
		return err
	})
	return out, err
}
