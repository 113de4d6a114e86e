package rotation

import (
	"strings"
	"testing"

	"rekey/internal/cred"
)

// TestARollThatIsKnownIsNotToldAsPossible: who is woken up has to know that two secrets
// work, not that they may.
func TestARollThatIsKnownIsNotToldAsPossible(t *testing.T) {
	s := &State{Plan: &Plan{Strategy: RollWithGrace, Old: cred.Handle{ID: "7", Name: "shop"}}, Steps: map[string]*Progress{}}
	for _, c := range []struct {
		roll Progress
		says string
	}{
		{Progress{Status: Ended}, "shop (7) has a new secret beside the old one, which works until it is ended"},
		{Progress{Status: Open}, "shop (7) may have a new secret"},
		{Progress{Maybe: true}, "shop (7) may have a new secret"},
	} {
		s.Steps[string(Roll)] = &c.roll
		if said := strings.Join(s.liveRolled(), "; "); !strings.HasPrefix(said, c.says) {
			t.Errorf("%+v: %s", c.roll, said)
		}
	}
}

// TestAPlaceThatHeldNothingIsNotSaidToHoldTheOldOne: a store that is new has no old one,
// and whoever looks there at night for it finds nothing.
func TestAPlaceThatHeldNothingIsNotSaidToHoldTheOldOne(t *testing.T) {
	p := &Plan{}
	p.Seen.Further = []StoreSeen{
		{Key: "new", Slots: []SlotSeen{{SlotState: cred.SlotState{Slot: "A"}}, {SlotState: cred.SlotState{Slot: "B"}}}},
		{Key: "half", Slots: []SlotSeen{{SlotState: cred.SlotState{Slot: "A", Present: true}}, {SlotState: cred.SlotState{Slot: "B"}}}},
	}
	for _, c := range []struct {
		key, step string
		ended     Status
		says      string
	}{
		{"new", "", Ended, "new holds none of it yet"},
		{"new", "undo", Ended, "new holds none of it, as before"},
		{"new", "write", Ended, "new holds the new one"},
		{"new", "write", Open, "new may hold either"},
		{"half", "", Ended, "half holds the old one"},
		{"half", "undo", Ended, "half holds the old one again"},
	} {
		s := &State{Plan: p, Steps: map[string]*Progress{}}
		if c.step != "" {
			s.Steps[c.step] = &Progress{Status: c.ended}
		}
		if said := s.holds(c.key, "write", "undo"); said != c.says && !strings.HasPrefix(said, c.says+" (") {
			t.Errorf("%s: %s", c.key+" "+c.step, said)
		}
	}
}
