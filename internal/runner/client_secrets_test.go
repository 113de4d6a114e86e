package runner_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

// clientSecrets are logins of machine identities, kept in Infisical itself and
// used by an app; by the third the vendor that issues it is reached.
var clientSecrets = []stage.Scenario{
	{Credential: stage.AppLogin, On: stage.NewClientSecrets},
	{Credential: stage.MetricsLogin, On: stage.NewClientSecrets},
	{Credential: stage.OwnLogin, On: stage.NewClientSecrets},
}

// TestClientSecretIsRotated: made, proven by a login, stored, propagated, the old
// one revoked and gone from the list; with the old one nobody logs in after that.
func TestClientSecretIsRotated(t *testing.T) {
	for _, sc := range clientSecrets {
		s := stage.NewClientSecrets(1, stage.Knobs)
		old := ""
		s.World.Look(func(w *sim.State) { old = w.Heroku.Apps[0].Releases[0].Vars[sc.Credential] })
		st := play(t, s, sc.Credential)
		ended(t, st, rotation.Rotated)
		judged(t, s, st)
		log := s.Log.Text()
		used := "the old one was last used"
		if sc.Credential == stage.MetricsLogin {
			used = "the issuer tells no last use of the old one" // known by its id, without a login
		}
		for _, want := range []string{used, "the new one: 200 by Infisical, an access token was given", "the old one: no live client secret is like it; that is by the list",
			"/client-secrets", "the issuer itself accepts it"} {
			if !strings.Contains(log, want) {
				t.Errorf("%s: the journal has no %q\n%s", sc.Credential, want, log)
			}
		}
		s.World.Look(func(w *sim.State) {
			for _, who := range w.Infisical.Identities {
				for _, c := range who.Secrets {
					if c.Value == old && (!c.Revoked || c.Uses > 2) {
						t.Errorf("%s: %d logins with the old one, revoked %v", sc.Credential, c.Uses, c.Revoked)
					}
				}
				if len(who.Failures) > 0 {
					t.Errorf("%s: %d failed logins", sc.Credential, len(who.Failures))
				}
			}
		})
		if n := count(s, "heroku", "PATCH"); n != 1 {
			t.Errorf("%d writes of config vars", n)
		}
	}
}

// TestEverySingleFaultOfAClientSecret gives every call every kind of fault. The
// judge: at every instant every process could log in, nobody was ever locked out
// by failed logins, and in the end exactly one client secret bears our name.
func TestEverySingleFaultOfAClientSecret(t *testing.T) {
	y := newTally(t, false)
	singles(t, y, clientSecrets, toRotate)
	y.done(0)
}

// TestPairsOfFaultsOfAClientSecret gives every pair of calls a pair of faults.
func TestPairsOfFaultsOfAClientSecret(t *testing.T) {
	y := newTally(t, true)
	pairsOf(y, clientSecrets, append(slices.Clone(pairKinds), stage.Late), 40)
	y.done(0.02)
}

// TestTheJudgeSeesClientSecrets: what breaks a promise here is found here.
func TestTheJudgeSeesClientSecrets(t *testing.T) {
	judgeSees(t, clientSecrets[0], map[string]broken{
		"consumers are never switched":     {drop(rotation.Propagate, rotation.Settle, rotation.Quiet), nil, "promise 1"},
		"old processes are not waited for": {drop(rotation.Quiet), nil, "promise 1"},
		"the old one is never revoked":     {drop(rotation.Delete, rotation.Confirm), nil, "promise 3"},
		"the store is left out":            {drop(rotation.Store), nil, "promise 3"},
		"nothing sweeps after a lost answer, and the new one is kept": {drop(rotation.Discard, rotation.Sweep),
			[]stage.Fault{{Call: callOn(t, clientSecrets[0], "POST", "/client-secrets"), Kind: stage.Applied}}, "promise 3"},
	})
}

// TestSecretByWhichTheStoreIsReachedIsRefused: after a crash nothing could read
// the store any more. The reason and the way out are told, nothing is touched.
func TestSecretByWhichTheStoreIsReachedIsRefused(t *testing.T) {
	s := stage.NewClientSecrets(1, stage.Knobs)
	s.World.Look(func(w *sim.State) { w.Infisical.Identities[1].Tokens = true })
	w := s.World.Env()
	s.Env = map[string]string{"INFISICAL_CLIENT_ID": w["RAXX_APP_CLIENT_ID"], "INFISICAL_CLIENT_SECRET": w["RAXX_APP_CLIENT_SECRET"]}
	before := see(s)
	st := play(t, s, stage.AppLogin)
	ended(t, st, rotation.RefusedRun, rotation.NotSeen, "is the client secret with which Rekey reaches the store", "of its own")
	judged(t, s, st)
	nothingWritten(t, s, before)
}

