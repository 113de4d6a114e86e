package runner_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

// crowded is a stage whose account has a hundred apps more, each with a life of its own.
func crowded() *stage.Stage {
	s := stage.New(1, stage.Knobs)
	s.World.Look(func(w *sim.State) {
		for i := range 100 {
			a := stage.AddApp(w, fmt.Sprintf("raxx-other-%03d", i), map[string]string{"SECRET": fmt.Sprint("hunter", i)})
			a.ID, a.Processes = fmt.Sprintf("%08d-0000-4000-8000-000000000009", i), nil
			a.Releases[0].CreatedAt = w.At.Add(-48 * time.Hour)
		}
	})
	return s
}

// reads counts the reads of config vars from here on.
func reads(s *stage.Stage) func() int {
	before := count(s, "heroku", "config-vars")
	return func() int { return count(s, "heroku", "config-vars") - before }
}

// TestTheLookForOthersIsSharedBetweenRuns: with a hundred apps in the account each is read
// once, and by the next runs of the process only where it has changed since.
func TestTheLookForOthersIsSharedBetweenRuns(t *testing.T) {
	s := crowded()
	s.Memory = &provider.Memory{}
	n, calls := reads(s), s.Calls
	ended(t, play(t, s, console), rotation.Rotated)
	t.Logf("the first run: %d reads of config vars, %d calls", n(), s.Calls-calls)
	if n() > 110 {
		t.Errorf("the first run read config vars %d times, of a hundred apps", n())
	}
	n, calls = reads(s), s.Calls
	ended(t, next(t, s, console, "test02"), rotation.Rotated)
	t.Logf("the second run: %d reads of config vars, %d calls", n(), s.Calls-calls)
	if n() > 10 {
		t.Errorf("the second run read config vars %d times", n())
	}
	if log := s.Log.Text(); !strings.Contains(log, "100 of them were read earlier") {
		t.Error("the proof does not say what was not read now")
	}
}

// TestWhoIsGivenTheOldOneMeanwhileIsSeen: an app that was read before, and is given the
// old one by a release at any moment before the last list, stops the run.
func TestWhoIsGivenTheOldOneMeanwhileIsSeen(t *testing.T) {
	last, _ := lastLook(t, "")
	for n := 1; n <= last; n++ {
		s := stage.New(1, stage.Knobs)
		var old string
		s.World.Look(func(w *sim.State) {
			old = inForce(w.Heroku.Apps[0])[console]
			stage.AddApp(w, stage.Other, map[string]string{"SECRET": "hunter2"}).Processes = nil
		})
		given := false
		s.Before = func(call int, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if list := req.URL.Path == "/apps"; !given && (call >= n || list && call > last/2) {
				given = true
				s.World.Look(func(w *sim.State) {
					a := w.Heroku.Apps[1]
					a.Releases = append(a.Releases, &sim.Release{ID: "r8", Version: 8, Status: "succeeded", Description: "Set " + console + " config vars",
						CreatedAt: w.At, Vars: map[string]string{console: old}})
				})
			}
			return send()
		}
		st := play(t, s, console)
		judged(t, s, st)
		if st.Closed != nil && st.Closed.Ending == rotation.Rotated {
			t.Errorf("given before call %d: rotated", n)
		}
	}
}
