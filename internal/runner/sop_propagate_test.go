package runner_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

const app = "raxx-console-prod"

// bothNames looks at every release of the app: the two names never differ.
func bothNames(t *testing.T, s *stage.Stage) {
	t.Helper()
	s.World.Look(func(w *sim.State) {
		for _, r := range w.Heroku.Apps[0].Releases {
			if r.Vars[console] != r.Vars[formerConsole] {
				t.Errorf("in release v%d the two names of the token differ", r.Version)
			}
		}
	})
}

// By hand the second of two writes meets the rate limit: the new name is new, the
// former name is old, and dead a minute later. Instead both names are in one
// write, which is made when the limit allows it.
func TestT21RateLimitIsWaitedFor(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.World.Inject(sim.Fault{Vendor: "heroku", Endpoint: "PATCH", Status: 429, Times: 3})
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	bothNames(t, s)
	if n := see(s).Releases[app]; n != 2 {
		t.Errorf("%d releases, want the one that was there and one of ours", n)
	}
}

// By hand the first of the two writes meets the rate limit, the check says true
// all the same, since the old token still works, and the old one is deleted.
// Instead a write that is never taken ends with the old token, everywhere.
func TestT22WriteThatIsNeverTaken(t *testing.T) {
	for _, status := range []int{429, 403, 422, 503} {
		s := stage.New(1, stage.Knobs)
		before := see(s)
		s.World.Inject(sim.Fault{Vendor: "heroku", Endpoint: "PATCH", Status: status, Times: -1})
		st := play(t, s, console)
		ended(t, st, rotation.RolledBack, "deploy to heroku:raxx-console-prod (2 slots): heroku: set config vars")
		judged(t, s, st)
		bothNames(t, s)
		sameValues(t, before, see(s))
		if now := see(s); now.Releases[app] != before.Releases[app] {
			t.Errorf("%d: %d releases of an app that was never changed", status, now.Releases[app])
		}
	}
}

// By hand two writes make two releases and two restarts. Instead there is one of
// each, however many names there are.
func TestT23OneReleaseOneRestart(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	bothNames(t, s)
	if n := count(s, "heroku", "PATCH"); n != 1 {
		t.Errorf("%d writes", n)
	}
	s.World.Look(func(w *sim.State) {
		starts := map[string]int{}
		for _, p := range w.Heroku.Apps[0].Processes {
			starts[p.Name]++
		}
		for name, n := range starts {
			if n != 2 {
				t.Errorf("%s was started %d times, want once before and once by us", name, n)
			}
		}
		r := w.Heroku.Apps[0].Releases[1]
		if r.Description != "Set "+formerConsole+", "+console+" config vars" || r.Vars["DATABASE_URL"] == "" {
			t.Errorf("the release is %q with %d config vars", r.Description, len(r.Vars))
		}
	})
}

// By hand the vendor's CLI repeats a write whose answer was lost, up to six
// releases. Instead Rekey looks whether it was taken before it writes again.
func TestT24LostAnswersMakeNoReleases(t *testing.T) {
	for name, fault := range map[string]sim.Fault{
		"cut":           {Cut: true, Applied: true},
		"page":          {HTML: true, Status: 502, Applied: true},
		"503":           {Status: 503, Applied: true},
		"half":          {Half: true, Applied: true},
		"empty":         {Empty: true, Applied: true},
		"cut, not done": {Cut: true},
		"503, not done": {Status: 503},
	} {
		for _, pending := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				knobs := stage.Knobs
				if pending {
					knobs.ReleaseDelay = sim.Duration(90 * time.Second)
				}
				s := stage.New(1, knobs)
				fault.Vendor, fault.Endpoint = "heroku", "PATCH"
				s.World.Inject(fault)
				st := play(t, s, console)
				ended(t, st, rotation.Rotated)
				judged(t, s, st)
				if n := see(s).Releases[app] - 1; n != 1 {
					t.Errorf("pending %v: %d releases, want 1", pending, n)
				}
			})
		}
	}
}

