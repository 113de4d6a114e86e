package rotation

import (
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/sop"
)

// TestWhatIsSaidToLiveSaysWhenItWasSeen: a run that is stuck may be read days later, and
// what its journal last knew may not be so any more.
func TestWhatIsSaidToLiveSaysWhenItWasSeen(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 11, 23, 9, minute, 0, 0, time.UTC) }
	old := cred.Handle{ID: "1", Name: "old"}
	made := &Outcome{Class: cred.Done, Handle: &cred.Handle{ID: "2", Name: "new"}}
	place := func(key string) sop.Place { return sop.Place{Key: key} }
	state := func(change func(*State)) string {
		s := NewState()
		s.Opened, s.Run, s.Generation, s.Made = &Opened{}, "r", 1, made
		s.Plan = &Plan{Strategy: Replace, Old: old, Spec: sop.Spec{Store: place("store"), Consumers: []sop.Place{place("app")}}}
		s.Plan.Seen.At = at(0)
		s.Plan.Seen.Consumers = []ConsumerSeen{{Key: "app", Slots: []SlotSeen{{SlotState: cred.SlotState{Slot: "A", Present: true, Fingerprint: "f"}}}}}
		done := func(id string, minute int) {
			s.Steps[id] = &Progress{Status: Ended, Done: at(minute), At: at(minute), Last: &Outcome{Class: cred.Done}}
		}
		done("create", 1)
		done("store", 2)
		done("propagate app", 3)
		done("settle app", 4)
		change(s)
		return strings.Join(s.Live(), "\n")
	}
	for name, c := range map[string]struct {
		change func(*State)
		says   []string
	}{
		"as it goes": {func(*State) {}, []string{
			"the old one, old (1), is live (seen at 2026-11-23 09:00:00 UTC)", "(2), is live (seen at 2026-11-23 09:01:00 UTC)",
			"store holds the new one (seen at 2026-11-23 09:02:00 UTC)", "app holds the new one (seen at 2026-11-23 09:04:00 UTC)",
		}},
		"looked at again": {func(s *State) { s.Sight = Progress{Done: at(30)} }, []string{"the old one, old (1), is live (seen at 2026-11-23 09:30:00 UTC)"}},
		"gone": {func(s *State) { s.Sight, s.Missing = Progress{Done: at(30)}, []string{"1", "2"} }, []string{
			"the old one, old (1), no longer exists (seen at 2026-11-23 09:30:00 UTC)", "(2), no longer exists (seen at 2026-11-23 09:30:00 UTC)",
		}},
		"somebody else wrote it": {func(s *State) {
			s.Steps["delete"] = &Progress{Status: Broken, At: at(40), Last: &Outcome{Class: cred.Foreign, Held: []string{"store"}}}
		}, []string{"store holds something else than this run gave it (seen at 2026-11-23 09:40:00 UTC)", "app holds the new one (seen at"}},
		"it works no more": {func(s *State) {
			s.Steps["delete"] = &Progress{Status: Broken, At: at(41), Last: &Outcome{Class: cred.Foreign, Unproven: true}}
		}, []string{"(2), is live, and did not work any more when it was tried (seen at 2026-11-23 09:41:00 UTC)"}},
		"shown to nobody": {func(s *State) {
			slot := &s.Plan.Seen.Consumers[0].Slots[0]
			slot.Hidden, slot.Fingerprint = true, ""
		}, []string{"app does not show what it holds, and was given the new one (seen at 2026-11-23 09:04:00 UTC)"}},
		"no plan": {func(s *State) { s.Plan, s.Resumed = nil, true }, []string{"according to the journal nothing was changed; that was not verified"}},
	} {
		said := state(c.change)
		for _, want := range c.says {
			if !strings.Contains(said, want) {
				t.Errorf("%s: want %q in\n%s", name, want, said)
			}
		}
	}
}
