package runner_test

import (
	"encoding/json"
	"maps"
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

// By hand the audit entry is a template typed at the end, if the terminal lives:
// only ever "completed". Instead the beginning is on disk before anything is
// touched, and every ending is, with who and why.
func TestT41EveryEndingIsOnRecord(t *testing.T) {
	for _, tt := range []struct {
		fault  sim.Fault
		ending rotation.Ending
	}{
		{sim.Fault{Vendor: "none"}, rotation.Rotated},
		{sim.Fault{Vendor: "heroku", Endpoint: "PATCH", Status: 422}, rotation.RolledBack},
		{sim.Fault{Vendor: "heroku", Endpoint: "GET", Status: 403, Times: -1}, rotation.RefusedRun},
	} {
		t.Run(string(tt.ending), func(t *testing.T) {
			s := stage.New(1, stage.Knobs)
			s.World.Inject(tt.fault)
			opened := false
			s.Before = func(n int, _ *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
				opened = opened || n == 1 && len(s.Log.Lines) > 0 && s.Log.Lines[0].Kind == rotation.KindOpened
				return pass()
			}
			st := play(t, s, console)
			ended(t, st, tt.ending)
			last := s.Log.Lines[len(s.Log.Lines)-1]
			if !opened || last.Kind != rotation.KindClosed || !strings.Contains(string(last.Body), `"ending":"`+string(tt.ending)+`"`) {
				t.Errorf("opened first: %v; the last entry is %s %s", opened, last.Kind, last.Body)
			}
			if st.Opened.Actor == "" || st.Closed.Why == "" != (tt.ending == rotation.Rotated) {
				t.Errorf("actor %q, why %q", st.Opened.Actor, st.Closed.Why)
			}
			if tt.ending != rotation.Rotated {
				if st.Closed.Record != nil {
					t.Error("it says completed")
				}
				return
			}
			// The record has the fields of the procedure's step 8.
			b, err := json.Marshal(st.Closed.Record)
			if err != nil {
				t.Fatal(err)
			}
			want := `{"action":"secret.rotate.completed","actor":"stage","context":{"secret_name":"` + console + `","old_token_id":"` +
				st.Plan.Old.ID + `","new_token_id":"` + st.Made.Handle.ID + `","method":"programmatic"}}`
			if string(b) != want {
				t.Errorf("the record is %s\nwant %s", b, want)
			}
		})
	}
	// An entry that cannot be written stops everything.
	s := stage.New(1, stage.Knobs)
	before := see(s)
	after(s, kind{"GET", "/access/service_tokens"}, 1, func(*sim.State) { s.Log.Fail = http.ErrServerClosed })
	if _, err := s.Play(console); err == nil || !strings.Contains(err.Error(), "the journal cannot be written, so nothing more is done") {
		t.Errorf("got %v", err)
	}
	nothingWritten(t, s, before)
}

// By hand rollback is "skip step 7": the new token lives on, the store keeps the
// new values, the policies their edits. Instead every effect is taken back, also
// when a person asks for it at the last moment.
func TestT42RollbackTakesEverythingBack(t *testing.T) {
	for _, name := range []string{console, vault} {
		s := stage.New(1, stage.Knobs)
		before := see(s)
		after(s, appWrites, 1, func(*sim.State) {
			// A person asks while the app restarts.
			e := rotation.Event{At: s.Clock.Now(), Run: "test01", Kind: rotation.KindAsked, Asked: &rotation.Asked{Actor: "somebody", Reason: "an incident"}}
			if err := s.Log.Append(t.Context(), e); err != nil {
				t.Error(err)
			}
			panic(stage.Crash{})
		})
		st := play(t, s, name)
		ended(t, st, rotation.RolledBack, "a person asked to go back")
		judged(t, s, st)
		now := see(s)
		sameValues(t, before, now)
		if len(now.Deleted) != 1 || now.Releases[app] != before.Releases[app]+2 {
			t.Errorf("%d tokens deleted, %d releases", len(now.Deleted), now.Releases[app]-before.Releases[app])
		}
	}
}

// By hand the way back from a bad start works only because the store happens to
// have a history. Instead the run keeps nothing on disk and proves, before it
// begins, that the history gives earlier values back; if it stops doing so in the
// middle, nothing of the old one is lost.
func TestT43HistoryIsProvenFirst(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.World.Look(func(w *sim.State) { w.Infisical.Server = sim.Server2024 })
	before := see(s)
	st := play(t, s, console)
	ended(t, st, rotation.RefusedRun, "no-history")
	nothingWritten(t, s, before)

	// The process dies after the store was written: only the history knows the old.
	s = stage.New(1, stage.Knobs)
	before = see(s)
	s.World.Inject(sim.Fault{Vendor: "heroku", Endpoint: "PATCH", Status: 422})
	after(s, storeWrites, 1, func(*sim.State) { panic(stage.Crash{}) })
	st = play(t, s, console)
	ended(t, st, rotation.RolledBack)
	judged(t, s, st)
	sameValues(t, before, see(s))

	prune := func(w *sim.State) {
		for _, x := range w.Infisical.Secrets {
			if strings.Contains(x.Key, "CONSOLE") {
				for i := range x.Versions[:len(x.Versions)-1] {
					x.Versions[i].Value = "pruned"
				}
			}
		}
	}
	// The same, and the history is pruned meanwhile: the app holds the old one still.
	s = stage.New(1, stage.Knobs)
	before = see(s)
	s.World.Inject(sim.Fault{Vendor: "heroku", Endpoint: "PATCH", Status: 422})
	after(s, storeWrites, 1, func(w *sim.State) { prune(w); panic(stage.Crash{}) })
	st = play(t, s, console)
	ended(t, st, rotation.RolledBack)
	judged(t, s, st)
	sameValues(t, before, see(s))

	// The same, and the app has the new one already: nobody has the old one.
	s = stage.New(1, stage.Knobs)
	after(s, appWrites, 1, func(w *sim.State) {
		prune(w)
		e := rotation.Event{At: s.Clock.Now(), Run: "test01", Kind: rotation.KindAsked, Asked: &rotation.Asked{Actor: "somebody", Reason: "an incident"}}
		if err := s.Log.Append(t.Context(), e); err != nil {
			t.Error(err)
		}
		panic(stage.Crash{})
	})
	st = play(t, s, console)
	halted(t, st, "the history does not hold what was there before this run; no other registered place holds the old value any more", "the old one, "+st.Plan.Old.Name, "is live", "may hold either")
	judged(t, s, st)
	if see(s).Tokens[st.Plan.Old.ID] == "" || see(s).Tokens[st.Made.Handle.ID] == "" {
		t.Error("one of the two was ended, though each is held by somebody")
	}
}

// By hand somebody else's change between the first look and the rollback is
// overwritten. Instead only what still holds ours is given back.
func TestT45ForeignChangeIsLeftAlone(t *testing.T) {
	const theirs = "set-by-somebody-else"
	s := stage.New(1, stage.Knobs)
	after(s, appWrites, 1, func(w *sim.State) { set(w.Heroku.Apps[0], formerConsole, theirs) })
	before := see(s)
	st := play(t, s, console)
	ended(t, st, rotation.RolledBack, "is rolled out, but slot "+formerConsole+" holds")
	noOutageButTheirs(t, s)
	now := see(s)
	if now.Vars[app][formerConsole] != theirs {
		t.Errorf("%s was overwritten", formerConsole)
	}
	if !strings.Contains(s.Log.Text(), "slot "+formerConsole+" was changed by somebody else and left alone") {
		t.Error("it is not told")
	}
	now.Vars[app][formerConsole] = before.Vars[app][formerConsole]
	sameValues(t, before, now)

	s = stage.New(1, stage.Knobs)
	s.World.Inject(sim.Fault{Vendor: "heroku", Endpoint: "PATCH", Status: 422})
	after(s, storeWrites, 1, func(w *sim.State) { put(w, formerConsole, theirs) })
	before = see(s)
	st = play(t, s, console)
	ended(t, st, rotation.RolledBack)
	now = see(s)
	if now.Slots[formerConsole] != theirs {
		t.Errorf("the store's %s was overwritten", formerConsole)
	}
	now.Slots[formerConsole] = before.Slots[formerConsole]
	sameValues(t, before, now)
}

// noOutageButTheirs: whoever sets a dead value by hand breaks what reads it.
func noOutageButTheirs(t *testing.T, s *stage.Stage) {
	t.Helper()
	s.World.Look(func(w *sim.State) {
		for _, o := range w.Outages {
			if o.Var != formerConsole {
				t.Errorf("outage of %s (%s): %s", o.Process, o.Var, o.Why)
			}
		}
	})
}

// By hand somebody rolls the app back after the revoke, and the dead value is in
// force again, unnoticed. Instead it is drift: no run begins on it, and it is said
// which release by whom brought it back.
func TestT46RollbackByOthersIsDrift(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	s.World.Look(func(w *sim.State) {
		a := w.Heroku.Apps[0]
		first := a.Releases[0]
		a.Releases = append(a.Releases, &sim.Release{ID: first.ID, Version: 43, Status: "succeeded", Description: "Rollback to v41", CreatedAt: w.At, Vars: maps.Clone(first.Vars)})
		for _, p := range a.Processes {
			p.Env, p.Release = first.Vars, 43
		}
	})
	before := see(s)
	st = next(t, s, console, "test02")
	ended(t, st, rotation.RefusedRun, "consumer-drift", "heroku:raxx-console-prod has drifted: release v43 (Rollback to v41 by ops@example.com) brought back an earlier value: slot "+console+" holds", "check-false")
	same(t, before, see(s))
}

// By hand nothing checks "within 14 days of expiry" and the cadence of 90 days.
// Instead the sooner of the two is when it is due, and why is told.
func TestT48CadenceAndExpiry(t *testing.T) {
	day := 24 * time.Hour
	made := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name            string
		cadence, before time.Duration
		made, expires   time.Time
		at              time.Time
		why             string
	}{
		{"cadence is sooner", 90 * day, 14 * day, made, made.Add(365 * day), made.Add(90 * day), "cadence"},
		{"expiry is sooner", 90 * day, 14 * day, made, made.Add(60 * day), made.Add(46 * day), "expiry"},
		{"only expiry is known", 90 * day, 14 * day, time.Time{}, made.Add(60 * day), made.Add(46 * day), "expiry"},
		{"never expires", 90 * day, 14 * day, made, time.Time{}, made.Add(90 * day), "cadence"},
		{"nothing is known", 90 * day, 14 * day, time.Time{}, time.Time{}, time.Time{}, "unknown"},
		{"neither is wanted", 0, 0, made, made.Add(60 * day), time.Time{}, "never"},
	} {
		d := rotation.DueAt(sop.Spec{Cadence: tt.cadence, BeforeExpiry: tt.before}, tt.made, tt.expires)
		if !d.At.Equal(tt.at) || d.Why != tt.why {
			t.Errorf("%s: due %v (%s), want %v (%s)", tt.name, d.At, d.Why, tt.at, tt.why)
		}
	}
	// The procedure's own: 90 days and 14 days.
	spec, err := config(t).Spec(console)
	if err != nil {
		t.Fatal(err)
	}
	if spec.Cadence != 90*day || spec.BeforeExpiry != 14*day {
		t.Errorf("cadence %s, before expiry %s", spec.Cadence, spec.BeforeExpiry)
	}
	if !slices.Contains([]string{spec.Role}, "superadmin") {
		t.Errorf("role %q", spec.Role)
	}
}
