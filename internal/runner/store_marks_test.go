package runner_test

import (
	"net/http"
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

// marks are what is noted beside the newest version of a secret.
func marks(s *stage.Stage, key string) map[string]string {
	out := map[string]string{}
	s.World.Look(func(w *sim.State) {
		for _, x := range w.Infisical.Secrets {
			if x.Key == key {
				for _, m := range x.Versions[len(x.Versions)-1].Metadata {
					out[m.Key] = m.Value
				}
			}
		}
	})
	return out
}

// TestSecretsAreStamped: with run, generation and fingerprint, beside what others
// have noted there; what is given back says that it was.
func TestSecretsAreStamped(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.World.Look(func(w *sim.State) {
		for _, x := range w.Infisical.Secrets {
			if x.Key == console {
				x.Versions[len(x.Versions)-1].Metadata = []sim.Metadatum{{Key: "team", Value: "platform"}, {Key: "rekey_run", Value: "an earlier one"}}
			}
		}
	})
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	for _, key := range []string{console, formerConsole, console + "__CLIENT_ID"} {
		got := marks(s, key)
		if got["rekey_run"] != st.Run || got["rekey_generation"] != st.Label() || got["rekey_fingerprint"] != string(st.Expected(st.Plan.Spec.Store.Key, key)) {
			t.Errorf("%s: %v", key, got)
		}
	}
	if got := marks(s, console); got["team"] != "platform" || len(got) != 4 {
		t.Errorf("what others had noted was lost: %v", got)
	}

	s = stage.New(1, stage.Knobs)
	s.World.Inject(sim.Fault{Vendor: "heroku", Endpoint: "PATCH", Status: 403, Times: -1})
	st = play(t, s, console)
	ended(t, st, rotation.RolledBack)
	if got := marks(s, console); got["rekey_run"] != st.Run || got["rekey_generation"] != "given back" {
		t.Errorf("after a rollback: %v", got)
	}
}

// TestRequestIsWaitedFor: a change policy answers 200 and writes nothing. That is
// not a success; once people have merged the request the run goes on, and asks for it
// once only.
func TestRequestIsWaitedFor(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.World.Look(func(w *sim.State) { w.Infisical.Approval = true })
	looks := 0
	whenever(s, kind{"GET", "/api/v4/secrets"}, func(_ int, _ *http.Request, pass send) (*http.Response, error) {
		s.World.Look(func(w *sim.State) {
			if len(w.Infisical.Requests) > 0 {
				looks++
			}
			if looks == 5 && len(w.Infisical.Requests) > 0 {
				if n := len(w.Heroku.Apps[0].Releases); n != 1 {
					t.Errorf("propagated before it was merged: %d releases", n)
				}
				w.MergeRequests()
			}
		})
		return pass()
	})
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	if n := count(s, "infisical", "PATCH"); n != 1 || looks < 5 {
		t.Errorf("%d requests, %d looks", n, looks)
	}
	log := s.Log.Text()
	if !strings.Contains(log, `"class":"waiting"`) || !strings.Contains(log, "a change policy made a request of it") {
		t.Error("the journal does not say what was waited for")
	}
}

// TestServersOwn500IsLookedAt: Infisical's own 500 after the transaction is not a
// failure (docs/vendors/infisical.md): what is there is looked at, and not written again.
func TestServersOwn500IsLookedAt(t *testing.T) {
	for _, older := range []bool{false, true} {
		s, method := stage.New(1, stage.Knobs), "PATCH"
		if older {
			s, method = stage.NewOlder(1, stage.Knobs), "POST /api/v3"
		}
		before := see(s)
		s.World.Inject(sim.Fault{Vendor: "infisical", Endpoint: method, Status: 500, Applied: true})
		st := play(t, s, console)
		ended(t, st, rotation.Rotated)
		judged(t, s, st)
		if n := see(s).Versions[console] - before.Versions[console]; n != 1 {
			t.Errorf("older %v: %d versions for one rotation", older, n)
		}
	}
}

// TestEncryptedMarksWhereTheProjectWantsThem: check says so, the run writes them so,
// and what others have encrypted there stays encrypted.
func TestEncryptedMarksWhereTheProjectWantsThem(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.World.Look(func(w *sim.State) {
		w.Infisical.Encrypted = true
		for _, x := range w.Infisical.Secrets {
			if x.Key == console {
				x.Versions[len(x.Versions)-1].Metadata = []sim.Metadatum{{Key: "pin", Value: "0000", Encrypted: true}}
			}
		}
	})
	seen, err := s.Look(console)
	if all := strings.Join(seen.Advice, "\n"); err != nil || !strings.Contains(all, "takes metadata beside secrets only encrypted") {
		t.Errorf("check does not say so: %s %v", all, err)
	}
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	s.World.Look(func(w *sim.State) {
		for _, x := range w.Infisical.Secrets {
			for _, m := range x.Versions[len(x.Versions)-1].Metadata {
				if !m.Encrypted {
					t.Errorf("%s: %s stands there in clear", x.Key, m.Key)
				}
			}
		}
	})
	if got := marks(s, console); got["rekey_run"] != st.Run || got["pin"] != "0000" {
		t.Errorf("%v", got)
	}
}