// TestSecretByWhichTheStoreIsReachedIsRefusedUnderAnyName: the same where another
// vendor of rekey.yaml issues it. Identities are compared, not names.
func TestSecretByWhichTheStoreIsReachedIsRefusedUnderAnyName(t *testing.T) {
	s := stage.NewClientSecrets(1, stage.Knobs)
	w := s.World.Env()
	s.Env = map[string]string{"INFISICAL_CLIENT_ID": w["RAXX_OPS_CLIENT_ID"], "INFISICAL_CLIENT_SECRET": w["RAXX_OPS_CLIENT_SECRET"]}
	before := see(s)
	st := play(t, s, stage.OwnLogin)
	ended(t, st, rotation.RefusedRun, rotation.NotSeen, "is the client secret with which Rekey reaches the store (vendors.infisical.client_secret)", "of its own")
	judged(t, s, st)
	nothingWritten(t, s, before)
}

// TestOwnClientSecretGoesOnWithTheNewOne: the one that the issuer is reached by is
// revoked by the new one, and the plan says what still names the old one.
func TestOwnClientSecretGoesOnWithTheNewOne(t *testing.T) {
	s := stage.NewClientSecrets(1, stage.Knobs)
	st := play(t, s, stage.OwnLogin)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	if notes := strings.Join(st.Plan.Notes, "\n"); !strings.Contains(notes, "the credential with which Rekey reaches ops") || !strings.Contains(notes, "whatever vendors.ops names still holds the old one") {
		t.Errorf("the plan does not say so: %s", notes)
	}
	s.World.Look(func(w *sim.State) {
		for _, who := range w.Infisical.Identities {
			if n := len(who.Secrets); n == 2 && who.Secrets[1].Uses < 2 {
				t.Errorf("nobody but the proof logged in with the new one: %d", who.Secrets[1].Uses)
			}
		}
	})
}

// TestSomebodyStillLogsInWithTheOldOne: a user that is not registered shows in the
// last login; the old one is not revoked while that goes on.
func TestSomebodyStillLogsInWithTheOldOne(t *testing.T) {
	s := stage.NewClientSecrets(1, stage.Knobs)
	behind := s.World
	whenever(s, kind{"GET", "/client-secrets"}, func(_ int, _ *http.Request, pass send) (*http.Response, error) {
		behind.Look(func(w *sim.State) {
			for _, who := range w.Infisical.Identities {
				if c := who.Secrets[0]; strings.HasPrefix(c.Description, "raxx-app-") && !c.Revoked {
					c.Uses, c.Updated = c.Uses+1, w.At.Add(-time.Millisecond)
				}
			}
		})
		return pass()
	})
	st := play(t, s, stage.AppLogin)
	ended(t, st, rotation.RolledBack, "something unregistered still holds it")
	judged(t, s, st)
}

