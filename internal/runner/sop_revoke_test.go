package runner_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

// By hand OLD_TOKEN_ID is never assigned, the DELETE goes to the collection, and
// the rotation is "done" with the old token alive. Instead the id comes from what
// the store holds, and a refused delete is never "done".
func TestT35DeleteNamesItsToken(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	var old, path string
	s.World.Look(func(w *sim.State) { old = w.Cloudflare.Tokens[0].ID })
	whenever(s, deletes, func(_ int, req *http.Request, pass send) (*http.Response, error) {
		path = req.URL.Path
		return pass()
	})
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	if !strings.HasSuffix(path, "/access/service_tokens/"+old) {
		t.Errorf("the DELETE went to %s", path)
	}

	s = stage.New(1, stage.Knobs)
	whenever(s, deletes, func(_ int, req *http.Request, _ send) (*http.Response, error) {
		return says(req, 405, "application/json", `{"success":false,"errors":[{"code":10405,"message":"Method not allowed"}],"messages":[],"result":null}`)
	})
	st = play(t, s, console)
	halted(t, st, "delete the old credential", "is live, but switched off", "the vendor refused to delete it", "holds the new one", "rekey resume test01")
	judged(t, s, st)
}

// By hand a wrong id is accepted, cannot be taken back, and takes an unrelated
// service out. Instead the id must belong to the value that is being replaced:
// where store, app and issuer do not say the same, nothing begins.
func TestT36WrongTokenIsNeverDeleted(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(w *sim.State, mine, other *sim.Token)
		told   []string
	}{
		"another token's id in the store": {func(w *sim.State, _, other *sim.Token) {
			put(w, console+"__CLIENT_ID", other.ClientID)
			put(w, formerConsole+"__CLIENT_ID", other.ClientID)
		}, []string{"consumer-drift"}},
		"another token in the store": {func(w *sim.State, _, other *sim.Token) {
			for _, n := range []string{console, formerConsole} {
				put(w, n, other.Secret)
				put(w, n+"__CLIENT_ID", other.ClientID)
			}
		}, []string{"consumer-drift"}},
		"another token's id everywhere": {func(w *sim.State, mine, other *sim.Token) {
			for _, n := range []string{console, formerConsole} {
				put(w, n+"__CLIENT_ID", other.ClientID)
				set(w.Heroku.Apps[0], n, other.ClientID+":"+mine.Secret)
			}
			for _, p := range w.Heroku.Apps[0].Processes {
				p.Env = inForce(w.Heroku.Apps[0])
			}
		}, []string{"check-false"}},
		"a token that nobody lists": {func(w *sim.State, _, _ *sim.Token) {
			for _, n := range []string{console, formerConsole} {
				put(w, n+"__CLIENT_ID", "0123456789abcdef.access")
			}
		}, []string{"not-issued"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(1, stage.Knobs)
			s.World.Look(func(w *sim.State) { tt.change(w, w.Cloudflare.Tokens[0], w.Cloudflare.Tokens[1]) })
			before := see(s)
			st := play(t, s, console)
			ended(t, st, rotation.RefusedRun, tt.told...)
			nothingWritten(t, s, before)
		})
	}
}

// By hand nobody reads the answer: success:false passes for done. Instead such an
// answer is no answer, and the list tells what became of it.
func TestT37DeleteThatSaysNo(t *testing.T) {
	no := func(req *http.Request) (*http.Response, error) {
		return says(req, 200, "application/json", `{"success":false,"errors":[{"code":10001,"message":"not now"}],"messages":[],"result":null}`)
	}
	s := stage.New(1, stage.Knobs)
	whenever(s, deletes, func(n int, req *http.Request, pass send) (*http.Response, error) {
		if n == 1 {
			return no(req)
		}
		return pass()
	})
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)

	s = stage.New(1, stage.Knobs)
	whenever(s, deletes, func(_ int, req *http.Request, _ send) (*http.Response, error) { return no(req) })
	st = play(t, s, console)
	halted(t, st, "delete the old credential", "the old one, "+st.Plan.Old.Name, "may already be deleted", "holds the new one")
	judged(t, s, st)
	if see(s).Tokens[st.Plan.Old.ID] == "" {
		t.Error("it is gone after all")
	}
}

