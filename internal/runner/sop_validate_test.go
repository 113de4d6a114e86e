package runner_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

// lateEdge makes the edge learn of every change so much later.
func lateEdge(s *stage.Stage, by time.Duration) {
	s.World.Turn(func(k *sim.Knobs) { k.EdgeDelay = sim.Duration(by) })
}

// refuse makes every application turn people away with this status.
func refuse(s *stage.Stage, status int) {
	s.World.Look(func(w *sim.State) {
		for _, a := range w.Cloudflare.Apps {
			a.Refuse = status
		}
		for i := range w.Edge.Known.Apps {
			w.Edge.Known.Apps[i].Refuse = status
		}
	})
}

// By hand the status is printed and compared by nobody: on a 403 the run goes on.
// Instead a new token that does not get in is stored nowhere, and taken away.
func TestT12NewTokenIsTurnedAway(t *testing.T) {
	for _, status := range []int{403, 401, 302} {
		s := stage.New(1, stage.Knobs)
		lateEdge(s, time.Hour)
		refuse(s, status)
		before := see(s)
		st := play(t, s, console)
		ended(t, st, rotation.RolledBack, "validate: https://console.raxx.app/health accepts it: not within 2m0s", "denied (")
		judged(t, s, st)
		sameValues(t, before, see(s))
		if n := count(s, "infisical", "PATCH") + count(s, "heroku", "PATCH"); n != 0 {
			t.Errorf("%d writes of a token that does not get in", n)
		}
	}
}

// By hand a public /health answers 200 to null:null. Instead the place is asked
// without any and with a made-up credential first, and an open one ends the run
// before anything is made.
func TestT13OpenDoorProvesNothing(t *testing.T) {
	everybody := func(_ int, req *http.Request, _ send) (*http.Response, error) {
		return says(req, 200, "application/json", `{"ok":true}`)
	}
	for name, open := range map[string]func(s *stage.Stage){
		"no application guards it": func(s *stage.Stage) {
			s.World.Look(func(w *sim.State) {
				w.Cloudflare.Apps[0].Domain, w.Edge.Known.Apps[0].Domain = "console.raxx.app/admin", "console.raxx.app/admin"
			})
		},
		"a bypass policy": func(s *stage.Stage) { whenever(s, probes, everybody) },
	} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(1, stage.Knobs)
			open(s)
			before := see(s)
			st := play(t, s, console)
			ended(t, st, rotation.RefusedRun, "open-door", "https://console.raxx.app/health answers without any credential: nothing protects it, so it proves nothing")
			judged(t, s, st)
			nothingWritten(t, s, before)
		})
	}
	t.Run("only a made-up one is let in", func(t *testing.T) {
		s := stage.New(1, stage.Knobs)
		before := see(s)
		whenever(s, probes, func(n int, req *http.Request, pass send) (*http.Response, error) {
			if req.Header.Get("CF-Access-Client-Id") != "" {
				return everybody(n, req, pass)
			}
			return pass()
		})
		st := play(t, s, console)
		ended(t, st, rotation.RefusedRun, "open-door", "accepts a made-up credential")
		judged(t, s, st)
		nothingWritten(t, s, before)
	})
}

// By hand one shot decides: a right token gets 403 for a moment, and a redirect
// to a login page passes for an answer. Instead the gate is asked until it knows
// the token, for a bounded time, and a redirect to the login is a refusal.
func TestT14EdgeLearnsLate(t *testing.T) {
	for _, status := range []int{403, 302} {
		s := stage.New(1, stage.Knobs)
		lateEdge(s, 20*time.Second)
		refuse(s, status)
		asked := 0
		whenever(s, probes, func(_ int, _ *http.Request, pass send) (*http.Response, error) { asked++; return pass() })
		st := play(t, s, console)
		ended(t, st, rotation.Rotated)
		judged(t, s, st)
		if asked < 6 {
			t.Errorf("the gate was asked only %d times", asked)
		}
	}
	s := stage.New(1, stage.Knobs)
	whenever(s, probes, func(_ int, req *http.Request, pass send) (*http.Response, error) {
		resp, err := pass()
		if err == nil && resp.StatusCode == http.StatusOK {
			resp, err = says(req, http.StatusFound, "text/html", "")
			resp.Header.Set("Location", "https://raxx.example.com/sign-in")
		}
		return resp, err
	})
	st := play(t, s, console)
	ended(t, st, rotation.RolledBack, "unclear (302, which is neither the expected 200 nor a refusal by Access)")
	judged(t, s, st)
}

