package runner_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/contract"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

// rareScenes are what a vendor is asked only where something is not as usual: each
// has to end as told.
var rareScenes = map[string]struct {
	arrange func(*stage.Stage)
	ending  rotation.Ending
}{
	"an application's own page for those it denies": {func(s *stage.Stage) {
		s.World.Look(func(w *sim.State) {
			for i := range w.Cloudflare.Apps {
				w.Cloudflare.Apps[i].DenyNonIdentity = "https://raxx.app/sorry"
			}
		})
	}, rotation.Rotated},
	"an app without the feature that is asked for": {func(s *stage.Stage) {
		s.Before = answering("/features/preboot", http.StatusNotFound, `{"id":"not_found","message":"Couldn't find that app feature."}`)
	}, rotation.Rotated},
	"a one-off dyno that ends": {func(s *stage.Stage) {
		s.World.Look(func(w *sim.State) { oneOff(w, "jobs.9144", 10*time.Minute) })
	}, rotation.Rotated},
	"a config var that is not there": {func(s *stage.Stage) {
		s.World.Look(func(w *sim.State) {
			for _, r := range w.Heroku.Apps[0].Releases {
				delete(r.Vars, formerConsole)
			}
		})
	}, rotation.Rotated},
	"a config var that somebody removes after it was written": {func(s *stage.Stage) {
		s.Before = once(http.MethodGet, "/heroku/apps/"+app+"/dynos", s, loseFormer)
	}, rotation.RolledBack},
	"a config var that somebody removes before the old one is switched off": {func(s *stage.Stage) {
		s.Before = once(http.MethodGet, "/heroku/apps", s, loseFormer)
	}, rotation.RolledBack},
}

// rare plays what is asked of the vendors in rare cases only.
func rare(t *testing.T, rec *contract.Recorder) {
	for name, scene := range rareScenes {
		s := stage.New(1, stage.Knobs)
		scene.arrange(s)
		s.Around = rec.Around
		result, err := s.Play(console)
		if err != nil || result.State.Closed == nil || result.State.Closed.Ending != scene.ending {
			t.Errorf("%s: %+v %v\n%s", name, result.State.Closed, err, s.Log.Text())
		}
	}
	unlikeStages(t, rec)
}

// unlikeStages are stages of a pipeline that is not there, of one that nobody may
// read, and of one that lacks what it is said to hold, with an app that lacks it too.
func unlikeStages(t *testing.T, rec *contract.Recorder) {
	s := stage.New(1, stage.Knobs)
	s.Config = config(t, "      - app: raxx-console-prod\n", "      - app: raxx-console-prod\n      - {pipeline: raxy, stage: review}\n")
	s.Around = rec.Around
	if _, err := s.Look(console); err == nil || !strings.Contains(err.Error(), "did you mean raxx?") {
		t.Errorf("a pipeline that is not there: %v", err)
	}
	s = withPipeline(t)
	s.Around = rec.Around
	s.Before = answering("/stage/review/config-vars", http.StatusNotFound, `{"id":"not_found","message":"Couldn't find that pipeline."}`)
	if _, err := s.Look(console); err == nil || !strings.Contains(err.Error(), "pipeline raxx is listed, and not found") {
		t.Errorf("a pipeline that may not be read: %v", err)
	}
	s = withPipeline(t)
	s.Around = rec.Around
	s.World.Look(func(w *sim.State) {
		delete(w.Heroku.Pipelines[0].Vars["review"], formerConsole)
		a := w.AddReviewApp(w.Heroku.Pipelines[0], "raxx-pr-17")
		delete(inForce(a), formerConsole)
		stage.AddApp(w, "empty", map[string]string{})
	})
	if seen, err := s.Look(console); err != nil || len(seen.Consumers) != 2 || seen.Consumers[1].Slots[1].Present {
		t.Errorf("a stage without what it is said to hold: %+v %v", seen.Consumers, err)
	}
	if _, _, _, err := s.Discovered(); err != nil {
		t.Error(err)
	}
}

// loseFormer removes the former name from the app.
func loseFormer(w *sim.State) { delete(inForce(w.Heroku.Apps[0]), formerConsole) }

// once does something to the world before the first such request after the app was
// written to.
func once(method, path string, s *stage.Stage, do func(*sim.State)) func(int, *http.Request, func() (*http.Response, error)) (*http.Response, error) {
	written, over := false, false
	return func(_ int, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if written && !over && req.Method == method && strings.HasSuffix(path, req.URL.Path) {
			over = true
			s.World.Look(do)
		}
		written = written || req.Method == http.MethodPatch && strings.HasSuffix(req.URL.Path, "/config-vars")
		return send()
	}
}

// answering answers every request for a path that ends so.
func answering(path string, status int, body string) func(int, *http.Request, func() (*http.Response, error)) (*http.Response, error) {
	return func(_ int, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if !strings.HasSuffix(req.URL.Path, path) {
			return send()
		}
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}, "Request-Id": {"01234567-89ab-cdef-0123-456789abcdef"}},
			Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
	}
}