// TestQuietCountsWhoOnlyHoldsAnAccessToken: somebody who is not registered logs in
// every two minutes and works with the access token in between. Where tokens live no
// longer than the run can wait, their end is waited for, and whoever goes on shows;
// where they live longer, it is said that this could not be seen.
func TestQuietCountsWhoOnlyHoldsAnAccessToken(t *testing.T) {
	const life = 2 * time.Minute
	short := func(w *sim.State, who *sim.Identity) { who.TTL, who.MaxTTL = sim.Duration(life), sim.Duration(life) }
	app := func(w *sim.State, do func(*sim.State, *sim.Identity)) {
		for _, who := range w.Infisical.Identities {
			if strings.HasPrefix(who.Secrets[0].Description, "raxx-app-") {
				do(w, who)
			}
		}
	}
	for _, somebody := range []bool{false, true} {
		s := stage.NewClientSecrets(1, stage.Knobs)
		s.World.Look(func(w *sim.State) { app(w, short) })
		behind := s.World
		whenever(s, kind{"GET", "/client-secrets"}, func(_ int, _ *http.Request, pass send) (*http.Response, error) {
			behind.Look(func(w *sim.State) {
				app(w, func(w *sim.State, who *sim.Identity) {
					if c := who.Secrets[0]; somebody && !c.Revoked && w.At.Sub(c.Updated) >= life {
						c.Uses, c.Updated = c.Uses+1, w.At.Add(-time.Millisecond)
					}
				})
			})
			return pass()
		})
		st := play(t, s, stage.AppLogin)
		judged(t, s, st)
		if !somebody {
			ended(t, st, rotation.Rotated)
			if !strings.Contains(s.Log.Text(), "may be in use without showing for another") {
				t.Error("the end of its access tokens was not waited for")
			}
			continue
		}
		ended(t, st, rotation.RolledBack)
	}
	s := stage.NewClientSecrets(1, stage.Knobs)
	st := play(t, s, stage.AppLogin)
	ended(t, st, rotation.Rotated)
	if !strings.Contains(s.Log.Text(), "not seen: whether somebody works on with an access token that came from it") {
		t.Error("that holders of an access token could not be seen is not said")
	}
}

// TestDeadClientSecretIsNeverTried: what the store holds was revoked by somebody;
// that shows in the list, so no login is spent on it.
func TestDeadClientSecretIsNeverTried(t *testing.T) {
	for _, credential := range []string{stage.AppLogin, stage.MetricsLogin} {
		s := stage.NewClientSecrets(1, stage.Knobs)
		s.World.Look(func(w *sim.State) {
			for _, who := range w.Infisical.Identities {
				if c := who.Secrets[0]; strings.HasPrefix(c.Description, "raxx-") {
					c.Revoked = true
					who.Secrets = append(who.Secrets, &sim.ClientSecret{ID: "another", Value: strings.Repeat("0123456789abcdef", 4), Description: "another"})
				}
			}
		})
		before := see(s)
		st := play(t, s, credential)
		ended(t, st, rotation.RefusedRun, rotation.NotIssued)
		same(t, before, see(s))
		s.World.Look(func(w *sim.State) {
			for _, who := range w.Infisical.Identities {
				if len(who.Failures) > 0 || who.Locks > 0 {
					t.Errorf("%s: a login was tried with a dead secret", credential)
				}
			}
		})
	}
}

// TestPlanTellsWhatRevokingEndsBesides: access tokens end with their client secret.
func TestPlanTellsWhatRevokingEndsBesides(t *testing.T) {
	s := stage.NewClientSecrets(1, stage.Knobs)
	seen, err := s.Look(stage.AppLogin)
	all := strings.Join(seen.Advice, "\n")
	if err != nil || !strings.Contains(all, "ends its access tokens at once") || !strings.Contains(all, "live for up to 30 days after their login") || !strings.Contains(all, "logins with the one in use so far") {
		t.Errorf("%s %v", all, err)
	}
}

// TestRandomFaultsOfAClientSecret plays it in worlds of every kind.
func TestRandomFaultsOfAClientSecret(t *testing.T) {
	n := min(*schedules, 100)
	if raceEnabled || testing.Short() {
		n = min(n, 60)
	}
	t.Logf("ONLY %d SCHEDULES", n)
	y := newTally(t, true)
	workers(func(work chan<- func()) {
		for i := range int64(n) {
			seed := *seedFlag + i
			sc := randomScenario(seed)
			of := clientSecrets[i%int64(len(clientSecrets))]
			sc.Credential, sc.On = of.Credential, of.On
			sc.Strategy, sc.Everyone = "", false
			work <- func() { y.add(sc.Run(seed)) }
		}
	})
	y.done(0.10)
}

// TestClientSecretIsRehearsedAndRevoked: the other purposes, with every fault at
// every call.
func TestClientSecretIsRehearsedAndRevoked(t *testing.T) {
	y := newTally(t, false)
	want := map[sop.Purpose]rotation.Ending{sop.ToRehearse: rotation.Rehearsed, sop.ToDelete: rotation.Revoked}
	var scenarios []stage.Scenario
	for purpose := range want {
		sc := clientSecrets[0]
		sc.Purpose = purpose
		scenarios = append(scenarios, sc)
	}
	singles(t, y, scenarios, func(sc stage.Scenario) rotation.Ending { return want[sc.Purpose] })
	y.done(0)
}
