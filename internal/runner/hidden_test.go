package runner_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"rekey/internal/drift"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/stage"
)

// closed is a triple whose app does not show what it holds.
func closed(t *testing.T, stamps bool) *triple {
	x := newTriple(t)
	x.app.hidden, x.app.stamps = true, stamps
	x.can.Places = map[string]rotation.Keeping{"app:x": {WriteOnly: true}}
	return x
}

// A place that cannot be read back is told as such wherever a plan, a proof or a
// comparison would say what it holds.
func TestWhatIsNotReadBackIsSaidToBeSo(t *testing.T) {
	x := closed(t, false)
	st := x.ends(rotation.Rotated)
	if !strings.Contains(strings.Join(st.Plan.Notes, "\n"), "app:x does not show what it holds") {
		t.Error(st.Plan.Notes)
	}
	if plan := report.Plan(st.Plan, report.Style{}, x.clock.now); !strings.Contains(plan, "not shown → new") {
		t.Error(plan)
	}
	if told := x.told("settle app:x"); !strings.Contains(told, "not read back: DSN of app:x") {
		t.Error(told)
	}
	if x.done("app write") != 1 {
		t.Error(x.calls)
	}
	past := rotation.Generations(x.events)
	compare := func() []drift.Finding {
		return drift.Compare(x.spec, x.runner().Compare(t.Context(), x.spec), past)
	}
	if f := compare(); len(f) != 1 || f[0].Kind != drift.NotSeen || f[0].Where != "app:x" {
		t.Errorf("%+v", f)
	}
	x.app.held["DSN"] = kept{value: secret.New("somebody's"), written: x.clock.now.Add(1e9)}
	if f := compare(); len(f) != 1 || f[0].Kind != drift.Changed || !strings.Contains(f[0].What, "somebody else has written it since Rekey did") {
		t.Errorf("%+v", f)
	}
}

// Somebody who writes such a place after it was written is seen by its date, and keeps
// the old one from being taken away.
func TestAWriteBySomebodyElseToWhatIsNotShownIsSeenByItsDate(t *testing.T) {
	x := closed(t, false)
	x.spec.Verify = []sop.Check{{URL: "https://app.test/works"}}
	x.between = func() {
		x.app.held["DSN"] = kept{value: secret.New("db-old:first"), written: x.clock.now.Add(1e9)}
		x.app.running = maps.Clone(x.app.held)
	}
	st := x.ends(rotation.RolledBack)
	if !strings.Contains(st.Closed.Why, "was written by somebody else") || x.logins["db-old"] == nil {
		t.Error(st.Closed.Why, x.calls)
	}
}

// Whatever dies and whichever answer is lost: nobody is without, there and back, whether
// or not a note is kept beside what is not shown.
func TestWhatIsNotShownOutlivesEveryDeathAndEveryLostAnswer(t *testing.T) {
	for _, stamps := range []bool{false, true} {
		for _, back := range []bool{false, true} {
			for _, dies := range []bool{false, true} {
				for _, after := range []bool{false, true} {
					for at := 1; at <= 10; at++ {
						x := closed(t, stamps)
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
						want := rotation.Rotated
						if back {
							want = rotation.RolledBack
							x.spec.Verify, x.fails = []sop.Check{{URL: "https://app.test/works"}}, true
						}
						x.name = fmt.Sprintf("stamps %v, back %v, dies %v, after %v, at %d", stamps, back, dies, after, at)
						x.ends(want)
						if len(x.logins) != 1 {
							t.Errorf("%s: live %v, %v", x.name, x.logins, x.calls)
						}
					}
				}
			}
		}
	}
}

// A journal that was set back knows nothing of the write: what was written since it was
// observed is taken for perhaps ours, and written again, or given back.
func TestAJournalThatWasSetBackWritesWhatIsNotShownOnceMore(t *testing.T) {
	for _, back := range []bool{false, true} {
		x := closed(t, false)
		x.fault = func(op string, n int, after bool) error {
			if op == "app write" && n == 1 && after {
				panic(stage.Crash{})
			}
			return nil
		}
		if _, died := x.play(); !died {
			t.Fatal("it lives")
		}
		for i, e := range x.events { // the intent of the write is lost
			if e.Intent != nil && e.Intent.Steps[0] == "propagate app:x" {
				x.events = x.events[:i]
				break
			}
		}
		want := rotation.Rotated
		if back {
			want, x.fails = rotation.RolledBack, true
			x.spec.Verify = []sop.Check{{URL: "https://app.test/works"}}
			x.events = append(x.events, rotation.Event{At: x.clock.now, Run: "r1", Kind: rotation.KindAsked, Asked: &rotation.Asked{}})
		}
		x.ends(want)
	}
}
