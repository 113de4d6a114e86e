package runner_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

var forgetting = stage.Scenario{Credential: console, Purpose: sop.ToForget, On: stage.NewWithoutReaders}

// TestRetireNameUnderFaults: whatever fails or crashes, and wherever twice, a
// former name is gone from everywhere or held by everybody who had it.
func TestRetireNameUnderFaults(t *testing.T) {
	single, double := newTally(t, true), newTally(t, true)
	singles(t, single, []stage.Scenario{forgetting}, func(stage.Scenario) rotation.Ending { return rotation.NameGone })
	pairsOf(double, []stage.Scenario{forgetting}, append(slices.Clone(pairKinds), stage.Page, stage.Limited), 120)
	single.done(0)
	double.done(0.02)
}

func forget(t *testing.T, change func(*sim.State)) (*stage.Stage, *rotation.State) {
	t.Helper()
	s := stage.NewWithoutReaders(1, stage.Knobs)
	s.World.Look(change)
	s.Purpose(sop.ToForget)
	return s, play(t, s, console)
}

// TestANameThatIsStillReadComesBack: the console's own check works with the former
// name, so it turns false when that is taken away, and everybody gets it back.
func TestANameThatIsStillReadComesBack(t *testing.T) {
	s, st := forget(t, func(w *sim.State) {
		w.Edge.Sites["console.raxx.app"].Status["console-prod"] = formerConsole
	})
	ended(t, st, rotation.RolledBack, "check without it")
	now := see(s)
	if now.Vars[app][formerConsole] == "" || now.Vars[app][formerConsole] != now.Vars[app][console] {
		t.Error("the app does not have it back")
	}
	if now.Slots[formerConsole] == "" {
		t.Error("the store has lost it")
	}
}

// TestRetireNameRefuses where somebody is seen to use the name, or where the
// place would be left without the credential.
func TestRetireNameRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*sim.State)
		why    []string
	}{
		{"another secret refers to it", func(w *sim.State) { stage.Put(w, "UNRELATED", "id:${"+formerConsole+"}") },
			[]string{formerConsole + " is read by UNRELATED", "make it read " + console}},
		{"it refers from another folder's path", func(w *sim.State) { stage.Put(w, "UNRELATED", "${prod.MooseQuest.cloudflare."+formerConsole+"}") },
			[]string{"is read by UNRELATED"}},
		{"it holds something else", func(w *sim.State) { stage.Put(w, formerConsole, "used for something else") },
			[]string{"is inconsistent"}},
		{"the app has only the former name", func(w *sim.State) {
			a := w.Heroku.Apps[0]
			stage.Release(a, w.At, nil)
			delete(a.Releases[len(a.Releases)-1].Vars, console)
		}, []string{"nothing under " + console}},
		{"a check is false now", func(w *sim.State) { w.Edge.Sites["console.raxx.app"].Status["console-prod"] = "NOTHING" },
			[]string{"is not true now"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, st := forget(t, tt.change)
			ended(t, st, rotation.RefusedRun, tt.why...)
			if got := see(s).Slots[formerConsole]; got == "" {
				t.Error("it was touched")
			}
		})
	}
	t.Run("no place holds it", func(t *testing.T) {
		s, st := forget(t, func(*sim.State) {})
		ended(t, st, rotation.NameGone)
		judged(t, s, st)
		ended(t, next(t, s, console, "test02"), rotation.RefusedRun, "no place holds anything under "+formerConsole)
	})
}

// TestRemovalUnderAChangePolicy: a removal that was only asked for is waited for,
// and not asked for again.
func TestRemovalUnderAChangePolicy(t *testing.T) {
	s := stage.NewWithoutReaders(1, stage.Knobs)
	s.World.Look(func(w *sim.State) { w.Infisical.Approval = true })
	s.Purpose(sop.ToForget)
	asked := 0
	s.Before = func(_ int, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if req.Method == http.MethodDelete {
			asked++
		}
		return send()
	}
	st := play(t, s, console)
	if st.Stuck == nil || !strings.Contains(st.Stuck.Why, "a change policy made a request of it") {
		t.Fatalf("%+v %+v", st.Stuck, st.Closed)
	}
	live := strings.Join(st.Stuck.Live, "\n")
	if !strings.Contains(live, "heroku:raxx-console-prod has no "+formerConsole) || !strings.Contains(live, "may have "+formerConsole) {
		t.Errorf("what is live is not told:\n%s", live)
	}
	if asked != 1 {
		t.Errorf("asked %d times for an approval, want once", asked)
	}
}
