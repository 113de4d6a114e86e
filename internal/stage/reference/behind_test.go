package reference_test

import (
	"slices"
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/stage"
)

// cached is what no slot tells of: a process comes up on an image of before.
const cached = "scale the consumer up from a cached image"

// TestAProcessFromAnOldImageIsNotCutOff: at whatever call a process comes up on what was
// there before the last write, forth and back, nobody is without access because of us, the
// run comes to its end by itself, and where the process came up before the look it is told
// of and the roll-out is made once more, rather than that anything is taken away.
func TestAProcessFromAnOldImageIsNotCutOff(t *testing.T) {
	told := map[string]int{}
	for _, name := range []string{"everything", "no ladder, no last seen", "roll with grace", "written, then applied", "shown to nobody", "three stores"} {
		v := the(t, name)
		turn := stage.Fault{Call: nth(t, v, 1, "consumer", "follow"), Kind: stage.NotThere}
		for way, faults := range map[string][]stage.Fault{"forth": nil, "back": {turn}} {
			for call := 1; call <= goes(v, faults...).calls; call++ {
				comes := stage.Fault{Call: call, Kind: stage.OthersBefore, Act: cached}
				sc := scenario{variation: v, faults: append(slices.Clone(faults), comes)}
				verdict, x := sc.run()
				if verdict.Err != nil || len(verdict.Broken) > 0 || verdict.Ending == "stuck" {
					t.Errorf("%s: %q %v %v", sc, verdict.Ending, verdict.Broken, verdict.Err)
				}
				if strings.Contains(x.Log.Text(), "nothing was taken away: consumer:app: process-") {
					told[name+", "+way]++
				}
			}
		}
		if told[name+", forth"] == 0 || told[name+", back"] == 0 && v.strategy == "" {
			t.Errorf("%s: the process was seen %v times before something was taken away", name, told)
		}
	}
	t.Log(told)
}

// TestWhatIsNotTakenUpIsRolledOutOnceMore: a process that came up on an old image while the
// roll-out was followed is not waited for in vain, forth or back.
func TestWhatIsNotTakenUpIsRolledOutOnceMore(t *testing.T) {
	v := the(t, "everything")
	call := nth(t, v, 2, "consumer", "follow")
	verdict, x := scenario{variation: v, faults: []stage.Fault{{Call: call, Kind: stage.OthersBefore, Act: cached}}}.run()
	if log := x.Log.Text(); verdict.Ending != string(rotation.Rotated) || len(verdict.Broken) > 0 || !strings.Contains(log, "; the roll-out is made once more") {
		t.Errorf("%q %v\n%s", verdict.Ending, verdict.Broken, log[max(0, len(log)-2500):])
	}
}
