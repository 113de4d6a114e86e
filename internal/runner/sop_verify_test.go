package runner_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

// By hand the check says true with the old token as with the new one, since both
// are valid: the most dangerous of all. Instead it is the release and the
// processes that say what the app runs on, and the old one is kept until they do.
func TestT31TrueDoesNotTellNewFromOld(t *testing.T) {
	for name, answer := range map[string]string{
		"taken and dropped": `{"PORT":"x"}`, "another value": `{"CF_ACCESS_SVC_CONSOLE":"x"}`, "nothing": `{}`, "an error": `{"id":"bad_request","message":"no"}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(1, stage.Knobs)
			before := see(s)
			whenever(s, appWrites, func(_ int, req *http.Request, _ send) (*http.Response, error) {
				return says(req, 200, "application/json", answer)
			})
			st := play(t, s, console)
			ended(t, st, rotation.RolledBack, "the answer does not have CF_ACCESS_SVC_CONSOLE as it was set")
			judged(t, s, st)
			sameValues(t, before, see(s))
		})
	}
	t.Run("says what was sent", func(t *testing.T) {
		s := stage.New(1, stage.Knobs)
		before := see(s)
		whenever(s, appWrites, func(_ int, req *http.Request, _ send) (*http.Response, error) {
			sent, err := io.ReadAll(req.Body)
			if err != nil {
				t.Error(err)
			}
			return says(req, 200, "application/json", string(sent))
		})
		st := play(t, s, console)
		ended(t, st, rotation.RolledBack, "wait until all of heroku:raxx-console-prod runs on it: not within", "no release after v41 yet")
		judged(t, s, st)
		sameValues(t, before, see(s))
	})
	t.Run("the release is there, its values are not", func(t *testing.T) {
		s := stage.New(1, stage.Knobs)
		before := see(s)
		after(s, appWrites, 1, func(w *sim.State) { set(w.Heroku.Apps[0], console, w.Heroku.Apps[0].Releases[0].Vars[console]) })
		st := play(t, s, console)
		ended(t, st, rotation.RolledBack, "is rolled out, but slot "+console+" holds")
		judged(t, s, st)
		sameValues(t, before, see(s))
	})
}

// checked arranges a change to the world, before the run and during it, and
// demands that a check which tells nothing stops the run.
func checked(t *testing.T, told string, change func(w *sim.State)) {
	t.Helper()
	s := stage.New(1, stage.Knobs)
	s.World.Look(change)
	before := see(s)
	st := play(t, s, console)
	ended(t, st, rotation.RefusedRun, "check-false", "is not true now: "+told)
	judged(t, s, st)
	nothingWritten(t, s, before)

	s = stage.New(1, stage.Knobs)
	before = see(s)
	after(s, appWrites, 1, change)
	st = play(t, s, console)
	ended(t, st, rotation.RolledBack, "check after the switch: ", told)
	judged(t, s, st)
	sameValues(t, before, see(s))
}

// By hand an expired cookie gives a login page, jq fails, and the run goes on.
// Instead a page is no answer: before the run it is refused, in it it goes back.
func TestT32ExpiredSession(t *testing.T) {
	checked(t, "the answer is not JSON: a login page?", func(w *sim.State) { w.Edge.Session = "a-new-one" })
}

// By hand a renamed site gives an empty output, exit 0, and the run goes on.
// Instead an expression that selects nothing proves nothing.
func TestT33RenamedSite(t *testing.T) {
	checked(t, "the jq expression selected nothing: was something renamed?", func(w *sim.State) {
		status := w.Edge.Sites["console.raxx.app"].Status
		status["console-production"] = status["console-prod"]
		delete(status, "console-prod")
	})
}

// By hand the liveness may be cached from before the restart, or null because the
// field is gone. Instead the expression can demand an answer that is younger than
// the switch, and only true is true.
func TestT34CachedOrMissingLiveness(t *testing.T) {
	const jq, young = `select(.id=="<scope>-prod").liveness.ok`, `select(.id=="<scope>-prod").liveness | .ok and .checked_at >= $since`
	sites := func(at time.Time, ok string) string {
		return fmt.Sprintf(`{"sites":[{"id":"console-prod","liveness":{"ok":%s,"checked_at":%q}}]}`, ok, at.UTC().Format(time.RFC3339Nano))
	}
	for name, tt := range map[string]struct {
		jq     string
		cached time.Duration // how long the answer is one from before the run
		ok     string
		ending rotation.Ending
		told   string
	}{
		"cached for ever":    {young, time.Hour * 24, "true", rotation.RolledBack, "jq gave false instead of true"},
		"cached for a while": {young, 90 * time.Second, "true", rotation.Rotated, ""},
		"null":               {jq, time.Hour * 24, "null", rotation.RolledBack, "jq gave null instead of true"},
		"a text":             {jq, time.Hour * 24, `"true"`, rotation.RolledBack, "jq gave a text instead of true"},
	} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(1, stage.Knobs)
			s.Config = config(t, jq, tt.jq)
			written := time.Time{}
			after(s, appWrites, 1, func(w *sim.State) { written = w.At })
			whenever(s, checks, func(_ int, req *http.Request, pass send) (*http.Response, error) {
				if written.IsZero() || s.Clock.Now().Sub(written) > tt.cached {
					return pass()
				}
				return says(req, 200, "application/json", sites(stage.Start.Add(-time.Minute), tt.ok))
			})
			before := see(s)
			st := play(t, s, console)
			ended(t, st, tt.ending, tt.told)
			judged(t, s, st)
			if tt.ending == rotation.RolledBack {
				sameValues(t, before, see(s))
			}
		})
	}
	// A check that is true proves one consumer; the others are proven by settling.
	s := stage.New(1, stage.Knobs)
	s.World.Look(func(w *sim.State) { secondApp(w, "raxx-second", console, pair(*w.Cloudflare.Tokens[0])) })
	s.Config = config(t, "      - app: raxx-console-prod\n", "      - app: raxx-console-prod\n      - app: raxx-second\n")
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	settled := 0
	for _, step := range st.Plan.Steps {
		if step.Verb == rotation.Settle && strings.HasPrefix(step.Target, "heroku:") {
			settled++
		}
	}
	if settled != 2 {
		t.Errorf("%d consumers are followed, want 2", settled)
	}
}
