package runner_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

// The tests of this file hold promises against a world that is not polite. Each is
// named after the promise and tries several inputs of its kind.

// rough is a stage whose edge learns late and whose vendors' clocks differ from ours.
func rough(n int) *stage.Stage { return stage.New(1, stage.Rough(n)) }

// whileOff calls f at the first look at the app's processes after the old one was
// switched off.
func whileOff(s *stage.Stage, f func()) {
	off, done := false, false
	whenever(s, switches, func(_ int, _ *http.Request, pass send) (*http.Response, error) { off = true; return pass() })
	whenever(s, kind{"GET", "/dynos"}, func(_ int, _ *http.Request, pass send) (*http.Response, error) {
		if off && !done {
			done = true
			f()
		}
		return pass()
	})
}

// TestNobodyIsGivenTheOldOneBeforeTheGateLetsItIn: a person goes back while the old one
// is switched off; the edge learns of it seconds after it was switched on again.
func TestNobodyIsGivenTheOldOneBeforeTheGateLetsItIn(t *testing.T) {
	for n := range 2 {
		s := rough(n)
		whileOff(s, func() {
			e := rotation.Event{At: s.Clock.Now(), Run: "test01", Kind: rotation.KindAsked, Asked: &rotation.Asked{Actor: "ada"}}
			if err := s.Log.Append(context.Background(), e); err != nil {
				t.Error(err)
			}
			panic(stage.Crash{})
		})
		st := play(t, s, console)
		ended(t, st, rotation.RolledBack, "a person asked to go back")
		judged(t, s, st)
		noOutage(t, s)
	}
}

// TestAnAnswerThatIsNotTrueIsNotBelieved: one "not there" or one empty answer, in the
// vendor's own shape and as a page, at every call of a run, changes nothing of how it
// ends well.
func TestAnAnswerThatIsNotTrueIsNotBelieved(t *testing.T) {
	calls := stage.Scenario{Credential: console}.Run(1).Calls
	for _, k := range []stage.Kind{stage.NotThere, stage.NotThereHTML, stage.Nothing} {
		for call := 1; call <= calls; call += sample(1) {
			v := stage.Scenario{Credential: console, Faults: []stage.Fault{{Call: call, Kind: k}}}.Run(1)
			if v.Err != nil || len(v.Broken) > 0 || v.Ending == "stuck" {
				t.Errorf("%s: %q %v %v", v.Scenario, v.Ending, v.Broken, v.Err)
			}
		}
	}
}

// TestAWriteThatWasAppliedAndRefusedIsUndone: a gateway sends a write twice and passes on
// what became of the second.
func TestAWriteThatWasAppliedAndRefusedIsUndone(t *testing.T) {
	for _, k := range []kind{creates, appWrites, storeWrites, {"PUT", "/policies/"}, switches, deletes} {
		for _, status := range []int{302, 400, 404, 409, 410, 412, 422} {
			s := rough(status)
			whenever(s, k, func(n int, req *http.Request, pass send) (*http.Response, error) {
				resp, err := pass()
				if n > 1 {
					return resp, err
				}
				switch sim.Hosts[req.URL.Host] {
				case "cloudflare":
					return says(req, status, "application/json", `{"success":false,"errors":[{"code":12130,"message":"no"}],"messages":[],"result":null}`)
				case "heroku":
					return says(req, status, "application/json", `{"id":"conflict","message":"no"}`)
				}
				return says(req, status, "application/json", fmt.Sprintf(`{"statusCode":%d,"message":"no","error":"BadRequest"}`, status))
			})
			st := play(t, s, console)
			if st.Stuck != nil {
				t.Errorf("%s applied and answered %d: stuck: %s", k, status, st.Stuck.Why)
			}
			judged(t, s, st)
			noOutage(t, s)
		}
	}
}

