package runner_test

import (
	"slices"
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

// authorizations are Heroku's own tokens, kept in Infisical and used by an app:
// one by its token alone, one with its id beside it.
var authorizations = []stage.Scenario{
	{Credential: stage.DeployToken, On: stage.NewAuthorizations},
	{Credential: stage.MetricsToken, On: stage.NewAuthorizations},
}

// TestAuthorizationIsRotated: made, proven by Heroku itself, stored, propagated,
// the old one revoked and refused.
func TestAuthorizationIsRotated(t *testing.T) {
	for _, sc := range authorizations {
		s := stage.NewAuthorizations(1, stage.Knobs)
		st := play(t, s, sc.Credential)
		ended(t, st, rotation.Rotated)
		judged(t, s, st)
		log := s.Log.Text()
		for _, want := range []string{"the new one: 200 by Heroku", "the old one: 401 by Heroku", "POST /oauth/authorizations", "DELETE /oauth/authorizations/", "the issuer itself accepts it"} {
			if !strings.Contains(log, want) {
				t.Errorf("%s: the journal has no %q", sc.Credential, want)
			}
		}
		s.World.Look(func(w *sim.State) {
			made := w.Heroku.Authorizations[len(w.Heroku.Authorizations)-1]
			if len(w.Heroku.Revoked) != 1 || made.ExpiresAt.IsZero() || strings.Join(made.Scope, " ") != "identity read-protected" {
				t.Errorf("%d revoked, made %+v", len(w.Heroku.Revoked), made)
			}
		})
		if n := count(s, "heroku", "PATCH"); n != 1 {
			t.Errorf("%d writes of config vars", n)
		}
	}
}

// TestEverySingleFaultOfAnAuthorization gives every call every kind of fault. The
// judge: at every instant every process holds a live token, at the end exactly
// one authorization bears our name, and store and app hold it.
func TestEverySingleFaultOfAnAuthorization(t *testing.T) {
	y := newTally(t, false)
	singles(t, y, authorizations, toRotate)
	y.done(0)
}

// TestPairsOfFaultsOfAnAuthorization gives every pair of calls a pair of faults.
func TestPairsOfFaultsOfAnAuthorization(t *testing.T) {
	y := newTally(t, true)
	pairsOf(y, authorizations, append(slices.Clone(pairKinds), stage.Late), 80)
	y.done(0.02)
}

// TestTheJudgeSeesAuthorizations: what breaks a promise here is found here.
func TestTheJudgeSeesAuthorizations(t *testing.T) {
	judgeSees(t, authorizations[0], map[string]broken{
		"consumers are never switched":     {drop(rotation.Propagate, rotation.Settle, rotation.Pause), nil, "promise 1"},
		"old processes are not waited for": {drop(rotation.Pause), nil, "promise 1"},
		"the old one is never revoked":     {drop(rotation.Delete, rotation.Confirm), nil, "promise 3"},
		"the store is left out":            {drop(rotation.Store), nil, "promise 3"},
		"nothing sweeps after a lost answer, and the new one is kept": {drop(rotation.Discard, rotation.Sweep),
			[]stage.Fault{{Call: callOn(t, authorizations[0], "POST", "/oauth/authorizations"), Kind: stage.Applied}}, "promise 3"},
	})
}

// TestRekeysOwnTokenIsRefused: the run would end what it needs to finish. The
// reason and the way out are told, and nothing is touched.
func TestRekeysOwnTokenIsRefused(t *testing.T) {
	s := stage.NewAuthorizations(1, stage.Knobs)
	token := ""
	s.World.Look(func(w *sim.State) {
		for _, a := range w.Heroku.Authorizations {
			if strings.HasPrefix(a.Description, "raxx-deploy-") {
				a.Scope, token = []string{"global"}, a.Token
			}
		}
	})
	s.Env = map[string]string{"HEROKU_API_KEY": token}
	st := play(t, s, stage.DeployToken)
	ended(t, st, rotation.RefusedRun, rotation.NotSeen, "is the token that Rekey itself uses", "heroku authorizations:create")
	judged(t, s, st)
}

// TestResumedAuthorizationFindsItsToken: the process dies after the store was
// written; the next one has the token from there, without the optional id.
func TestResumedAuthorizationFindsItsToken(t *testing.T) {
	for _, sc := range authorizations {
		sc.Faults = []stage.Fault{{Call: callOn(t, sc, "PATCH", "/config-vars"), Kind: stage.CrashBefore}}
		v := sc.Run(1)
		if v.Ending != string(rotation.Rotated) || len(v.Broken) > 0 || v.Err != nil {
			t.Errorf("%s: %q %v %v", sc.Credential, v.Ending, v.Broken, v.Err)
		}
	}
}

// TestForgottenAuthorization: the token in the store is of none that is listed.
func TestForgottenAuthorization(t *testing.T) {
	s := stage.NewAuthorizations(1, stage.Knobs)
	s.World.Look(func(w *sim.State) {
		for _, a := range w.Heroku.Authorizations {
			if strings.HasPrefix(a.Description, "raxx-deploy-") {
				a.Token = "HRKU-ffffffffffffffff-simulated-ffffffffffff"
			}
		}
	})
	before := see(s)
	st := play(t, s, stage.DeployToken)
	ended(t, st, rotation.RefusedRun, rotation.NotIssued)
	same(t, before, see(s))
	if strings.Contains(s.Log.Text(), "HRKU-") {
		t.Error("a token stands in the journal")
	}
}

// TestRandomFaultsOfAnAuthorization plays it in worlds of every kind.
func TestRandomFaultsOfAnAuthorization(t *testing.T) {
	n := min(*schedules, 100)
	if raceEnabled || testing.Short() {
		n = min(n, 100)
	}
	t.Logf("ONLY %d SCHEDULES", n)
	y := newTally(t, true)
	workers(func(work chan<- func()) {
		for i := range int64(n) {
			seed := *seedFlag + i
			sc := randomScenario(seed)
			sc.Credential, sc.On = authorizations[i%2].Credential, authorizations[i%2].On
			sc.Strategy, sc.Everyone = "", false
			work <- func() { y.add(sc.Run(seed)) }
		}
	})
	y.done(0.10)
}
