package reference_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/stage"
	"rekey/internal/stage/reference"
)

// forgotten plays a run up to the creation, whose journal then knows only that it was
// opened, and lets the next process meet the fault at its n-th call. expect: the run
// carries out a reviewed plan.
func forgotten(t *testing.T, v variation, at int, kind stage.Kind, n int, expect string) (*reference.Triple, *rotation.State) {
	t.Helper()
	x := reference.New(1, v.can, scenario{variation: v}.rough())
	x.Arrange(stage.Fault{Call: at, Kind: stage.CrashAfter}, stage.Fault{Call: at + n, Kind: kind})
	if err := x.Open(reference.Credential, "test01"); err != nil {
		t.Fatal(err)
	}
	if expect != "" {
		events, err := x.Log.Events()
		if err != nil {
			t.Fatal(err)
		}
		events[0].Opened.Expect = expect
		x.Log.Lines = nil
		if err := x.Log.Append(context.Background(), events...); err != nil {
			t.Fatal(err)
		}
	}
	if _, crashed, err := x.Process(); !crashed || err != nil {
		t.Fatalf("it was to die at the creation: %v", err)
	}
	x.LoseTail(1000)
	result, err := x.Resume()
	if err != nil {
		t.Fatal(err)
	}
	return x, result.State
}

// TestARefusalTellsWhatTheJournalForgot: a run whose journal was set back to its very
// beginning, and which does not go on, for whatever reason, names what it had made and
// what lives on; or it says that nobody knows.
func TestARefusalTellsWhatTheJournalForgot(t *testing.T) {
	for _, name := range []string{"everything", "secrets that we make", "with everything that can be asked"} {
		v := the(t, name)
		at := callOf(t, v.can, "issuer", "create")
		alone, _ := scenario{variation: v}.run()
		ways, named, unknown := map[string]int{}, 0, 0
		for n := 1; n <= alone.Looked; n++ {
			for _, kind := range []stage.Kind{stage.RefusedForEver, stage.NotThere, stage.Refused, stage.Applied400} {
				_, st := forgotten(t, v, at, kind, n, "")
				if st.Closed == nil || st.Closed.Ending != rotation.RefusedRun {
					continue // it went on, and cleaned up: the pairs of faults judge that
				}
				told := ""
				for _, r := range st.Closed.Refusals {
					told += fmt.Sprintf("%s: %s\n", r.Code, r.What)
					ways[r.Code]++
				}
				switch {
				case strings.Contains(told, "ours-2026-11-23-test01-1"):
					named++
				case strings.Contains(told, rotation.MadeNotSeen):
					unknown++
				default:
					t.Errorf("%s: %s at look %d: refused because of %q, and what lives on is not told:\n%s", name, kind, n, st.Closed.Why, told)
				}
			}
		}
		t.Logf("%s: %v, %d named, %d not seen", name, ways, named, unknown)
		if named == 0 || unknown == 0 {
			t.Errorf("%s: named %d times and not seen %d times: it looked at nothing", name, named, unknown)
		}
	}
}

// TestAChangedPlanTellsWhatTheJournalForgot: the reason may be as well that the plan
// which was reviewed does not come out any more.
func TestAChangedPlanTellsWhatTheJournalForgot(t *testing.T) {
	v := the(t, "everything")
	digest := ""
	x := reference.New(1, v.can, scenario{variation: v}.rough())
	x.Log.Watch = func(e rotation.Event) {
		if e.Planned != nil {
			digest = e.Planned.Digest()
		}
	}
	if _, err := x.Play(reference.Credential); err != nil {
		t.Fatal(err)
	}
	_, st := forgotten(t, v, callOf(t, v.can, "issuer", "create"), stage.Limited, 10_000, digest)
	told := fmt.Sprint(st.Closed)
	if st.Closed == nil || st.Closed.Ending != rotation.RefusedRun || !strings.Contains(told, "the plan comes out differently now") || !strings.Contains(told, "ours-2026-11-23-test01-1") {
		t.Errorf("%s", told)
	}
}

// TestWhatMayNotBeReadIsNoFact: that we may not read the history of a store says
// nothing of whether it has one.
func TestWhatMayNotBeReadIsNoFact(t *testing.T) {
	v := the(t, "everything")
	for kind, want := range map[stage.Kind]string{stage.Refused: rotation.NotSeen, stage.NotThere: rotation.NoHistory} {
		verdict, x := scenario{variation: v, faults: []stage.Fault{{Call: callOf(t, v.can, "store", "read history"), Kind: kind}}}.run()
		log := x.Log.Text()
		if verdict.Ending != string(rotation.RefusedRun) || !strings.Contains(log, `"code":"`+want) || want != rotation.NoHistory && strings.Contains(log, "cannot give back") {
			t.Errorf("%s: %q\n%s", kind, verdict.Ending, log)
		}
	}
}

// TestANoteBesideAValueTellsWhoseItIs: a journal that was set back has forgotten what its
// run wrote, and a store that is written piece by piece then holds some of this and some of
// that. Where what is noted beside a value is told with it, a run that goes back knows its
// own values again and leaves none of them there; where it is not, it says what is left.
func TestANoteBesideAValueTellsWhoseItIs(t *testing.T) {
	left, played := map[string]int{}, 0
	for _, name := range []string{"a store written piece by piece", "a store written piece by piece, with notes"} {
		v := the(t, name)
		write := nth(t, v, 1, "store", "write")
		for at := write - 1; at <= write+6; at++ {
			for after := at + 1; after <= at+12; after++ {
				for _, kind := range []stage.Kind{stage.Refused, stage.Applied400, stage.SetBack} {
					verdict, x := scenario{variation: v, faults: []stage.Fault{{Call: at, Kind: stage.SetBack}, {Call: after, Kind: kind}}}.run()
					played++
					if verdict.Err != nil || len(verdict.Broken) > 0 || verdict.Ending == "stuck" && !verdict.Healed {
						t.Errorf("%s: set back at %d, %s at %d: %q %v %v", name, at, kind, after, verdict.Ending, verdict.Broken, verdict.Err)
					}
					if log := x.Log.Text(); verdict.Ending == string(rotation.RolledBack) && (strings.Contains(log, "left alone") || strings.Contains(log, "is given back what somebody else wrote")) {
						left[name]++
					}
				}
			}
		}
	}
	t.Logf("%d played, taken for somebody else's: %v", played, left)
	if left["a store written piece by piece, with notes"] > 0 || left["a store written piece by piece"] == 0 {
		t.Errorf("its own values are taken for somebody else's: %v", left)
	}
}

// the is the variation of that name.
func the(t *testing.T, name string) variation {
	t.Helper()
	for _, v := range variations {
		if v.name == name {
			return v
		}
	}
	t.Fatalf("there is no variation %q", name)
	return variation{}
}