// By hand a repeated DELETE answers 404 and nobody knows whose it was. Instead
// "not there" counts as done when the list agrees, and never while the token is
// still listed.
func TestT38DeleteThatFindsNothing(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.World.Inject(sim.Fault{Vendor: "cloudflare", Endpoint: "DELETE", Cut: true, Applied: true})
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)

	s = stage.New(1, stage.Knobs)
	whenever(s, deletes, func(_ int, req *http.Request, _ send) (*http.Response, error) {
		return says(req, 404, "application/json", `{"success":false,"errors":[{"code":12135,"message":"access.api.error.service_token_not_found"}],"messages":[],"result":null}`)
	})
	st = play(t, s, console)
	halted(t, st, "the vendor says that it is not there, and lists it")
	judged(t, s, st)
}

// By hand the old token is revoked right after a restart, while old processes
// still serve. Instead nothing is taken from it before every one of them is gone,
// hidden ones and one-off dynos too.
func TestT39NothingOldIsAlive(t *testing.T) {
	for name, arrange := range map[string]func(s *stage.Stage){
		"shutdown": func(*stage.Stage) {},
		"preboot":  func(s *stage.Stage) { s.World.Turn(func(k *sim.Knobs) { k.Preboot = true }) },
		"one-off":  func(s *stage.Stage) { s.World.Look(func(w *sim.State) { oneOff(w, "jobs.9144", 15*time.Minute) }) },
		"slow":     func(s *stage.Stage) { s.World.Turn(func(k *sim.Knobs) { k.BootDelay = sim.Duration(3 * time.Minute) }) },
	} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(1, stage.Knobs)
			arrange(s)
			looked := false
			for _, k := range []kind{switches, deletes} {
				whenever(s, k, func(_ int, _ *http.Request, pass send) (*http.Response, error) {
					s.World.Look(func(w *sim.State) {
						old := w.Heroku.Apps[0].Releases[0].Vars[console]
						for _, p := range w.Heroku.Apps[0].Processes {
							looked = true
							if p.Env[console] == old && (p.Stops.IsZero() || p.Stops.After(w.At)) {
								t.Errorf("%s still runs on the old one at %s", p.Name, w.At.Format(time.TimeOnly))
							}
						}
					})
					return pass()
				})
			}
			st := play(t, s, console)
			ended(t, st, rotation.Rotated)
			judged(t, s, st)
			if !looked {
				t.Error("nobody looked")
			}
		})
	}
}

// By hand an incident that still needs the old token finds it revoked: there is
// no hold and no second look. Instead the run stops before anything is taken from
// it, for as long as nobody types the name, and both are valid meanwhile.
func TestT40HoldBeforeTheEnd(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	var asked rotation.Ask
	s.Confirm = func(_ context.Context, a rotation.Ask) (string, error) {
		asked = a
		return "", runner.ErrNotConfirmed
	}
	st := play(t, s, console)
	if st.Closed != nil || st.Stuck != nil {
		t.Fatalf("it did not wait: closed %+v, stuck %+v", st.Closed, st.Stuck)
	}
	if asked.Name != console || !strings.Contains(strings.Join(asked.Final, "\n"), "delete the old credential") {
		t.Errorf("asked for %q: %v, and for good %v", asked.Name, asked.For, asked.Final)
	}
	held := see(s)
	if held.Tokens[st.Plan.Old.ID] == "" || held.Tokens[st.Made.Handle.ID] == "" || count(s, "cloudflare", "DELETE") != 0 {
		t.Error("one of the two is not live while it waits")
	}
	s.World.Look(func(w *sim.State) {
		if !w.Cloudflare.Tokens[0].Enabled {
			t.Error("the old one was switched off without a word")
		}
	})
	_ = s.Clock.Sleep(context.Background(), 30*24*time.Hour)
	s.Confirm = nil
	result, err := s.Resume()
	if err != nil {
		t.Fatal(err)
	}
	ended(t, result.State, rotation.Rotated)
	judged(t, s, result.State)
}
