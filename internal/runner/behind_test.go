package runner_test

import (
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

// TestADynoOfAnEarlierReleaseKeepsTheOldOne: a dyno that is listed on the release before,
// after everything was seen to run on ours, is not cut off: nothing is taken away, and the
// config vars are written once more, which replaces it.
func TestADynoOfAnEarlierReleaseKeepsTheOldOne(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	after(s, kind{"GET", "/dynos"}, 3, func(w *sim.State) {
		a := w.Heroku.Apps[0]
		was := a.Releases[len(a.Releases)-2]
		for _, p := range a.Processes {
			if p.Name == "web.2" && !p.Hidden {
				p.ID, p.Release, p.Env, p.Started = "from before", was.Version, was.Vars, w.At
			}
		}
	})
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	noOutage(t, s)
	if log := s.Log.Text(); !strings.Contains(log, "is to be replaced, although everything was seen to run on what it was given; the roll-out is made once more") {
		t.Errorf("it is not told:\n%s", log)
	}
	if writes := count(s, "heroku", "PATCH config-vars"); writes > 2 {
		t.Errorf("the config vars were written %d times", writes)
	}
}
