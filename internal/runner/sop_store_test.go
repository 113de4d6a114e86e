package runner_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

// wholePairs looks after every request whether each name of the credential has
// secret and client id of one and the same token.
func wholePairs(t *testing.T, s *stage.Stage, names ...string) {
	t.Helper()
	direct := s.Before
	s.Before = func(n int, req *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
		if direct != nil {
			inner := pass
			pass = func() (*http.Response, error) { return direct(n, req, inner) }
		}
		resp, err := pass()
		held := see(s).Slots
		s.World.Look(func(w *sim.State) {
			for _, name := range names {
				if !slices.ContainsFunc(append(slices.Clone(w.Cloudflare.Tokens), w.Cloudflare.Deleted...), func(x *sim.Token) bool {
					return x.Secret == held[name] && x.ClientID == held[name+"__CLIENT_ID"]
				}) {
					t.Errorf("after request %d (%s %s) %s is inconsistent", n, req.Method, req.URL.Path, name)
				}
			}
		})
		return resp, err
	}
}

// By hand four separate writes leave a new secret beside an old client id, if the
// second fails and for every reader in between. Instead there is one batch: all
// four slots are new, or all four are old, at every moment.
func TestT16OneBatchOrNothing(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	wholePairs(t, s, console, formerConsole)
	before := see(s)
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	if n := count(s, "infisical", "PATCH"); n != 1 {
		t.Errorf("%d writes", n)
	}
	now := see(s)
	for key, was := range before.Versions {
		want := was
		if strings.HasPrefix(key, console) || strings.HasPrefix(key, formerConsole) {
			want++
		}
		if now.Versions[key] != want {
			t.Errorf("%s went from version %d to %d", key, was, now.Versions[key])
		}
	}
	for _, status := range []int{403, 404, 422, 500} {
		s := stage.New(1, stage.Knobs)
		wholePairs(t, s, console, formerConsole)
		before := see(s)
		s.World.Inject(sim.Fault{Vendor: "infisical", Endpoint: "PATCH", Status: status, Times: -1})
		st := play(t, s, console)
		ended(t, st, rotation.RolledBack, "store it in infisical:/MooseQuest/cloudflare/ (4 slots): infisical: write secrets")
		judged(t, s, st)
		sameValues(t, before, see(s))
		if now := see(s); now.Versions[console] != before.Versions[console] || count(s, "heroku", "PATCH") != 0 {
			t.Errorf("%d: something was written after all", status)
		}
	}
	// Taken and not told: looked at, and not written again.
	s = stage.New(1, stage.Knobs)
	wholePairs(t, s, console, formerConsole)
	s.World.Inject(sim.Fault{Vendor: "infisical", Endpoint: "PATCH", Status: 502, HTML: true, Applied: true})
	st = play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	if n := see(s).Versions[console] - before.Versions[console]; n != 1 {
		t.Errorf("%d versions for one rotation", n)
	}
}

// By hand one name means the secret alone in the store and id:secret in the app,
// so that a copy by name breaks whoever gets it. Instead each slot says what it
// holds, and a slot that holds the other form is drift, before anything is made.
func TestT17OneNameTwoMeanings(t *testing.T) {
	for name, tt := range map[string]struct {
		copy func(w *sim.State, old *sim.Token)
		told []string
	}{
		"the app's form in one slot of the store": {func(w *sim.State, old *sim.Token) {
			put(w, console, pair(*old))
		}, []string{"store-torn", "slot " + formerConsole + " holds"}},
		"the app's form in the whole store": {func(w *sim.State, old *sim.Token) {
			put(w, console, pair(*old))
			put(w, formerConsole, pair(*old))
		}, []string{"consumer-drift", "heroku:raxx-console-prod has drifted: slot " + console + " holds"}},
		"the store's form in the app": {func(w *sim.State, old *sim.Token) {
			set(w.Heroku.Apps[0], console, old.Secret)
		}, []string{"consumer-drift", "slot " + console + " holds"}},
		"the store's form in the app, under the former name": {func(w *sim.State, old *sim.Token) {
			set(w.Heroku.Apps[0], formerConsole, old.Secret)
		}, []string{"consumer-drift", "slot " + formerConsole + " holds"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(1, stage.Knobs)
			s.World.Look(func(w *sim.State) { tt.copy(w, w.Cloudflare.Tokens[0]) })
			before := see(s)
			st := play(t, s, console)
			ended(t, st, rotation.RefusedRun, tt.told...)
			judged(t, s, st)
			nothingWritten(t, s, before)
		})
	}
	s := stage.New(1, stage.Knobs)
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	now, held := liveToken(t, s, "raxx-console-svc-"), see(s)
	if held.Slots[console] != now.Secret || held.Vars["raxx-console-prod"][console] != pair(now) {
		t.Error("the store does not hold the secret alone, or the app not id:secret")
	}
}

