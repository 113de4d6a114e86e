package reference_test

import (
	"testing"

	"rekey/internal/stage"
)

// TestWithoutALookAtOneNobodyIsSentBackToADeadOldOne: an issuer that can only list what
// lives. A journal that was set back to before the old one was deleted, and any bad
// answer after that, must not turn the run back towards it.
func TestWithoutALookAtOneNobodyIsSentBackToADeadOldOne(t *testing.T) {
	played := 0
	for _, name := range []string{"the issuer itself"} {
		v := the(t, name)
		alone, _ := scenario{variation: v}.run()
		for at := 1; at <= alone.Calls; at++ {
			for after := at + 1; after <= at+8; after++ {
				for _, kind := range []stage.Kind{stage.Applied400, stage.NotThere, stage.Refused} {
					sc := scenario{variation: v, faults: []stage.Fault{{Call: at, Kind: stage.SetBack}, {Call: after, Kind: kind}}}
					verdict, _ := sc.run()
					played++
					if verdict.Err != nil || len(verdict.Broken) > 0 || verdict.Ending == "stuck" && !verdict.Healed {
						t.Errorf("%s: %q, healed %v, %v, %v", sc, verdict.Ending, verdict.Healed, verdict.Broken, verdict.Err)
					}
				}
			}
		}
	}
	if played < 300 {
		t.Errorf("only %d were played", played)
	}
}
