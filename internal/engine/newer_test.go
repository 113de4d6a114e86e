//go:build !windows

package engine_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rekey/internal/estate"
	"rekey/internal/journal"
)

// TestARunOfANewerVersionIsLeftToIt: where versions are changed one process after the other, a
// worker that does not know all that a run says does nothing for it and says why; the run is
// on offer, the list of runs and its log are there, and a person is told the same.
func TestARunOfANewerVersionIsLeftToIt(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		run, err := b.idle("one").Begin(b.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console})
		if err != nil {
			b.Fatal(err)
		}
		b.newer(run)
		var asked atomic.Int64
		b.tamper(func(_ string, _ *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			asked.Add(1)
			return send()
		})
		two := b.engine("two")
		b.wait("it is left alone twice", func() bool {
			rows, err := two.Leases(b.Context())
			if err != nil || len(rows) != 1 {
				b.Fatalf("leases %+v (%v)", rows, err)
			}
			r := rows[0]
			return r.Epoch > 4 && r.Holder == "" && time.Until(r.Wake) < time.Minute && strings.Contains(r.Trouble, "newer run: "+console) && strings.Contains(r.Trouble, `"sealed"`)
		})
		es := b.estate("who looks")
		if list, err := es.Status(b.Context(), estate.StatusAsked{Working: true}); err != nil || len(list.Rows) == 0 {
			b.Errorf("the list: %+v (%v)", list, err)
		}
		log, err := es.Log(b.Context(), run)
		if err != nil || string(log.Events[len(log.Events)-1].Kind) != "sealed" {
			b.Errorf("its log, of which nothing was written by a worker: %+v (%v)", log.Events, err)
		}
		if _, err := es.Advance(b.Context(), estate.Advancing{Run: run}, estate.Silent{}); estate.CodeOf(err) != estate.NewerRun {
			b.Errorf("a person goes on with it: %v", err)
		}
		if _, err := two.TurnBack(b.Context(), estate.Backing{Run: run}); estate.CodeOf(err) != estate.NewerRun {
			b.Errorf("a person turns it back: %v", err)
		}
		if n := asked.Load(); n > 0 {
			b.Errorf("%d requests were sent", n)
		}
	})
}

// newer has a newer version write to a run.
func (b *bench) newer(run string) {
	b.Helper()
	var j *journal.Journal
	var err error
	if b.shared != nil {
		j = b.shared()
	} else if j, err = journal.Open(b.dir + "/.rekey"); err != nil {
		b.Fatal(err)
	}
	d := journal.Draft{At: b.clock.Now(), Run: run, Subject: console, Kind: "sealed", Body: []byte(`{"by":"alice"}`)}
	if err := j.Append(b.Context(), d); err != nil {
		b.Fatal(err)
	}
	if b.shared == nil {
		_ = j.Close()
	}
}
