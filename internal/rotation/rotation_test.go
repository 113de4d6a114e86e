package rotation_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

// played returns the events of a run on the simulated world.
func played(t *testing.T, arrange func(*stage.Stage)) []rotation.Event {
	t.Helper()
	s := stage.New(1, stage.Knobs)
	arrange(s)
	if _, err := s.Play("CF_ACCESS_SVC_CONSOLE"); err != nil {
		t.Fatal(err)
	}
	events, err := s.Log.Events()
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func planOf(t *testing.T, events []rotation.Event) *rotation.Plan {
	t.Helper()
	for _, e := range events {
		if e.Planned != nil {
			return e.Planned
		}
	}
	t.Fatal("no plan")
	return nil
}

// TestTheSameWorldGivesTheSamePlan, byte for byte, and a reviewed plan tells what
// has changed since, but not what changes by itself.
func TestTheSameWorldGivesTheSamePlan(t *testing.T) {
	fine := func(*stage.Stage) {}
	a, b := planOf(t, played(t, fine)), planOf(t, played(t, fine))
	ja, _ := json.Marshal(a)
	jb, _ := json.Marshal(b)
	if string(ja) != string(jb) || a.Digest() != b.Digest() {
		t.Error("two plans of the same world differ")
	}
	b.Seen.At, b.Old.LastSeen, b.Run = b.Seen.At.Add(time.Hour), time.Now(), "other"
	b.NewName = strings.ReplaceAll(b.NewName, "test01", "other")
	if d := rotation.Differences(a, b); a.Digest() != b.Digest() || len(d) != 0 {
		t.Errorf("an hour later it counts as another plan: %v", d)
	}
	c := planOf(t, played(t, func(s *stage.Stage) {
		s.World.Look(func(w *sim.State) { w.Cloudflare.Policies[0].Set("name", "another name") })
	}))
	if d := rotation.Differences(a, c); a.Digest() == c.Digest() || !strings.Contains(strings.Join(d, "\n"), `and is "another name"`) {
		t.Errorf("another name of a rule is not told: %v", d)
	}
}

// TestEveryEventSurvivesTheJournal: what is written is what is read, and every
// prefix of a journal folds to the same state however it was cut into processes.
func TestEveryEventSurvivesTheJournal(t *testing.T) {
	kinds := map[rotation.Kind]bool{}
	for _, arrange := range []func(*stage.Stage){
		func(*stage.Stage) {},
		func(s *stage.Stage) { s.World.Inject(sim.Fault{Vendor: "heroku", Endpoint: "PATCH", Status: 422}) },
		func(s *stage.Stage) {
			s.World.Inject(sim.Fault{Vendor: "cloudflare", Endpoint: "DELETE", Status: 403, Times: -1})
		},
		func(s *stage.Stage) { s.Arrange(stage.Fault{Call: 26, Kind: stage.CrashAfter}) },
	} {
		events := played(t, arrange)
		for i, e := range events {
			kinds[e.Kind] = true
			body, err := e.Body()
			if err != nil {
				t.Fatal(err)
			}
			again := rotation.Event{At: e.At, Run: e.Run, Kind: e.Kind}
			if err := again.Decode(body); err != nil || !reflect.DeepEqual(e, again) {
				t.Errorf("%s does not survive: %v", e.Kind, err)
			}
			// Deciding changes nothing: asked twice, it says the same.
			s := rotation.Fold(events[:i+1])
			first, second := rotation.Next(s, e.At, true), rotation.Next(s, e.At, true)
			if !reflect.DeepEqual(first, second) {
				t.Errorf("after %d events it decides %+v, then %+v", i+1, first, second)
			}
		}
	}
	for _, k := range []rotation.Kind{rotation.KindOpened, rotation.KindPlanned, rotation.KindIntent, rotation.KindOutcome, rotation.KindTurned, rotation.KindConfirmed, rotation.KindResumed, rotation.KindStuck, rotation.KindClosed} {
		if !kinds[k] {
			t.Errorf("no %s among them: the test proves less than it says", k)
		}
	}
	e := rotation.Event{Kind: "of a newer version"}
	if err := errors.Join(e.Decode([]byte(`{}`)), rotation.Understood(e, []byte(`{}`))); err == nil || !strings.Contains(err.Error(), "a newer one has written it") {
		t.Errorf("an event of a newer version: %v", err)
	}
}

// TestDueSpreadAndInWindows: a jitter makes it due earlier by a fixed draw, never
// later; a run starts in the next window, but not after the expiry.
func TestDueSpreadAndInWindows(t *testing.T) {
	const day = 24 * time.Hour
	made := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	spec := sop.Spec{Cadence: 90 * day, Jitter: 10 * day, BeforeExpiry: 14 * day}
	var spread []time.Duration
	for i := range 200 {
		spec.Name = fmt.Sprintf("CF_ACCESS_SVC_%d", i)
		d := rotation.DueAt(spec, made, time.Time{})
		if again := rotation.DueAt(spec, made, time.Time{}); again != d {
			t.Fatal("another draw for the same name")
		}
		early := made.Add(90 * day).Sub(d.At)
		if early < 0 || early >= 10*day {
			t.Errorf("%s is due %s early", spec.Name, early)
		}
		spread = append(spread, early)
	}
	slices.Sort(spread)
	if spread[20] > 2*day || spread[180] < 8*day {
		t.Errorf("not spread evenly: a tenth is below %s, a tenth above %s", spread[20], spread[180])
	}

	w, err := sop.ParseWindow("Mon 09:00-10:00 UTC")
	if err != nil {
		t.Fatal(err)
	}
	spec.Jitter, spec.Windows = 0, []sop.Window{w}
	if d := rotation.DueAt(spec, made, time.Time{}); d.Start != time.Date(2026, 4, 6, 9, 0, 0, 0, time.UTC) || d.Start.Before(d.At) {
		t.Errorf("due %s, starts %s", d.At, d.Start)
	}
	spec.BeforeExpiry = day
	if d := rotation.DueAt(spec, made, made.Add(50*day)); d.Why != "expiry" || d.Start != d.At {
		t.Errorf("no window comes before it dies, and it starts %s instead of %s", d.Start, d.At)
	}
}

// TestStartsAgainstTheMinutes: a run starts in the first minute from its due date on in
// which a window is open, unless that leaves less time before the expiry than a run
// takes: one minute before it is no start.
func TestStartsAgainstTheMinutes(t *testing.T) {
	const day = 24 * time.Hour
	rnd := rand.New(rand.NewPCG(9, 10))
	outside := 0
	for i := range 300 {
		zone := []string{"UTC", "America/Santiago", "America/Havana", "Atlantic/Azores", "Europe/Berlin", "Australia/Lord_Howe"}[i%6]
		w, err := sop.ParseWindow(fmt.Sprintf("%s %02d:%02d-%02d:%02d %s", []string{"Sun", "Sat", "daily", "Mon,Wed", "Sat-Sun"}[i%5], rnd.IntN(24), rnd.IntN(60), rnd.IntN(24), rnd.IntN(60), zone))
		if err != nil {
			continue // it begins and ends at one time
		}
		made := time.Date(2026, 1, 1, 0, rnd.IntN(365*1440), 0, 0, time.UTC)
		spec := sop.Spec{Name: fmt.Sprint("C", i), Cadence: 60 * day, Windows: []sop.Window{w}, Timing: sop.Waits{Settle: 20 * time.Minute, Soak: time.Duration(rnd.IntN(3)) * time.Hour}}
		due := made.Add(60 * day)
		expires := due.Add(time.Duration(rnd.IntN(8*1440)) * time.Minute)
		want := due
		for !w.Open(want) {
			want = want.Add(time.Minute)
		}
		if d := rotation.DueAt(spec, made, time.Time{}); !d.At.Equal(due) || !d.Start.Equal(want) {
			t.Fatalf("%s: due %s, starts %s, want %s", w, d.At, d.Start, want)
		}
		if expires.Sub(want) < time.Hour+20*time.Minute+spec.Timing.Soak {
			outside++
			want = due
		}
		if d := rotation.DueAt(spec, made, expires); !d.Start.Equal(want) {
			t.Fatalf("%s: due %s, expires %s, starts %s, want %s", w, d.At, expires, d.Start, want)
		}
	}
	if outside < 20 {
		t.Errorf("only %d had no window in time", outside)
	}
}

// TestFarDates: what lies further away than a length of time can say is still after now.
func TestFarDates(t *testing.T) {
	const day = 24 * time.Hour
	made := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, years := range []int{100, 293, 300, 1000, 7900} {
		expires := made.AddDate(years, 0, 0)
		d := rotation.DueAt(sop.Spec{BeforeExpiry: 14 * day}, made, expires)
		if d.Why != "expiry" || !d.At.Equal(expires.Add(-14*day)) || !d.Start.Equal(d.At) {
			t.Errorf("%d years: %+v", years, d)
		}
	}
}

// TestStrategies: what the issuer can do decides, and what is asked for is
// refused with a way out where it cannot.
func TestStrategies(t *testing.T) {
	base := planOf(t, played(t, func(*stage.Stage) {}))
	can := rotation.Capabilities{Create: true, Roll: rotation.RollWithGrace, Disable: true, Admits: true, LastSeen: true}
	for _, tt := range []struct {
		name, asked string
		change      func(*rotation.Capabilities, *rotation.Observation)
		want, code  string
	}{
		{"a second one can be made", "", nil, rotation.Replace, ""},
		{"asked to roll", "roll", nil, rotation.RollWithGrace, ""},
		{"only rolled at once", "", func(c *rotation.Capabilities, _ *rotation.Observation) { c.Create, c.Roll = false, rotation.RollAtOnce }, rotation.RollAtOnce, ""},
		{"cannot be rolled", "roll", func(c *rotation.Capabilities, _ *rotation.Observation) { c.Roll = "" }, "", rotation.NoStrategy},
		{"cannot be replaced", "replace", func(c *rotation.Capabilities, _ *rotation.Observation) { c.Create = false }, "", rotation.NoStrategy},
		{"cannot at all", "", func(c *rotation.Capabilities, _ *rotation.Observation) { c.Create, c.Roll = false, "" }, "", rotation.NoStrategy},
		{"an earlier grace runs", "roll", func(_ *rotation.Capabilities, o *rotation.Observation) {
			o.Issuer.Live[0].Previous = o.At.Add(time.Hour)
		}, "", rotation.GraceRunning},
		{"an earlier grace is over", "roll", func(_ *rotation.Capabilities, o *rotation.Observation) {
			o.Issuer.Live[0].Previous = o.At.Add(-time.Hour)
		}, rotation.RollWithGrace, ""},
	} {
		spec, seen, c := base.Spec, base.Seen, can
		spec.Issuer.Strategy = tt.asked
		seen.Issuer.Live = slices.Clone(seen.Issuer.Live)
		i := slices.IndexFunc(seen.Issuer.Live, func(h cred.Handle) bool { return h.ID == seen.Issuer.Owner })
		seen.Issuer.Live[0], seen.Issuer.Live[i] = seen.Issuer.Live[i], seen.Issuer.Live[0]
		if tt.change != nil {
			tt.change(&c, &seen)
		}
		p, refusals := rotation.Compile(spec, seen, c, "test01")
		switch {
		case tt.code == "" && (len(refusals) > 0 || p.Strategy != tt.want):
			t.Errorf("%s: %q, %v", tt.name, p.Strategy, refusals)
		case tt.code != "" && (len(refusals) != 1 || refusals[0].Code != tt.code || refusals[0].Then == ""):
			t.Errorf("%s: %v", tt.name, refusals)
		}
	}
}

// TestEveryStepCanBeReached: no step needs one that does not exist, every effect
// before the point of no return has its undoing, and the end is last.
func TestEveryStepCanBeReached(t *testing.T) {
	for _, strategy := range []string{"", "roll"} {
		p := planOf(t, played(t, func(s *stage.Stage) {}))
		spec := p.Spec
		spec.Issuer.Strategy = strategy
		plan, refusals := rotation.Compile(spec, p.Seen, rotation.Capabilities{Create: true, Roll: rotation.RollWithGrace, Disable: true, Admits: true, LastSeen: true}, "test01")
		if len(refusals) > 0 {
			t.Fatal(refusals)
		}
		undone := map[string]bool{}
		for _, list := range [][]rotation.Step{plan.Back, plan.Steps} {
			ids := map[string]bool{}
			for _, s := range list {
				for _, n := range s.Needs {
					if !ids[n] {
						t.Errorf("%s %s needs %s, which does not stand before it", plan.Strategy, s.ID, n)
					}
				}
				if ids[s.ID] {
					t.Errorf("%s stands twice", s.ID)
				}
				ids[s.ID] = true
				undone[s.Undoes] = true
			}
		}
		for _, s := range plan.Steps {
			if s.Verb.Effect() && !s.Final && !s.Recurs && !s.Strays && !undone[s.ID] {
				t.Errorf("%s: nothing undoes %s", plan.Strategy, s.ID)
			}
		}
	}
}