// By hand a new token is in no policy until somebody adds it, and the deleted one
// stays named there. Instead every policy and group that names the old one names
// the new one before it is used, the old one no more before it is deleted, and
// all else in them stays as it is; going back takes the new one out again.
func TestT15AdmissionMovesAlong(t *testing.T) {
	for name, place := range map[string]string{console: `"console service auth"`, vault: `"vault probes"`} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(1, stage.Knobs)
			before := see(s)
			after(s, storeWrites, 1, func(w *sim.State) {
				made := w.Cloudflare.Tokens[len(w.Cloudflare.Tokens)-1]
				if rules := rulesOf(w, place); !strings.Contains(rules, made.ID) {
					t.Errorf("when it is stored, %s is %s", place, rules)
				}
			})
			whenever(s, deletes, func(_ int, req *http.Request, pass send) (*http.Response, error) {
				s.World.Look(func(w *sim.State) {
					if gone := req.URL.Path[strings.LastIndex(req.URL.Path, "/")+1:]; strings.Contains(rulesOf(w, place), gone) {
						t.Errorf("%s is deleted while %s names it", gone, place)
					}
				})
				return pass()
			})
			st := play(t, s, name)
			ended(t, st, rotation.Rotated)
			judged(t, s, st)
			now := see(s)
			for other, was := range before.Rules {
				want := was
				if other == place {
					want = strings.ReplaceAll(was, st.Plan.Old.ID, st.Made.Handle.ID)
				}
				if now.Rules[other] != want {
					t.Errorf("%s\nis   %s\nwant %s", other, now.Rules[other], want)
				}
			}

			s = stage.New(1, stage.Knobs)
			before = see(s)
			s.World.Inject(sim.Fault{Vendor: "heroku", Endpoint: "PATCH", Status: 422})
			st = play(t, s, name)
			ended(t, st, rotation.RolledBack, "deploy to heroku:raxx-console-prod")
			judged(t, s, st)
			sameValues(t, before, see(s))
		})
	}
}

// rulesOf is whom a policy or group names.
func rulesOf(w *sim.State, place string) string {
	for _, list := range [][]sim.Rules{w.Cloudflare.Policies, w.Cloudflare.Groups} {
		for _, r := range list {
			if string(r["name"]) == place {
				return string(r["include"])
			}
		}
	}
	return ""
}

// TestT15EditsOfOthersStay: a PUT replaces the whole policy, so what somebody
// added between the observation and our write must be in it, going forward and back.
func TestT15EditsOfOthersStay(t *testing.T) {
	for _, fails := range []bool{false, true} {
		s := stage.New(1, stage.Knobs)
		after(s, creates, 1, func(w *sim.State) {
			r := w.Cloudflare.Policies[0]
			r["include"] = json.RawMessage(strings.TrimSuffix(string(r["include"]), "]") + `,{"email":{"email":"new@raxx.app"}}]`)
			r["updated_at"] = json.RawMessage(`"2026-11-23T09:00:01Z"`)
		})
		want := rotation.Rotated
		if fails {
			want = rotation.RolledBack
			s.World.Inject(sim.Fault{Vendor: "heroku", Endpoint: "PATCH", Status: 422})
		}
		st := play(t, s, console)
		ended(t, st, want)
		judged(t, s, st)
		if rules := see(s).Rules[`"console service auth"`]; !strings.Contains(rules, "new@raxx.app") {
			t.Errorf("%s: somebody else's edit is lost: %s", want, rules)
		}
	}
}
