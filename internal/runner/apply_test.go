package runner_test

import (
	"fmt"
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

// restarting is a triple whose app reads what is written only when it is restarted.
func restarting(t *testing.T) *triple {
	x := newTriple(t)
	x.app.applied = true
	x.can.Places = map[string]rotation.Keeping{"app:x": {Applied: true, Cost: "a restart of its process"}}
	return x
}

// What is written is applied by a step of its own, with an intent and an outcome, right
// after the write and before it is looked whether everything runs on it.
func TestWhatIsWrittenIsAppliedByAStepOfItsOwn(t *testing.T) {
	x := restarting(t)
	st := x.ends(rotation.Rotated)
	apply, ok := st.Plan.Step("apply app:x")
	if !ok || !strings.Contains(apply.Change, "a restart of its process") || apply.Needs[0] != "propagate app:x" {
		t.Fatalf("%+v", apply)
	}
	intended := false
	for _, e := range x.events {
		if e.Intent != nil && fmt.Sprint(e.Intent.Steps) == "[apply app:x]" {
			intended = true
		}
	}
	if !intended || x.done("apply") != 1 || st.Step("settle app:x").Status != rotation.Ended {
		t.Errorf("%v", x.calls)
	}
}

// A process may die anywhere, between write and apply as well, and a call may be lost
// anywhere: nobody is ever without, and it ends as it should, whether forward or back.
func TestWriteAndApplyOutliveEveryDeathAndEveryLostAnswer(t *testing.T) {
	for _, back := range []bool{false, true} {
		for _, dies := range []bool{false, true} {
			for _, after := range []bool{false, true} {
				for at := 1; at <= 14; at++ {
					x := restarting(t)
					calls, hit := 0, false
					x.fault = func(op string, n int, is bool) error {
						if op == "works" {
							return nil
						}
						if !is {
							calls++
						}
						if calls != at || is != after || hit {
							return nil
						}
						hit = true
						if dies {
							panic(stage.Crash{})
						}
						return lostAnswer()
					}
					if back { // the check comes out false once the app runs on the new one
						x.spec.Verify, x.fails = []sop.Check{{URL: "https://app.test/works"}}, true
					}
					want := rotation.Rotated
					if back {
						want = rotation.RolledBack
					}
					x.name = fmt.Sprintf("back %v, dies %v, after %v, at %d", back, dies, after, at)
					x.ends(want)
					if now := x.app.process(); now != x.app.held["DSN"].value.Reveal() {
						t.Errorf("%s: it runs with something else than stands there: %v", x.name, x.calls)
					}
					if len(x.logins) != 1 {
						t.Errorf("%s: live %v, %v", x.name, x.logins, x.calls)
					}
				}
			}
		}
	}
}