// By hand nobody looks whether the folder exists, the old version can be had
// again, the write can be read, or somebody else is writing too. Instead each of
// them stops the run.
func TestT18StoreIsLookedAt(t *testing.T) {
	refused := func(name string, change func(s *stage.Stage), told ...string) {
		t.Run(name, func(t *testing.T) {
			s := stage.New(1, stage.Knobs)
			change(s)
			before := see(s)
			st := play(t, s, console)
			ended(t, st, rotation.RefusedRun, told...)
			judged(t, s, st)
			nothingWritten(t, s, before)
		})
	}
	refused("no such folder", func(s *stage.Stage) {
		s.Config = config(t, "path: /MooseQuest/cloudflare/", "path: /MooseQuest/cloudfare/")
	}, "the environment prod has no folder /MooseQuest/cloudfare")
	refused("no such environment", func(s *stage.Stage) {
		s.Config = config(t, "environment: prod", "environment: production")
	}, "the project has no environment production")
	refused("no such project", func(s *stage.Stage) {
		s.Env = map[string]string{"INFISICAL_PROJECT_ID": "00000000-0000-4000-8000-000000000000"}
	}, "there is no such project")
	refused("an empty folder", func(s *stage.Stage) {
		s.Config = config(t, "path: /MooseQuest/cloudflare/", "path: /MooseQuest/")
	}, "nothing-stored", "holds none of the slots")
	refused("no history", func(s *stage.Stage) {
		s.World.Look(func(w *sim.State) { w.Infisical.Server = sim.Server2024 })
	}, "no-history", "another version than was asked for", "what it holds today is held by heroku:raxx-console-prod as well")
	refused("a name that was made again", func(s *stage.Stage) {
		s.World.Look(func(w *sim.State) {
			for i, x := range w.Infisical.Secrets {
				again := *x
				again.ID, again.Versions = "again-"+x.ID, x.Versions[len(x.Versions)-1:]
				w.Infisical.Secrets[i] = &again
				w.Infisical.Deleted = append(w.Infisical.Deleted, x)
			}
		})
	}, "no-history", "of an earlier secret of this name", "what it holds today is held by heroku:raxx-console-prod as well")
	refused("a slot that drops writes", func(s *stage.Stage) {
		s.World.Look(func(w *sim.State) { w.Infisical.Secrets[0].Rotated = true })
	}, "store-unwritable", "silently ignored")

	t.Run("taken and not kept", func(t *testing.T) {
		s := stage.New(1, stage.Knobs)
		before := see(s)
		after(s, creates, 1, func(w *sim.State) { w.Infisical.Secrets[2].Rotated = true })
		st := play(t, s, console)
		ended(t, st, rotation.RolledBack, "the store took the write and keeps something else in slot "+formerConsole)
		judged(t, s, st)
		sameValues(t, before, see(s))
	})
	t.Run("a request of it", func(t *testing.T) {
		s := stage.New(1, stage.Knobs)
		s.World.Look(func(w *sim.State) { w.Infisical.Approval = true })
		before := see(s)
		st := play(t, s, console)
		ended(t, st, rotation.RolledBack, "a change policy made a request of it")
		judged(t, s, st)
		sameValues(t, before, see(s))
		if count(s, "heroku", "PATCH") != 0 {
			t.Error("propagated before it was stored")
		}
	})
}

// TestT18SomebodyElseWrites: another operator writes a slot between our look and
// our write. There is no compare-and-set, so it is found out by the versions; the
// run goes back, and what the other wrote stands in the end.
func TestT18SomebodyElseWrites(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	const theirs = "of-another-operator"
	after(s, creates, 1, func(w *sim.State) { put(w, formerConsole, theirs) })
	before := see(s)
	st := play(t, s, console)
	ended(t, st, rotation.RolledBack, "somebody else wrote slot "+formerConsole+" between the observation and this write")
	noOutage(t, s)
	now := see(s)
	if now.Slots[formerConsole] != theirs {
		t.Errorf("what somebody else wrote was overwritten: %s is as it was before they wrote it", formerConsole)
	}
	now.Slots[formerConsole] = before.Slots[formerConsole]
	sameValues(t, before, now)
}

