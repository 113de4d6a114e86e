package runner_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

// TestEditsOfOthersStayWhenever: somebody edits the policy before any one of a
// run's calls, whether the run comes through or goes back. Nobody's edit is lost,
// except in the one gap that the vendor leaves: between our reading and our
// writing, for there is no ETag (docs/vendors/cloudflare.md).
func TestEditsOfOthersStayWhenever(t *testing.T) {
	tested, gaps := 0, 0
	for _, back := range []bool{false, true} {
		for n := 1; ; n++ {
			s := stage.New(1, stage.Knobs)
			if back {
				s.World.Inject(sim.Fault{Vendor: "heroku", Endpoint: "PATCH", Status: 422})
			}
			gap, met := false, false
			s.Before = func(call int, req *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
				if call == n {
					met = true
					gap = req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/policies/")
					s.World.Look(othersEdit)
				}
				return pass()
			}
			st := play(t, s, console)
			if !met {
				break
			}
			want := rotation.Rotated
			if back {
				want = rotation.RolledBack
			}
			ended(t, st, want)
			judged(t, s, st)
			kept := strings.Contains(see(s).Rules[`"console service auth"`], "new@raxx.app")
			switch {
			case gap:
				gaps++
			case !kept:
				t.Errorf("%s, edit before call %d is lost", want, n)
			}
			tested++
		}
	}
	t.Logf("%d moments, %d of them in the vendor's gap", tested, gaps)
	if tested < 40 || gaps != 4 {
		t.Errorf("%d moments, %d gaps: this is not the run that was meant", tested, gaps)
	}
}

// othersEdit adds a person to the policy, as a dashboard does.
func othersEdit(w *sim.State) {
	r := w.Cloudflare.Policies[0]
	r["include"] = json.RawMessage(strings.TrimSuffix(string(r["include"]), "]") + `,{"email":{"email":"new@raxx.app"}}]`)
	r["updated_at"] = json.RawMessage(fmt.Sprintf("%q", w.At.Format("2006-01-02T15:04:05.000Z")))
}

// TestRefusedDeleteNamesWhoStillUsesIt: somebody names the old token in another
// group after it was taken out of every rule that named it. Cloudflare refuses
// the delete and does not say why in detail; the message does.
func TestRefusedDeleteNamesWhoStillUsesIt(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	whenever(s, deletes, func(n int, _ *http.Request, pass send) (*http.Response, error) {
		if n == 1 {
			s.World.Look(func(w *sim.State) {
				w.Cloudflare.Groups = append(w.Cloudflare.Groups, sim.Rules{
					"id": json.RawMessage(`"9e1d7d34-5a3c-4e7a-8b0e-000000000001"`), "name": json.RawMessage(`"night shift"`),
					"include": json.RawMessage(`[{"service_token":{"token_id":"` + w.Cloudflare.Tokens[0].ID + `"}}]`),
				})
			})
		}
		return pass()
	})
	st := play(t, s, console)
	halted(t, st, "delete the old credential", `12139`, `group "night shift"`)
}

// TestLookingLeavesTheRestOfTheLimit: other programs have nearly used up the
// account's calls. Looking waits, what changes something goes out, and the run
// comes through without one 429.
func TestLookingLeavesTheRestOfTheLimit(t *testing.T) {
	for _, vendor := range []string{"cloudflare", "heroku"} {
		knobs := stage.Knobs
		knobs.RateLimits = true
		s := stage.New(1, knobs)
		made := false
		var answers []int
		s.Before = func(_ int, req *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
			made = made || creates.fits(req)
			if made { // they go on and on
				s.World.Look(func(w *sim.State) { w.Buckets[vendor] = &sim.Bucket{Left: 12, At: w.At} })
			}
			resp, err := pass()
			if err == nil {
				answers = append(answers, resp.StatusCode)
			}
			return resp, err
		}
		st := play(t, s, console)
		ended(t, st, rotation.Rotated)
		judged(t, s, st)
		if slices.Contains(answers, http.StatusTooManyRequests) {
			t.Errorf("%s: answers %v", vendor, answers)
		}
		if !strings.Contains(s.Log.Text(), "not asked: the vendor's rate limit is nearly used up") {
			t.Errorf("%s: nothing had to wait: this proves nothing", vendor)
		}
	}
}
