package runner_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

const reviewStage = "heroku:raxx/review"

// reviewConfig is read once: it is the same for every world.
var reviewConfig = sync.OnceValues(func() (*sop.Config, error) {
	yaml := strings.Replace(sop.Example(), "      - app: raxx-console-prod\n", "      - app: raxx-console-prod\n      - {pipeline: raxx, stage: review}\n", 1)
	return sop.Parse("rekey.yaml", []byte(yaml))
})

// withPipeline is the SOP's world in which the pipeline's review stage holds the
// console's token as well, and says so in rekey.yaml.
func withPipeline(t *testing.T) *stage.Stage {
	t.Helper()
	config, err := reviewConfig()
	if err != nil {
		t.Fatal(err)
	}
	s := stage.New(1, stage.Knobs)
	s.Config = config
	s.World.Look(func(w *sim.State) {
		for _, n := range []string{console, formerConsole} {
			w.Heroku.Pipelines[0].Vars["review"][n] = inForce(w.Heroku.Apps[0])[n]
		}
	})
	return s
}

// stageHolds returns whether stage review holds what the app holds.
func stageHolds(s *stage.Stage) (same bool) {
	s.World.Look(func(w *sim.State) {
		vars, app := w.Heroku.Pipelines[0].Vars["review"], inForce(w.Heroku.Apps[0])
		same = vars[console] == app[console] && vars[formerConsole] == app[formerConsole] && vars[console] != "" &&
			vars["DATABASE_URL"] == "postgres://simulated-review"
	})
	return same
}

// TestPipelineStageIsRotated: one write, no release, read back; the plan says
// what it costs and what review apps keep.
func TestPipelineStageIsRotated(t *testing.T) {
	s := withPipeline(t)
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	if !stageHolds(s) || count(s, "heroku", "PATCH /pipelines") != 1 {
		t.Errorf("stage and app hold the same: %v, after %d writes", stageHolds(s), count(s, "heroku", "PATCH /pipelines"))
	}
	plan := strings.Join(append(st.Plan.Notes, st.Plan.Costs...), "\n")
	for _, want := range []string{reviewStage + ": review apps made from now on take the new value", reviewStage + ": 1 write, so no release and no restart"} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan does not say %q:\n%s", want, plan)
		}
	}
	if !strings.Contains(s.Log.Text(), "read back as written") {
		t.Error("the journal has no evidence of the read-back")
	}
}

// TestReviewAppThatWouldBeLeftBehind stops the run before anything is touched.
func TestReviewAppThatWouldBeLeftBehind(t *testing.T) {
	s := withPipeline(t)
	s.World.Look(func(w *sim.State) { w.AddReviewApp(w.Heroku.Pipelines[0], "raxx-pr-17") })
	st := play(t, s, console)
	ended(t, st, rotation.RefusedRun, rotation.ConsumerUnwell, "raxx-pr-17", "is not registered")
	if n := count(s, "heroku", "PATCH"); n != 0 || !stageHolds(s) {
		t.Errorf("%d writes", n)
	}
}

// TestStageThatShowsItLater: there is no release to follow, so a read that still
// has the old value means "not yet", and not that the write failed.
func TestStageThatShowsItLater(t *testing.T) {
	s := withPipeline(t)
	before := ""
	s.World.Look(func(w *sim.State) {
		b, _ := json.Marshal(w.Heroku.Pipelines[0].Vars["review"])
		before = string(b)
	})
	stale := 0
	s.Before = func(_ int, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		resp, err := send()
		if strings.Contains(req.URL.Path, "/stage/review/") && req.Method == http.MethodGet && count(s, "heroku", "PATCH /pipelines") > 0 && stale < 3 {
			stale++
			resp.Body = io.NopCloser(strings.NewReader(before))
		}
		return resp, err
	}
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	if stale != 3 || !stageHolds(s) {
		t.Errorf("%d stale reads", stale)
	}
	if log := s.Log.Text(); !strings.Contains(log, "does not show it yet") {
		t.Error("the journal does not say what was waited for")
	}
}

// TestEverySingleFaultAtAStage gives every call of a run with a stage every kind
// of fault: at the end app and stage hold the same live token.
func TestEverySingleFaultAtAStage(t *testing.T) {
	clean := withPipeline(t)
	play(t, clean, console)
	n := 0
	for call := 1; call <= clean.Calls; call++ {
		for i, k := range slices.Concat(stage.Kinds, stage.Rude) {
			if (call+i+turn())%sample(6) != 0 {
				continue
			}
			s := withPipeline(t)
			f := stage.Fault{Call: call, Kind: k}
			s.Arrange(f)
			st := play(t, s, console)
			n++
			anew := k == stage.SetBack && st.Closed != nil && st.Closed.Ending == rotation.RefusedRun // told, and left to a person
			if st.Closed == nil || !anew && !stageHolds(s) {
				t.Errorf("%s: closed %v, stage and app hold the same: %v", f, st.Closed, stageHolds(s))
			}
			judged(t, s, st)
		}
	}
	t.Logf("%d scenarios: EVERY %dth (-args -whole tries all)", n, sample(6))
}