// TestNothingIsTakenAwayFromWhoHoldsIt: somebody gives the old one back to the app or to
// the store while the run is under way; the old one stays.
func TestNothingIsTakenAwayFromWhoHoldsIt(t *testing.T) {
	for name, change := range map[string]func(*sim.State, string, string){
		"the app holds the old one again":   func(w *sim.State, pair, _ string) { set(w.Heroku.Apps[0], console, pair) },
		"the store holds the old one again": func(w *sim.State, _, secret string) { put(w, console, secret) },
		"the store holds something else":    func(w *sim.State, _, _ string) { put(w, console, "by hand") },
	} {
		for _, when := range []string{"before it is switched off", "while it is off"} {
			s := rough(0)
			old := liveToken(t, s, "raxx-console-svc-")
			give := func() { s.World.Look(func(w *sim.State) { change(w, pair(old), old.Secret) }) }
			if when == "while it is off" {
				whileOff(s, give)
			} else {
				whenever(s, kind{"GET", "/apps"}, func(n int, req *http.Request, pass send) (*http.Response, error) {
					if req.URL.Path == "/apps" && see(s).Slots[console] != old.Secret {
						give()
					}
					return pass()
				})
			}
			st := play(t, s, console)
			if st.Closed == nil || st.Closed.Ending != rotation.RolledBack {
				t.Errorf("%s, %s: %+v %+v", name, when, st.Closed, st.Stuck)
			}
			s.World.Look(func(w *sim.State) {
				for _, x := range w.Cloudflare.Deleted {
					if x.ID == old.ID {
						t.Errorf("%s, %s: the old one was deleted", name, when)
					}
				}
			})
		}
	}
}

// TestAJournalThatLostItsTailEndsSafely: killed at any call, with the journal set back
// by any number of entries, a run ends without an outage, and with one live token or
// with the others named.
func TestAJournalThatLostItsTailEndsSafely(t *testing.T) {
	calls := stage.Scenario{Credential: console}.Run(1).Calls
	for call := 1; call <= calls; call++ {
		for lost := 1; lost <= 40; lost += 3 {
			if every := sample(5); (call+lost)%every != 0 {
				continue
			}
			s := rough(call)
			s.Before = func(n int, _ *http.Request, pass send) (*http.Response, error) {
				resp, err := pass()
				if n == call {
					s.LoseTail(lost)
					panic(stage.Crash{})
				}
				return resp, err
			}
			st := play(t, s, console)
			if st.Stuck != nil {
				t.Errorf("killed at call %d, %d entries lost: stuck: %s", call, lost, st.Stuck.Why)
			}
			before := t.Failed()
			judged(t, s, st)
			if t.Failed() && !before {
				t.Errorf("^ killed at call %d, %d entries lost: %+v", call, lost, st.Closed)
			}
		}
	}
	t.Log("EVERY fifth (-args -whole tries all)")
}

