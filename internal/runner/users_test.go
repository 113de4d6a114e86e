package runner_test

import (
	"strings"
	"testing"

	"rekey/internal/provider"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

func watched(t *testing.T) *triple {
	x := newTriple(t)
	x.issuer, x.can.Users = watching{maker{logins{x}}}, true
	x.users["db-old"] = []provider.User{{Name: "nightly report", From: "10.0.0.7", Count: 3}, {From: "10.0.0.9", Count: 1}}
	return x
}

// The old one is not ended while somebody is seen to use it, and who that is is said.
func TestWhoUsesTheOldOneIsSaidByNameAndKeepsItFromBeingEnded(t *testing.T) {
	x := watched(t)
	st := x.ends(rotation.RolledBack)
	if want := "the old one is in use: nightly report at 10.0.0.7 (3 sessions), somebody without a name at 10.0.0.9"; !strings.Contains(st.Closed.Why, want) {
		t.Error(st.Closed.Why)
	}
	if x.logins["db-old"] == nil || len(x.logins) != 1 {
		t.Error(x.logins)
	}
}

// One look that sees nobody is not enough: it is looked for as long as the plan wants.
func TestNobodyIsSeenForAWhileBeforeTheOldOneIsEnded(t *testing.T) {
	x := watched(t)
	delete(x.users, "db-old")
	x.ends(rotation.Rotated)
	if told := x.told("quiet"); x.count["users"] < 2 || !strings.Contains(told, "was asked for 1") || !strings.Contains(told, "saw nobody") {
		t.Error(x.count, told)
	}
}

// A check and the plan of an emergency name them, too.
func TestACheckAndAnEmergencyNameWhoUsesIt(t *testing.T) {
	x := watched(t)
	r := x.runner()
	seen, err := r.Observe(t.Context(), x.spec)
	if err != nil {
		t.Fatal(err)
	}
	r.Advise(t.Context(), x.spec, &seen)
	if told := report.Check(x.spec, seen, nil, nil, nil, report.Style{}, x.clock.now); !strings.Contains(told, "it is in use now by nightly report at 10.0.0.7") {
		t.Error(told)
	}
	x.spec.Purpose = sop.ToDelete
	seen, err = x.runner().Observe(t.Context(), x.spec)
	if err != nil {
		t.Fatal(err)
	}
	plan, refused := rotation.Compile(x.spec, seen, x.can, "r2")
	if told := strings.Join(plan.Notes, "\n"); refused != nil || !strings.Contains(told, "nightly report at 10.0.0.7 (3 sessions) uses it now, and goes without") {
		t.Error(refused, told)
	}
}

// What will fail at the end is told before anything is made, every reason of it; what
// may fail stands in the plan.
func TestWhatWillFailAtTheEndStopsARunAtItsStart(t *testing.T) {
	x := watched(t)
	delete(x.users, "db-old")
	x.end = provider.Foreseen{Refused: []string{"rekey may not drop db-old", "db-old owns 3 tables"}, Told: []string{"it may take long"}}
	st := x.ends(rotation.RefusedRun)
	if len(st.Closed.Refusals) != 2 || st.Closed.Refusals[1].Code != rotation.EndRefused || len(x.calls) != 0 {
		t.Errorf("%+v, %v", st.Closed.Refusals, x.calls)
	}
	x = watched(t)
	delete(x.users, "db-old")
	x.end = provider.Foreseen{Told: []string{"it may take long"}}
	if st := x.ends(rotation.Rotated); !strings.Contains(strings.Join(st.Plan.Notes, "\n"), "it may take long") {
		t.Error(st.Plan.Notes)
	}
}

// A check that works with the credential is given the one in use before the run, and
// the new one after the switch.
func TestACheckIsGivenTheCredentialOnItsStandardInput(t *testing.T) {
	x := newTriple(t)
	x.spec.Verify = []sop.Check{{Command: []string{"works"}, Stdin: "{user|sh} {password}"}}
	st := x.ends(rotation.Rotated)
	if len(x.given) < 2 || x.given[0] != "'db-old' first" || x.given[1] != "'db-r1-1' made-1" || st.Plan.Seen.Checks[0].URL != "the command works" {
		t.Errorf("%q, %+v", x.given, st.Plan.Seen.Checks)
	}
}
