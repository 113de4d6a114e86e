package reference_test

import (
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/stage"
)

// TestAnAnswerOfAnotherAccountEndsNothingOfOurs: at whatever call a look is answered for
// somebody else's account, once or for ever: a list without ours, other ids, slots of the same
// names with other values and dates, all with success. What was in use before the run is not
// ended for it, nobody loses access, and nothing of a rehearsal is left.
func TestAnAnswerOfAnotherAccountEndsNothingOfOurs(t *testing.T) {
	for _, name := range []string{"no ladder, no last seen", "shown to nobody", "three stores, one shown to nobody", "three stores, rehearsed", "rehearsed, nameless", "deleted"} {
		v := the(t, name)
		calls := goes(v).calls
		for call := 1; call <= calls; call++ {
			for _, kind := range stage.Accounts {
				sc := scenario{variation: v, faults: []stage.Fault{{Call: call, Kind: kind}}}
				if verdict, _ := sc.run(); verdict.Err != nil || len(verdict.Broken) > 0 || verdict.Ending == "stuck" && !verdict.Healed {
					t.Errorf("%s: %q %v %v", sc, verdict.Ending, verdict.Broken, verdict.Err)
				}
			}
		}
	}
}

// TestRulesOfAnotherAccountAreNoPlan: a run is not planned with rules that name nobody whom
// the issuer lists.
func TestRulesOfAnotherAccountAreNoPlan(t *testing.T) {
	v := the(t, "everything")
	verdict, x := scenario{variation: v, faults: []stage.Fault{{Call: nth(t, v, 1, "issuer", "list rules"), Kind: stage.AstrayForEver}}}.run()
	if log := x.Log.Text(); verdict.Ending != string(rotation.RefusedRun) || !strings.Contains(log, "they name nobody whom the issuer lists") {
		t.Errorf("%q\n%s", verdict.Ending, log)
	}
}
