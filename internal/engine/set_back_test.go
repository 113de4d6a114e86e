//go:build !windows

package engine_test

import (
	"strings"
	"testing"
	"time"

	"rekey/internal/engine"
	"rekey/internal/estate"
	"rekey/internal/rotation"
)

// TestAJournalThatLostItsTailIsLookedBehind: a run that waits is not gone on with as if nothing
// had been, once somebody has missed entries, or the database is in another line of its history
// although nobody has. The schedule begins nothing until a person lets it go on, and is told why.
func TestAJournalThatLostItsTailIsLookedBehind(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		for name, lose := range map[string]func(es *estate.Estate){
			"entries were missed": func(es *estate.Estate) {
				for range 2 { // by two processes
					if err := es.SetBackSeen(b.Context(), 1000); err != nil {
						b.Fatal(err)
					}
				}
				why, err := es.SetBack(b.Context())
				if err != nil || !strings.HasPrefix(why, "the journal was restored to an earlier state: entry 1000 was seen, and it ended at ") {
					b.Errorf("it is told as %q (%v)", why, err)
				}
				d, err := es.Schedule(b.Context())
				if err != nil || !d.Paused.Doubted() {
					b.Errorf("the schedule goes on: %+v (%v)", d.Paused, err)
				}
				if err := es.Continue(b.Context(), "looked"); err != nil {
					b.Fatal(err)
				}
				if why, err := es.SetBack(b.Context()); err != nil || why != "" {
					b.Errorf("somebody has looked, and it is told as %q (%v)", why, err)
				}
			},
			"nobody missed them": func(*estate.Estate) {
				if _, err := b.database().ExecContext(b.Context(), `UPDATE lease_runs SET line = 'another'`); err != nil {
					b.Fatal(err)
				}
			},
		} {
			e := b.engine(name, func(o *engine.Options) { o.Park = 30 * time.Second })
			run, err := e.Begin(b.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console, Alongside: true})
			if err != nil {
				b.Fatal(err)
			}
			parked := func() bool {
				rows, err := e.Leases(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				return len(rows) == 0 || rows[0].Holder == "" && time.Until(rows[0].Wake) > 10*time.Second
			}
			b.wait("it waits", parked)
			lose(b.estate("one that looks"))
			f := &told{}
			for over := false; !over; { // each wait is over at once
				b.wait("it waits or is over", parked)
				b.clock.Pass(time.Hour)
				if _, err := b.database().ExecContext(b.Context(), `UPDATE lease_runs SET wake = 1 WHERE holder = ''`); err != nil {
					b.Fatal(err)
				}
				rows, err := e.Leases(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				over = len(rows) == 0
			}
			ended, err := e.Follow(b.Context(), run, 0, f)
			if err != nil || ended.State.Closed == nil || ended.State.Closed.Ending != rotation.Rotated {
				b.Fatalf("%s: it ended as %+v (%v)", name, ended.State.Closed, err)
			}
			looked := 0
			for _, x := range f.of(rotation.KindOutcome) {
				if x.Outcome.Step == rotation.ResumeStep {
					looked++
				}
			}
			if looked != 1 {
				b.Errorf("%s: it was looked at anew %d times", name, looked)
			}
			b.agreed(console)
		}
	})
}
