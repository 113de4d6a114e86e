package estate_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/sim"
)

// TestAnAgreementOutlivesTheRotationOfAnotherOnASharedRule: in a fleet each rotation edits
// the rule that all share, and an app is deployed while people read a plan. Nobody is asked
// again, and the plan that is carried out says what others have changed.
func TestAnAgreementOutlivesTheRotationOfAnotherOnASharedRule(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.world.Look(func(s *sim.State) { s.Fleet(2, 2) })
	text := strings.Replace(sim.FleetConfig(2, "x", "poll: 1s, quiet: 1m, watch: 1m"), "simulate: x\n", "", 1)
	text = strings.Replace(text, "  FLEET_0:\n", "  FLEET_0:\n    run: after approval\n", 1)
	if err := os.WriteFile(filepath.Join(b.dir, "rekey.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(name string) (estate.Ended, error) {
		return b.operations().Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: name}, Confirm: name}, &told{})
	}
	b.as("bob")
	_, err := open("FLEET_0")
	asked := b.refused(err, estate.AwaitsApproval).Approval.Request
	b.as("carol")
	b.approve("FLEET_0")
	b.as("bob")
	if ended, err := open("FLEET_1"); err != nil || ended.State.Closed == nil || ended.State.Closed.Ending != rotation.Rotated {
		t.Fatalf("%+v %v", ended, err)
	}
	b.world.Look(func(s *sim.State) {
		for _, a := range s.Heroku.Apps {
			if a.Name == "fleet-0" {
				a.Current().Version++ // somebody has deployed
			}
		}
	})
	ended, err := open("FLEET_0")
	if err != nil || ended.State.Closed == nil || ended.State.Closed.Ending != rotation.Rotated {
		t.Fatalf("%+v %v", ended, err)
	}
	notes := strings.Join(ended.State.Plan.Notes, "\n")
	for _, want := range []string{"changed by others since this plan was made, and no part of it: seen.admission.places[0].names", `seen.consumers[0].mark was "3" and is "4"`} {
		if !strings.Contains(notes, want) {
			t.Errorf("the plan does not say %q:\n%s", want, notes)
		}
	}
	if ended.State.Opened.Expect != asked.Digest || ended.State.Opened.Plan != asked.ID {
		t.Errorf("it was opened as %+v", ended.State.Opened)
	}
}