// By hand "done" is printed while the release command still runs; if it fails
// the app never gets the value, and loses the old one. Instead the release is
// followed to its end before anything else is believed.
func TestT25ReleaseIsFollowedToItsEnd(t *testing.T) {
	t.Run("takes its time", func(t *testing.T) {
		knobs := stage.Knobs
		knobs.ReleaseDelay = sim.Duration(5 * time.Minute)
		s := stage.New(1, knobs)
		st := play(t, s, console)
		ended(t, st, rotation.Rotated)
		judged(t, s, st)
	})
	t.Run("fails", func(t *testing.T) {
		knobs := stage.Knobs
		knobs.Release, knobs.ReleaseDelay = "failed", sim.Duration(time.Minute)
		s := stage.New(1, knobs)
		before := see(s)
		st := play(t, s, console)
		ended(t, st, rotation.RolledBack, "release v42 failed: the app still runs on the old values")
		judged(t, s, st)
		sameValues(t, before, see(s))
	})
	t.Run("never ends", func(t *testing.T) {
		knobs := stage.Knobs
		knobs.Release = "pending"
		s := stage.New(1, knobs)
		before := see(s)
		st := play(t, s, console)
		halted(t, st, "give heroku:raxx-console-prod its old values back", "still rolling out a write", "the old one, "+st.Plan.Old.Name, "is live", "heroku:raxx-console-prod may hold either", "rekey resume test01")
		judged(t, s, st)
		if now := see(s); now.Tokens[st.Plan.Old.ID] == "" || now.Vars[app][console] != before.Vars[app][console] {
			t.Error("the old one was taken away while the app holds it")
		}
		// Once the vendor is done with it, one command ends the run.
		s.World.Turn(func(k *sim.Knobs) { k.Release = "" })
		s.World.Look(func(w *sim.State) {
			r := w.Heroku.Apps[0].Releases[1]
			r.Ends = w.At.Add(time.Second)
		})
		result, err := s.Resume()
		if err != nil {
			t.Fatal(err)
		}
		ended(t, result.State, rotation.RolledBack)
		judged(t, s, result.State)
		sameValues(t, before, see(s))
	})
}

// By hand nobody waits for dynos, and some cannot be waited for by looking at a
// list: crashed ones, none at all, one-off dynos, those that preboot hides, a
// site in maintenance.
func TestT26DynosInEveryState(t *testing.T) {
	for name, tt := range map[string]struct {
		arrange func(s *stage.Stage)
		ending  rotation.Ending
		told    string
	}{
		"crashed before": {func(s *stage.Stage) {
			s.World.Look(func(w *sim.State) { w.Heroku.Apps[0].Processes[2].Crashed = true })
		}, rotation.RefusedRun, "dyno worker.1 has crashed"},
		"crash on the new one": {func(s *stage.Stage) {
			whenever(s, appWrites, func(n int, _ *http.Request, pass send) (*http.Response, error) {
				s.World.Turn(func(k *sim.Knobs) { k.Crash = n == 1 })
				return pass()
			})
		}, rotation.RolledBack, "has crashed"},
		"stays on the old one until it is rolled out once more": {func(s *stage.Stage) {
			after(s, appWrites, 1, func(w *sim.State) { keepRunning(w.Heroku.Apps[0], "worker.1") })
		}, rotation.Rotated, ""},
		"stays on the old one whatever is rolled out": {func(s *stage.Stage) {
			whenever(s, appWrites, func(n int, _ *http.Request, pass send) (*http.Response, error) {
				resp, err := pass()
				if n <= 2 {
					s.World.Look(func(w *sim.State) { keepRunning(w.Heroku.Apps[0], "worker.1") })
				}
				return resp, err
			})
		}, rotation.RolledBack, "worker.1 on v41 is to be replaced"},
		"one-off that ends": {func(s *stage.Stage) {
			s.World.Look(func(w *sim.State) { oneOff(w, "run.4711", 10*time.Minute) })
		}, rotation.Rotated, ""},
		"one-off of a type of its own that ends": {func(s *stage.Stage) {
			s.World.Look(func(w *sim.State) { oneOff(w, "jobs.9144", 10*time.Minute) })
		}, rotation.Rotated, ""},
		"one-off of a type of its own that does not end": {func(s *stage.Stage) {
			s.World.Look(func(w *sim.State) { oneOff(w, "jobs.9144", 0) })
		}, rotation.RolledBack, "one-off dyno jobs.9144 on v41 still holds what it began with"},
		"one-off of a type of the formation": {func(s *stage.Stage) {
			s.World.Look(func(w *sim.State) { oneOff(w, "web.9144", 0) })
		}, rotation.RolledBack, "one-off dyno web.9144 on v41 still holds what it began with"},
		"one-off that does not end": {func(s *stage.Stage) {
			s.World.Look(func(w *sim.State) { oneOff(w, "run.4711", 0) })
		}, rotation.RolledBack, "one-off dyno run.4711 on v41 still holds what it began with"},
		"preboot": {func(s *stage.Stage) {
			s.World.Turn(func(k *sim.Knobs) { k.Preboot = true })
		}, rotation.Rotated, ""},
		"slow to boot": {func(s *stage.Stage) {
			s.World.Turn(func(k *sim.Knobs) { k.BootDelay = sim.Duration(2 * time.Minute) })
		}, rotation.Rotated, ""},
		"maintenance": {func(s *stage.Stage) {
			s.World.Look(func(w *sim.State) { w.Heroku.Apps[0].Maintenance = true })
		}, rotation.RefusedRun, "is not true now: 503 instead of 200"},
		"none, and the site is down": {func(s *stage.Stage) {
			s.World.Look(func(w *sim.State) { w.Heroku.Apps[0].Processes = nil })
		}, rotation.RefusedRun, "is not true now: 503 instead of 200"},
	} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(1, stage.Knobs)
			tt.arrange(s)
			before := see(s)
			st := play(t, s, console)
			ended(t, st, tt.ending, tt.told)
			judged(t, s, st)
			if tt.ending != rotation.Rotated {
				sameValues(t, before, see(s))
			}
		})
	}
}