// TestAVersionAloneIsNotSomebodyElse: versions are skipped, and every value in
// between is the one that was observed: a note beside a secret was changed, or the
// store counts for the whole place. Nobody wrote the slot, and the run goes on.
func TestAVersionAloneIsNotSomebodyElse(t *testing.T) {
	again := map[string]func(w *sim.State, x *sim.StoredSecret){
		"a note beside one secret": func(w *sim.State, x *sim.StoredSecret) {
			if x.Key == formerConsole {
				x.Versions = append(x.Versions, x.Versions[len(x.Versions)-1])
			}
		},
		"a version that counts for the whole place": func(w *sim.State, x *sim.StoredSecret) {
			if x.Path == "/MooseQuest/cloudflare" {
				x.Versions = append(x.Versions, x.Versions[len(x.Versions)-1], x.Versions[len(x.Versions)-1])
			}
		},
	}
	for name, change := range again {
		for _, lost := range []bool{false, true} {
			s := stage.New(1, stage.Knobs)
			after(s, creates, 1, func(w *sim.State) {
				for _, x := range w.Infisical.Secrets {
					change(w, x)
				}
			})
			if lost {
				s.World.Inject(sim.Fault{Vendor: "infisical", Endpoint: "PATCH", Cut: true, Applied: true})
			}
			st := play(t, s, console)
			ended(t, st, rotation.Rotated)
			judged(t, s, st)
			if strings.Contains(s.Log.Text(), "one version up") {
				t.Errorf("%s, answer lost %v: more versions than one are called one", name, lost)
			}
		}
	}
}

// TestT18SomebodyElseWritesAndTheAnswerIsLost: their value is found in the history
// too where our write is only looked at afterwards, and is given back.
func TestT18SomebodyElseWritesAndTheAnswerIsLost(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	const theirs = "of-another-operator"
	after(s, creates, 1, func(w *sim.State) { put(w, formerConsole, theirs) })
	s.World.Inject(sim.Fault{Vendor: "infisical", Endpoint: "PATCH", Cut: true, Applied: true})
	st := play(t, s, console)
	ended(t, st, rotation.RolledBack, "somebody else wrote slot "+formerConsole+" between the observation and this write (version 3)")
	noOutage(t, s)
	if got := see(s).Slots[formerConsole]; got != theirs {
		t.Errorf("what somebody else wrote was overwritten: %s is as it was before they wrote it", formerConsole)
	}
}

// TestSlotMadeAgainInBetween: deleted and made again by somebody else, its numbers
// begin again, and what they meant before is not what they mean now.
func TestSlotMadeAgainInBetween(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	after(s, creates, 1, func(w *sim.State) {
		for _, x := range w.Infisical.Secrets {
			if x.Key == formerConsole {
				x.Versions = x.Versions[len(x.Versions)-1:]
			}
		}
	})
	st := play(t, s, console)
	ended(t, st, rotation.RolledBack, "slot "+formerConsole+" was deleted and made again by somebody else")
	judged(t, s, st)
}

// By hand every secret stands in argv, for every user of the machine to read.
// Instead values go from the issuer's answer into the bodies and headers of the
// requests that need them: no address and no journal holds one.
func TestT19NoSecretInAnAddress(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	var addresses strings.Builder
	s.Before = func(_ int, req *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
		addresses.WriteString(req.URL.String() + "\n")
		return pass()
	}
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	for what, value := range s.Secrets() {
		if strings.Contains(addresses.String(), value) {
			t.Errorf("%s stands in an address", what)
		}
	}
}

// By hand the legacy names drift the day somebody writes only one name. Instead
// every name is written in the same write, and one that differs is found before
// anything is made.
func TestT20FormerNamesDrift(t *testing.T) {
	for name, change := range map[string]struct {
		drift func(w *sim.State)
		told  []string
	}{
		"secret":    {func(w *sim.State) { put(w, formerConsole, "forgotten") }, []string{"store-torn", "slot " + formerConsole + " holds"}},
		"client id": {func(w *sim.State) { put(w, formerConsole+"__CLIENT_ID", "forgotten") }, []string{"store-torn", "slot " + formerConsole + "__CLIENT_ID holds"}},
		"app":       {func(w *sim.State) { set(w.Heroku.Apps[0], formerConsole, "forgotten") }, []string{"consumer-drift", "slot " + formerConsole + " holds"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(1, stage.Knobs)
			s.World.Look(change.drift)
			before := see(s)
			st := play(t, s, console)
			ended(t, st, rotation.RefusedRun, change.told...)
			judged(t, s, st)
			nothingWritten(t, s, before)
		})
	}
	// A former name is taken off the list once nobody reads it any more.
	s := stage.New(1, stage.Knobs)
	var err error
	s.Config, err = sop.Parse("rekey.yaml", []byte(strings.Replace(sop.Example(), "    former: ["+formerConsole+"]\n", "", 1)))
	if err != nil {
		t.Fatal(err)
	}
	before := see(s)
	s.World.Look(func(w *sim.State) { delete(w.Edge.Uses, formerConsole) })
	// The app still holds it there, which only a person can know to be nothing.
	st := play(t, s, console)
	ended(t, st, rotation.RefusedRun, rotation.UnregisteredConsumer, "holds it in "+formerConsole+" and is registered without that")
	s.Despite = []string{"heroku:" + app}
	st = next(t, s, console, "test02")
	ended(t, st, rotation.Rotated)
	noOutage(t, s)
	if now := see(s); now.Versions[formerConsole] != before.Versions[formerConsole] || now.Versions[console] != before.Versions[console]+1 {
		t.Error("a name that is no longer on the list was written, or the one that is was not")
	}
}
