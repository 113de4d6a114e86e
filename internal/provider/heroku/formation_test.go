package heroku_test

import (
	"net/http"
	"strings"
	"testing"

	"rekey/internal/cred"
	"rekey/internal/provider"
)

// TestWhatIsNotInTheFormationIsOneOff: whatever its type and its number, and without
// a number too; only what the formation keeps running is waited for by a run that
// goes back, or counts as crashed.
func TestWhatIsNotInTheFormationIsOneOff(t *testing.T) {
	const formation = `[{"type":"web","quantity":2},{"type":"worker","quantity":1},{"type":"jobs","quantity":0}]`
	dyno := func(name, state, version string) string {
		kind, _, _ := strings.Cut(name, ".")
		kind, _, _ = strings.Cut(kind, "-")
		return `{"name":"` + name + `","type":"` + kind + `","state":"` + state + `","release":{"version":` + version + `}}`
	}
	for name, c := range map[string]struct {
		dyno   string
		oneOff bool
	}{
		"a run":                                {dyno("run.4711", "up", "40"), true},
		"a type that has none":                 {dyno("jobs.9144", "up", "40"), true},
		"a type that has none, a small number": {dyno("jobs.1", "up", "40"), true},
		"a type of its own, a small number":    {dyno("console.1", "up", "40"), true},
		"a type of the formation, random":      {dyno("web.9144", "up", "40"), true},
		"one more than the formation has":      {dyno("web.3", "up", "40"), true},
		"a crashed one":                        {dyno("rake.5512", "crashed", "40"), true},
		"one of the formation":                 {dyno("web.2", "up", "40"), false},
		"one of the formation without number":  {dyno("worker-5d9c7c5c6b-abcde", "up", "40"), false},
		"no number, and not in it":             {dyno("rake-5d9c7c5c6b-abcde", "up", "40"), true},
	} {
		b, v := open(t)
		b.instead = func(req *http.Request) *http.Response {
			switch {
			case strings.HasSuffix(req.URL.Path, "/dynos"):
				return answer(req, http.StatusOK, "application/json", "["+dyno("web.1", "up", "41")+","+c.dyno+"]")
			case strings.HasSuffix(req.URL.Path, "/formation"):
				return answer(req, http.StatusOK, "application/json", formation)
			}
			return nil
		}
		// It began before the values that are given back now were ever changed.
		p, err := consumer(t, v, prod).Progress(t.Context(), provider.Followed{Since: "", Same: "40"}, []string{slot})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want := map[bool]cred.Class{true: cred.Done, false: cred.Waiting}[c.oneOff]; p.Class != want {
			t.Errorf("%s: on the way back: %s (%s), want %s", name, p.Class, p.Detail, want)
		}
		s := snapshot(t, consumer(t, v, prod), slot)
		if told := said(s.Notes, "one-off dyno"); told != c.oneOff || len(s.Problems) > 0 {
			t.Errorf("%s: told as one-off: %v; problems %v", name, told, s.Problems)
		}
	}
}
