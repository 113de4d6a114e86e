package dossier

import (
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// TestWhatIsShownToNobodyIsNotCalledReadBack: its place has no time of reading and no
// fingerprint after, and the run says that it proves nothing of it.
func TestWhatIsShownToNobodyIsNotCalledReadBack(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	spec := sop.Spec{Name: "A", Store: sop.Place{Key: "s:x"}, Consumers: []sop.Place{{Key: "ci:repo"}}}
	plan := &rotation.Plan{Version: rotation.PlanVersion, Strategy: rotation.Replace, Run: "r1", Spec: spec, Steps: []rotation.Step{{ID: "settle ci:repo", Verb: rotation.Settle, Target: "ci:repo"}}}
	plan.Seen.Consumers = []rotation.ConsumerSeen{{Key: "ci:repo", Slots: []rotation.SlotSeen{{SlotState: cred.SlotState{Slot: "TOKEN", Present: true, Hidden: true}}}}}
	settled := &rotation.Outcome{Step: "settle ci:repo", Class: cred.Done, Slots: []cred.SlotState{{Slot: "TOKEN", Present: true, Hidden: true, Fingerprint: "f1", Written: at}}}
	r := runOf([]rotation.Event{
		{At: at, Run: "r1", Kind: rotation.KindOpened, Opened: &rotation.Opened{Credential: "A", Spec: spec}},
		{At: at, Run: "r1", Kind: rotation.KindPlanned, Planned: plan},
		{At: at, Run: "r1", Kind: rotation.KindOutcome, Outcome: settled},
		{At: at, Run: "r1", Kind: rotation.KindClosed, Closed: &rotation.Closed{Ending: rotation.Rotated}},
	}, nil)
	place := r.Places[1]
	if place.Key != "ci:repo" || !place.ReadBack.IsZero() || place.Slots[0].After != "" {
		t.Errorf("%+v", place)
	}
	if told := strings.Join(r.NotCovered, "\n"); !strings.Contains(told, "what ci:repo holds in TOKEN is shown to nobody and was not read back; it was last written at 2026-11-23T09:00:00Z") {
		t.Error(told)
	}
}