// TestT26ScaledToZero: an app without processes is written all the same, so that
// it finds the new token when it wakes up; the plan says what cannot be proven.
func TestT26ScaledToZero(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.World.Look(func(w *sim.State) {
		secondApp(w, "raxx-vault-jobs", vault, pair(*w.Cloudflare.Tokens[1])).Processes = nil
	})
	s.Config = config(t, vault+":\n    former: ["+formerVault+"]\n    consumers:\n", vault+":\n    former: ["+formerVault+"]\n    consumers:\n      - app: raxx-vault-jobs\n")
	st := play(t, s, vault)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	if now := liveToken(t, s, "raxx-vault-svc-"); see(s).Vars["raxx-vault-jobs"][vault] != pair(now) {
		t.Error("the sleeping app holds something else")
	}
	if notes := strings.Join(st.Plan.Notes, "\n"); !strings.Contains(notes, "raxx-vault-jobs: no dynos run: nothing will restart, and nothing can prove that the app works") {
		t.Errorf("the plan says nothing of it:\n%s", notes)
	}
}

// keepRunning undoes the restart of one dyno: the old process goes on.
func keepRunning(a *sim.HerokuApp, name string) {
	var kept []*sim.Process
	for _, p := range a.Processes {
		switch {
		case p.Name == name && p.Hidden:
			p.Hidden, p.Stops = false, time.Time{}
		case p.Name == name:
			continue
		}
		kept = append(kept, p)
	}
	a.Processes = kept
}

// oneOff starts a one-off dyno, for as long; 0: for ever.
func oneOff(w *sim.State, name string, length time.Duration) {
	a := w.Heroku.Apps[0]
	kind, _, _ := strings.Cut(name, ".")
	p := *a.Processes[0]
	p.ID, p.Name, p.Type, p.Started = "00000000-0000-4000-8000-000000004711", name, kind, w.At
	if length > 0 {
		p.Stops = w.At.Add(length)
	}
	a.Processes = append(a.Processes, &p)
}

// By hand a consumer that the prose forgot is found by its outage. Instead its
// app is found by what it holds before anything is touched; and where nobody may
// look there, the issuer's own "last seen" of the old token keeps it alive as long
// as anybody uses it, registered or not.
func TestT27ForgottenConsumer(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.World.Look(func(w *sim.State) { secondApp(w, "raxx-forgotten", console, pair(*w.Cloudflare.Tokens[0])) })
	before := see(s)
	st := play(t, s, console)
	ended(t, st, rotation.RefusedRun, rotation.UnregisteredConsumer, "heroku:raxx-forgotten holds it in "+console+" and is not registered")
	nothingWritten(t, s, before)

	s.Config = config(t, "    cadence: 90d\n", "    cadence: 90d\n    discover: off\n")
	st = next(t, s, console, "test03")
	ended(t, st, rotation.RolledBack, "wait until the old one is unused", "something unregistered still holds it")
	judged(t, s, st)
	sameValues(t, before, see(s))

	// Found and written down, it is switched like the other.
	s.Config = config(t, "      - app: raxx-console-prod\n", "      - app: raxx-console-prod\n      - app: raxx-forgotten\n")
	st = next(t, s, console, "test02")
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	now := liveToken(t, s, "raxx-console-svc-")
	if vars := see(s).Vars["raxx-forgotten"]; vars[console] != pair(now) || vars[formerConsole] != pair(now) {
		t.Error("the second app holds something else")
	}
}

// By hand a copy of the document for the vault's token that still names the
// console somewhere writes one secret under the other's name. Instead a run
// touches its own token, slots and rules only.
func TestT28OtherTokenIsNotTouched(t *testing.T) {
	for name, other := range map[string]string{console: vault, vault: console} {
		s := stage.New(1, stage.Knobs)
		before := see(s)
		st := play(t, s, name)
		ended(t, st, rotation.Rotated)
		judged(t, s, st)
		now := see(s)
		for _, n := range []string{other, map[string]string{console: formerConsole, vault: formerVault}[other]} {
			for _, key := range []string{n, n + "__CLIENT_ID"} {
				if now.Slots[key] != before.Slots[key] || now.Versions[key] != before.Versions[key] {
					t.Errorf("rotating %s wrote %s", name, key)
				}
			}
			if now.Vars[app][n] != before.Vars[app][n] {
				t.Errorf("rotating %s changed the app's %s", name, n)
			}
		}
	}
}

