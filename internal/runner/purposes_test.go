package runner_test

import (
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

var purposes = []stage.Scenario{
	{Credential: vault, Purpose: sop.ToRehearse},
	{Credential: vault, Purpose: sop.ToRevoke},
	{Credential: vault, Purpose: sop.ToDelete},
	{Credential: console, Purpose: sop.ToDelete},
}

// TestPurposesUnderEverySingleFault: a rehearsal cleans up whatever happens, and
// touches nothing real; an emergency says revoked only when it is.
func TestPurposesUnderEverySingleFault(t *testing.T) {
	y := newTally(t, false)
	want := map[sop.Purpose]rotation.Ending{sop.ToRehearse: rotation.Rehearsed, sop.ToRevoke: rotation.Revoked, sop.ToDelete: rotation.Revoked}
	singles(t, y, purposes, func(sc stage.Scenario) rotation.Ending { return want[sc.Purpose] })
	y.done(0)
}

// TestPurposesUnderPairs gives them every two faults.
func TestPurposesUnderPairs(t *testing.T) {
	y := newTally(t, true)
	pairsOf(y, purposes, pairKinds, 40)
	y.done(0.02)
}

// TestRevokeThenRotate: after an emergency the consumers have lost access; the next run
// gives them a new credential, and without the flag it says which flag.
func TestRevokeThenRotate(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	v := stage.Scenario{Credential: console, Purpose: sop.ToRevoke}
	s.Purpose(v.Purpose)
	st := play(t, s, console)
	ended(t, st, rotation.Revoked)
	judged(t, s, st)
	if live := liveToken(t, s, "raxx-console-svc-"); live.Enabled {
		t.Error("it still works")
	}
	s.Purpose("")
	ended(t, next(t, s, console, "test02"), rotation.RefusedRun, "is switched off", "--after-revoke")
	s.Purpose(sop.AfterRevoke)
	st = next(t, s, console, "test03")
	ended(t, st, rotation.Rotated)
	now := liveToken(t, s, "raxx-console-svc-")
	if !now.Enabled || see(s).Vars[app][console] != pair(now) || see(s).Slots[formerConsole] != now.Secret {
		t.Error("the consumers did not get the new one")
	}
}

// TestRevokeWithoutSight: in an emergency nothing waits for what is not needed; and
// where it is not clear which one is meant, it asks for its name.
func TestRevokeWithoutSight(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.World.Inject(sim.Fault{Vendor: "heroku", Status: 503, Times: -1}, sim.Fault{Vendor: "edge", Status: 503, Times: -1})
	s.Purpose(sop.ToRevoke)
	st := play(t, s, console)
	if st.Plan == nil || !strings.Contains(strings.Join(st.Plan.Notes, "\n"), "heroku:raxx-console-prod may lose access: it could not be asked") {
		t.Errorf("who loses access is not told: %+v", st.Plan)
	}
	if live := liveToken(t, s, "raxx-console-svc-"); live.Enabled {
		t.Error("it still works")
	}
	s = stage.New(1, stage.Knobs)
	s.World.Inject(sim.Fault{Vendor: "infisical", Status: 503, Times: -1})
	s.Purpose(sop.ToRevoke)
	st = play(t, s, console)
	ended(t, st, rotation.RefusedRun, "which one is in use could not be seen", "--generation NAME", "raxx-console-svc-2026-08-23")
	s.Target("raxx-console-svc-2026-08-23")
	st = next(t, s, console, "test02")
	ended(t, st, rotation.Revoked)
	if live := liveToken(t, s, "raxx-console-svc-"); live.Enabled {
		t.Error("it still works")
	}
}

// TestRehearsalWithoutASandbox says what was not rehearsed, and refuses a folder
// that is not empty.
func TestRehearsalWithoutASandbox(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.Config = config(t, "      validate:                           # a sandbox whose rules accept any valid token\n        - url: https://sandbox.raxx.app/health\n", "")
	s.Purpose(sop.ToRehearse)
	st := play(t, s, console)
	ended(t, st, rotation.Rehearsed)
	judged(t, s, st)
	if !strings.Contains(strings.Join(st.Plan.Notes, "\n"), "no protected address is rehearsed") {
		t.Errorf("it is not told: %v", st.Plan.Notes)
	}
	s = stage.New(1, stage.Knobs)
	s.Config = config(t, "        path: /rekey-rehearsal/\n", "        path: /MooseQuest/\n")
	s.Purpose(sop.ToRehearse)
	s.World.Look(func(w *sim.State) {
		x := *w.Infisical.Secrets[0]
		x.ID, x.Path, x.Key = "00000000-0000-4000-8000-0000000000ff", "/MooseQuest", console
		w.Infisical.Secrets = append(w.Infisical.Secrets, &x)
	})
	ended(t, play(t, s, console), rotation.RefusedRun, "is not empty: it holds "+console)
}