// TestARunOnlyEndsWhatItHasMade: a token of somebody else that happens to bear the label
// of a run is not touched.
func TestARunOnlyEndsWhatItHasMade(t *testing.T) {
	for _, theirs := range []string{"payments-prod-1", "raxx-payments-prod-1-svc"} {
		s := rough(0)
		s.World.Look(func(w *sim.State) {
			x := *w.Cloudflare.Tokens[0]
			x.ID, x.Name, x.ClientID = "11111111-1111-4111-8111-111111111111", theirs, "simulated-theirs.access"
			w.Cloudflare.Tokens = append(w.Cloudflare.Tokens, &x)
		})
		whenever(s, creates, func(_ int, req *http.Request, pass send) (*http.Response, error) {
			_, _ = pass()
			return says(req, http.StatusBadGateway, "text/html", "<html>")
		})
		if err := s.Open(console, "payments-prod"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Resume(); err != nil {
			t.Fatal(err)
		}
		s.World.Look(func(w *sim.State) {
			for _, x := range w.Cloudflare.Deleted {
				if x.Name == theirs {
					t.Errorf("%s was deleted", theirs)
				}
			}
		})
	}
}

// TestQuietGoesByTheVendorsClock: a consumer that nobody registered uses the old one
// every second, and the vendor's clock is minutes off ours.
func TestQuietGoesByTheVendorsClock(t *testing.T) {
	for _, off := range []time.Duration{-10 * time.Minute, -70 * time.Second, 0, 10 * time.Minute} {
		k := stage.Knobs
		k.Skew = map[string]sim.Duration{"cloudflare": sim.Duration(off)}
		s := stage.New(1, k)
		old := liveToken(t, s, "raxx-console-svc-")
		whenever(s, kind{"GET", "/access/service_tokens"}, func(_ int, _ *http.Request, pass send) (*http.Response, error) {
			s.World.Look(func(w *sim.State) {
				for _, x := range w.Cloudflare.Tokens {
					if x.ID == old.ID {
						x.LastSeenAt = w.At.Add(-time.Second)
					}
				}
			})
			return pass()
		})
		st := play(t, s, console)
		if st.Closed == nil || st.Closed.Ending != rotation.RolledBack || !strings.Contains(st.Closed.Why, "something unregistered still holds it") {
			t.Errorf("clock %s off: %+v %+v", off, st.Closed, st.Stuck)
		}
	}
}

// TestAConsumerThatDiesIsSeen: a process of the app crashes after everything has taken
// up the new one: while the old one is off the run goes back, and after its end it is
// not called done.
func TestAConsumerThatDiesIsSeen(t *testing.T) {
	crash := func(w *sim.State) {
		for _, p := range w.Heroku.Apps[0].Processes {
			if p.Name == "web.1" && p.Release > 41 {
				p.Crashed = true
			}
		}
	}
	s := rough(0)
	whileOff(s, func() { s.World.Look(crash) })
	st := play(t, s, console)
	ended(t, st, rotation.RolledBack, "has crashed")
	noOutage(t, s)

	s = rough(0)
	after(s, deletes, 1, crash)
	whenever(s, probes, func(_ int, _ *http.Request, pass send) (*http.Response, error) {
		_ = s.Clock.Sleep(t.Context(), 3*time.Second) // what was looked at before the end is not just now any more
		return pass()
	})
	st = play(t, s, console)
	if st.Closed != nil || st.Stuck == nil || !strings.Contains(st.Stuck.Why, "has crashed") {
		t.Errorf("after the old one has ended: %+v %+v", st.Closed, st.Stuck)
	}
}

// TestARuleThatSomebodyOverwritesIsWrittenAgain: another writer takes the new one out of
// the policy, or puts the old one back, at any moment.
func TestARuleThatSomebodyOverwritesIsWrittenAgain(t *testing.T) {
	for _, moment := range []kind{storeWrites, appWrites, switches, {"PUT", "/policies/"}} {
		s := rough(0)
		var before []byte
		s.World.Look(func(w *sim.State) { before = append(before, w.Cloudflare.Policies[0]["include"]...) })
		after(s, moment, 1, func(w *sim.State) { w.Cloudflare.Policies[0]["include"] = before })
		st := play(t, s, console)
		ended(t, st, rotation.Rotated)
		judged(t, s, st)
	}
	s := rough(0)
	var before []byte
	s.World.Look(func(w *sim.State) { before = append(before, w.Cloudflare.Policies[0]["include"]...) })
	after(s, kind{"PUT", "/policies/"}, 2, func(w *sim.State) { // the removal of the old one is lost
		both := strings.TrimSuffix(string(w.Cloudflare.Policies[0]["include"]), "]") + "," + strings.TrimPrefix(string(before), "[")
		w.Cloudflare.Policies[0]["include"] = []byte(both)
	})
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
}

// TestAStoreThatIsOverwrittenIsNotCalledRotated: right after the batch somebody writes
// or deletes a slot.
func TestAStoreThatIsOverwrittenIsNotCalledRotated(t *testing.T) {
	for _, change := range []func(*sim.State){
		func(w *sim.State) { put(w, console, "by hand") },
		func(w *sim.State) {
			for i, x := range w.Infisical.Secrets {
				if x.Key == console {
					w.Infisical.Secrets = append(w.Infisical.Secrets[:i:i], w.Infisical.Secrets[i+1:]...)
					return
				}
			}
		},
	} {
		s := rough(0)
		after(s, storeWrites, 1, change)
		st := play(t, s, console)
		if st.Closed != nil && st.Closed.Ending == rotation.Rotated {
			t.Errorf("rotated, and the store holds something else: %+v", st.Closed)
		}
		noOutage(t, s)
	}
}
