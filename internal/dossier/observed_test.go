package dossier_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/dossier"
	"rekey/internal/evidence"
	"rekey/internal/history"
	"rekey/internal/journal"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

// played carries out one run on a stage and reads the dossier of it.
func played(t *testing.T, s *stage.Stage, opened func(*rotation.Opened)) (dossier.Run, string, string) {
	t.Helper()
	if err := s.Open(console, "seen01"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	events, err := s.Log.Events()
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	practised := false
	for i := range events {
		if o := events[i].Opened; o != nil && opened != nil {
			opened(o)
			practised = o.Simulated
		}
	}
	if err := (&history.Recorder{Book: history.Book{J: j}, Credential: console}).Append(context.Background(), events...); err != nil {
		t.Fatal(err)
	}
	signer, key := fixedKey(t, 7)
	y := &year{T: t, j: j, specs: s.Config.Specs, signer: signer, keys: evidence.Keys{key}}
	ask := y.ask("")
	ask.Simulated = practised
	d, lines := y.export(ask)
	if c, err := dossier.Check(lines, y.keys, nil); err != nil || !c.OK() || c.Runs != len(d.Runs) {
		t.Fatalf("%+v %v", c, err)
	}
	var page bytes.Buffer
	if err := dossier.Page(&page, d); err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(d.Runs, func(r dossier.Run) bool { return r.Run == "seen01" })
	if at < 0 {
		t.Fatalf("%+v", d.Runs)
	}
	return d.Runs[at], dossier.Text(d, report.Style{}), page.String()
}

// TestAPlaceThatARunDoesNotTouchIsNotUnproven: a repair of a consumer shows nothing of
// the store, which is not the same as having failed to; and it claims nothing of it.
func TestAPlaceThatARunDoesNotTouchIsNotUnproven(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.World.Look(func(w *sim.State) {
		stage.Release(w.Heroku.Apps[0], w.At, map[string]string{console: "x:y", "CF_ACCESS_SERVICE_TOKEN_CONSOLE": "x:y"})
	})
	s.Purpose(sop.ToRepair)
	r, _, page := played(t, s, nil)
	if r.Ending != "repaired" || len(r.Places) < 2 {
		t.Fatalf("%+v", r)
	}
	store, consumer := r.Places[0], r.Places[1]
	if store.Shown != dossier.Untouched || store.Proven || !store.ReadBack.IsZero() || store.Seen.IsZero() {
		t.Errorf("%+v", store)
	}
	if consumer.Shown != dossier.Proven || consumer.ReadBack.Before(consumer.Seen) {
		t.Errorf("%+v", consumer)
	}
	if !strings.Contains(page, "not touched by this run") || strings.Contains(page, "not proven") {
		t.Error("the page takes what was not touched for what failed")
	}
}

// TestOnlyConsumersThatWereShownAreProven: a repair of the store alone shows no consumer.
func TestOnlyConsumersThatWereShownAreProven(t *testing.T) {
	s := stage.NewDriftedStore(1, stage.Knobs)
	s.Purpose(sop.ToRepair)
	r, text, _ := played(t, s, nil)
	if r.Ending != "repaired" {
		t.Fatalf("%+v", r)
	}
	shown := slices.ContainsFunc(r.Places, func(p dossier.Place) bool { return p.Role == "consumer" && p.Shown == dossier.Proven })
	if r.Consumers != shown || !shown && !strings.Contains(text, "places that it did not touch were read before it began") {
		t.Errorf("every consumer is proven: %v, one was shown: %v\n%s", r.Consumers, shown, text)
	}
}

// TestEverySentenceOfAProofSaysItsTime, and what was only practised is called so.
func TestEverySentenceOfAProofSaysItsTime(t *testing.T) {
	r, text, _ := played(t, stage.New(1, stage.Knobs), func(o *rotation.Opened) { o.Simulated = true })
	proofs := 0
	for _, l := range strings.Split(text, "\n") {
		if strings.HasPrefix(l, "  ✓ ") {
			proofs++
			if !strings.Contains(l, ", seen 2026-11-23 09:") {
				t.Errorf("no time: %s", l)
			}
		}
	}
	for _, p := range r.Proofs {
		if p.Holds && (p.At.IsZero() || p.At.Before(r.Opened) || p.At.After(r.Closed)) {
			t.Errorf("%s was shown at %s, and the run is of %s to %s", p.Title, p.At, r.Opened, r.Closed)
		}
	}
	if proofs < 8 || !r.Simulated || !strings.Contains(text, "anything real: it was simulated") {
		t.Errorf("%d proofs, simulated %v\n%s", proofs, r.Simulated, text)
	}
}

// TestAProofThatDoesNotHoldIsNone: a run that could not end the old one claims neither
// that it is denied nor that it is over.
func TestAProofThatDoesNotHoldIsNone(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.World.Inject(sim.Fault{Vendor: "cloudflare", Endpoint: "DELETE", Status: 403, Times: -1})
	r, text, _ := played(t, s, nil)
	if r.Ending != "stuck" || r.Denied || r.Consumers || !r.Closed.Equal(time.Time{}) {
		t.Errorf("%+v", r)
	}
	if strings.Contains(text, "✓ delete the old credential") {
		t.Errorf("it claims a deletion:\n%s", text)
	}
	for _, p := range r.Places {
		if p.Proven || p.Shown == dossier.Proven {
			t.Errorf("%+v", p)
		}
	}
}
