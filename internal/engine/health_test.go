//go:build !windows

package engine_test

import "testing"

// TestAWorkerThatCannotWriteSaysSo: a disk that is full, or a table that is gone, is told
// while it is so, and no longer.
func TestAWorkerThatCannotWriteSaysSo(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		db, e := b.database(), b.engine("one")
		do := func(statement string) {
			if _, err := db.ExecContext(b.Context(), statement); err != nil {
				b.Fatal(err)
			}
		}
		b.wait("it is at work", func() bool { w, err := e.Workers(b.Context()); return err == nil && len(w) == 1 })
		do(`ALTER TABLE lease_workers RENAME TO lease_workers_gone`)
		b.wait("it is told", func() bool { return e.Unwritten() != nil })
		do(`ALTER TABLE lease_workers_gone RENAME TO lease_workers`)
		b.wait("it is over", func() bool { return e.Unwritten() == nil })
	})
}
