package stage

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/sim"
)

// Other is an app of the account that is not registered and works with the
// console's token.
const Other = "raxx-other"

// NewForgotten returns a stage on which Other lives on the console's token from the
// beginning.
func NewForgotten(seed int64, knobs sim.Knobs) *Stage {
	s := New(seed, knobs)
	s.World.Look(func(w *sim.State) { AddApp(w, Other, consoleVar(w)) })
	return s
}

// NewCopied returns a stage on which somebody gives Other what the app held at the
// beginning, just before the n-th call of the run; 0: before the first list of apps
// after a consumer was written, which is that of the last look.
func NewCopied(n int) func(int64, sim.Knobs) *Stage {
	return func(seed int64, knobs sim.Knobs) *Stage {
		s := New(seed, knobs)
		written := false
		s.copyAt = func(req *http.Request) bool {
			written = written || req.Method == http.MethodPatch && strings.HasSuffix(req.URL.Path, "/config-vars")
			return n > 0 && s.Calls == n || n == 0 && written && req.URL.Path == "/apps"
		}
		s.World.Look(func(w *sim.State) { s.copied = consoleVar(w) })
		return s
	}
}

func consoleVar(w *sim.State) map[string]string {
	return map[string]string{driftedName: current(w.Heroku.Apps[0])[driftedName]}
}

// AddApp adds an app with one process that works with these config vars.
func AddApp(w *sim.State, name string, vars map[string]string) *sim.HerokuApp {
	n := string(rune('a' + len(w.Heroku.Apps)%26))
	id := func(of string) string { return "0000000" + n + "-0000-4000-8000-0000000000" + of }
	at := w.At.Add(-time.Hour)
	r := &sim.Release{ID: id("01"), Version: 7, Status: "succeeded", Description: "Deploy 77aa", CreatedAt: at, Vars: vars}
	p := &sim.Process{ID: id("02"), Name: "worker.1", Type: "worker", Release: 7, Env: vars, Started: at, Up: at}
	a := &sim.HerokuApp{ID: id("03"), Name: name, Releases: []*sim.Release{r}, Processes: []*sim.Process{p}}
	w.Heroku.Apps = append(w.Heroku.Apps, a)
	return a
}

// leftWithout judges the guard: nobody who depends on a credential loses access by a run
// that was not told so, registered or not, whatever the strategy.
func leftWithout(w *sim.State, st *rotation.State, bad func(string, ...any)) {
	if st.Plan == nil || !st.Opened.Spec.Looks() {
		return
	}
	for _, o := range w.Outages {
		key := "heroku:" + o.App
		if !registered(st, key, o.Var) && !slices.Contains(st.Despite(), key) {
			bad("promise 1: %s is not registered, nobody said --despite, and it lost access in %s at %s: %s", key, o.Var, o.From.Format(time.TimeOnly), o.Why)
		}
	}
}