// By hand a value with a colon, quotes, a newline or an equals sign cannot be
// taken apart again, or is mangled on its way. Instead it arrives as it is, or
// nothing is kept of it anywhere.
func TestT29OddValues(t *testing.T) {
	for name, tt := range map[string]struct {
		secret string
		ending rotation.Ending
	}{
		"colon":          {"a:b::c", rotation.Rotated},
		"quotes":         {`a"b'c` + "`d", rotation.Rotated},
		"equals":         {"a=b==&c=d", rotation.Rotated},
		"percent":        {"a%20b+c%0a", rotation.Rotated},
		"dollar":         {"a$b$(c)$$", rotation.Rotated},
		"spaces within":  {"a b\tc", rotation.Rotated},
		"not ASCII":      {"ä€😀", rotation.Rotated},
		"markup":         {`<a>&amp;</a>{"x":1}{client_id}`, rotation.Rotated},
		"a reference":    {"a${prod.OTHER}b", rotation.Rotated},
		"newline within": {"a\nb", rotation.RolledBack},
		"space at last":  {"ab ", rotation.RolledBack},
		"newline last":   {"ab\n", rotation.RolledBack},
	} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(1, stage.Knobs)
			give(s, tt.secret)
			// As net/http does: a header cannot hold a newline.
			whenever(s, probes, func(_ int, req *http.Request, pass send) (*http.Response, error) {
				if strings.ContainsAny(req.Header.Get("CF-Access-Client-Secret"), "\r\n") {
					return nil, errors.New("net/http: invalid header field value")
				}
				return pass()
			})
			before := see(s)
			st := play(t, s, console)
			ended(t, st, tt.ending)
			judged(t, s, st)
			now := see(s)
			if tt.ending == rotation.RolledBack {
				sameValues(t, before, now)
				return
			}
			id, secret, _ := strings.Cut(now.Vars[app][console], ":")
			if secret != tt.secret || now.Slots[console] != tt.secret || id != now.Slots[console+"__CLIENT_ID"] {
				t.Errorf("given %q, the app reads %q, the store %q", tt.secret, secret, now.Slots[console])
			}
		})
	}
}

// By hand an app that was renamed, or whose name another app has now, gets the
// secret or does not. Instead an app that does not hold what the store holds is
// not written, and an app given by its id is found under any name.
func TestT30NameOfAnotherApp(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(w *sim.State)
		told   []string
	}{
		"renamed": {func(w *sim.State) { w.Heroku.Apps[0].Name = "raxx-console-2" }, []string{"there is no app raxx-console-prod that the token may see; did you mean raxx-console-2?"}},
		"taken over by another app": {func(w *sim.State) {
			w.Heroku.Apps[0].Name = "raxx-console-2"
			secondApp(w, app, "PORT", "80")
		}, []string{"consumer-drift", "heroku:raxx-console-prod holds none of its slots"}},
		"taken over by a copy": {func(w *sim.State) {
			w.Heroku.Apps[0].Name = "raxx-console-2"
			secondApp(w, app, console, "of-a-sandbox:secret").Processes = nil
		}, []string{"consumer-drift", "has drifted: slot " + console + " holds"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(1, stage.Knobs)
			s.World.Look(tt.change)
			before := see(s)
			st := play(t, s, console)
			ended(t, st, rotation.RefusedRun, tt.told...)
			judged(t, s, st)
			nothingWritten(t, s, before)
		})
	}
	t.Run("renamed meanwhile, given by id", func(t *testing.T) {
		s := stage.New(1, stage.Knobs)
		var id string
		s.World.Look(func(w *sim.State) { id = w.Heroku.Apps[0].ID })
		s.Config = config(t, "app: raxx-console-prod", "app: "+id)
		after(s, storeWrites, 1, func(w *sim.State) {
			w.Heroku.Apps[0].Name, w.Edge.Sites["console.raxx.app"].App = "raxx-console-2", "raxx-console-2"
			secondApp(w, app, "PORT", "80")
		})
		st := play(t, s, console)
		ended(t, st, rotation.Rotated)
		judged(t, s, st)
		if vars := see(s).Vars[app]; len(vars) != 1 {
			t.Errorf("the app that took the name over was given %d config vars", len(vars)-1)
		}
	})
}
