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
