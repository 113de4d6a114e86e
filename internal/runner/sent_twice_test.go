package runner_test

import (
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
	faults "rekey/internal/stage"
)

// TestARequestThatIsSentTwiceExcusesOnlyItsOwnOutage: where a roll with grace is sent twice
// on its way, the second one ends what everybody holds, before anybody can know of the first.
// That excuses this outage and no other of the run: one that a missing step of the plan brings
// about is found all the same, whichever request was sent twice.
func TestARequestThatIsSentTwiceExcusesOnlyItsOwnOutage(t *testing.T) {
	sc := stage.Scenario{Credential: "CF_ACCESS_SVC_VAULT", Strategy: "roll"}
	alone := sc.Run(1)
	excused, found := 0, 0
	for call := 1; call <= alone.Calls; call++ {
		sc.Faults, sc.Damage = []stage.Fault{{Call: call, Kind: faults.Twice}}, nil
		v := sc.Run(1)
		if len(v.Broken) > 0 || v.Err != nil {
			t.Errorf("%s: %q %v %v", sc, v.Ending, v.Broken, v.Err)
		}
		v.Stage.World.Look(func(w *sim.State) {
			if len(w.Outages) > 0 {
				excused++
			}
		})
		// The consumer is never given the new one, and the old secret ends.
		sc.Damage = drop(rotation.Propagate, rotation.Settle, rotation.Pause)
		if v := sc.Run(1); strings.Contains(strings.Join(v.Broken, "\n"), "promise 1") {
			found++
		}
	}
	if excused == 0 || found < alone.Calls/2 {
		t.Errorf("of %d requests sent twice %d outages were excused, and of those of a broken plan %d found", alone.Calls, excused, found)
	}
	t.Logf("%d calls: %d outages excused, %d of a broken plan found", alone.Calls, excused, found)
}
