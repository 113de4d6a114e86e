//go:build !windows

package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rekey/internal/engine"
	"rekey/internal/estate"
	"rekey/internal/journal"
	"rekey/internal/rotation"
)

// TestAnOpenRunGoesOnWhereTheJournalWasMoved, without anybody resuming it: one that a worker
// has begun and let go of for the time of a wait, and one that no worker has taken up yet.
func TestAnOpenRunGoesOnWhereTheJournalWasMoved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	working, stop := context.WithCancel(t.Context())
	one := b.idle("one", func(o *engine.Options) { o.Park = 30 * time.Second })
	worked := make(chan error, 1)
	go func() { worked <- one.Work(working) }()
	begin := func(name string) string {
		run, err := one.Begin(t.Context(), estate.Opening{Wish: estate.Wish{Credential: name}, Confirm: name, Alongside: true})
		if err != nil {
			t.Fatal(err)
		}
		return run
	}
	waits := begin(console)
	b.wait("it is let go of while it waits", func() bool {
		rows, err := one.Leases(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(rows) == 1 && rows[0].Holder == "" && time.Until(rows[0].Wake) > 10*time.Second
	})
	stop()
	if err := <-worked; err != nil {
		t.Fatal(err)
	}
	asked := begin(vault)

	address := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/trusting?search_path=engine%d", postgres(t).Port, schemas.Add(1))
	if _, err := b.estate("who moves it").Move(t.Context(), estate.Moving{To: address}); err != nil {
		t.Fatal(err)
	}
	// A machine of its own, with the keys.
	if err := os.Rename(filepath.Join(b.dir, ".rekey", "journal.db"), filepath.Join(b.dir, "old.db")); err != nil {
		t.Fatal(err)
	}
	b.shared = func() *journal.Journal {
		j, err := journal.OpenPostgres(context.Background(), address)
		if err != nil {
			t.Fatal(err)
		}
		b.Cleanup(func() { _ = j.Close() })
		return j
	}
	b.clock.Pass(time.Hour) // its wait is over
	two := b.engine("two")
	if _, err := b.database().ExecContext(t.Context(), `UPDATE lease_runs SET wake = 1 WHERE holder = '' AND wake > 1`); err != nil {
		t.Fatal(err)
	}
	for what, run := range map[string]string{"the one that waited": waits, "the one that nobody had taken up": asked} {
		ended, err := two.Follow(t.Context(), run, 0, &told{})
		if err != nil || ended.State.Closed == nil || ended.State.Closed.Ending != rotation.Rotated {
			t.Errorf("%s ended as %+v (%v)", what, ended.State, err)
		}
	}
	b.agreed(console)
	b.agreed(vault)
}

// TestARestoredBackupIsLookedBehind: a run that waits in it with nothing begun may have ended
// since the backup was made.
func TestARestoredBackupIsLookedBehind(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	file := filepath.Join(b.dir, ".rekey", "journal.db")
	backup := filepath.Join(b.dir, "backup.db")
	working, stop := context.WithCancel(t.Context())
	one := b.idle("one", func(o *engine.Options) { o.Park = 30 * time.Second })
	worked := make(chan error, 1)
	go func() { worked <- one.Work(working) }()
	// goOn has waits be over, until nothing waits any more or f says so.
	goOn := func(e *engine.Engine, f func() bool) {
		for {
			over := false
			b.wait("it waits or is over", func() bool {
				rows, err := e.Leases(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				over = len(rows) == 0
				return over || rows[0].Holder == "" && time.Until(rows[0].Wake) > 10*time.Second
			})
			if over || f != nil && f() {
				return
			}
			b.clock.Pass(time.Hour)
			if _, err := b.database().ExecContext(t.Context(), `UPDATE lease_runs SET wake = 1 WHERE holder = ''`); err != nil {
				t.Fatal(err)
			}
		}
	}
	run, err := one.Begin(t.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console})
	if err != nil {
		t.Fatal(err)
	}
	goOn(one, func() bool { return true })
	if _, err := b.estate("who backs it up").Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	goOn(one, nil)
	stop()
	if err := <-worked; err != nil {
		t.Fatal(err)
	}
	b.agreed(console)
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(file + end); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if err := os.Rename(backup, file); err != nil {
		t.Fatal(err)
	}
	two := b.engine("two")
	if _, err := b.database().ExecContext(t.Context(), `UPDATE lease_runs SET wake = 1`); err != nil {
		t.Fatal(err)
	}
	f := &told{}
	ended, err := two.Follow(t.Context(), run, 0, f)
	if err != nil || ended.State == nil {
		t.Fatalf("it ended as %+v (%v)", ended, err)
	}
	looked := false
	for _, e := range f.of(rotation.KindOutcome) {
		looked = looked || e.Outcome.Step == rotation.ResumeStep
	}
	if !looked {
		t.Error("it went on as if nothing had been")
	}
	b.agreed(console)
}
