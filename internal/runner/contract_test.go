package runner_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"rekey/internal/contract"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

// zoneScenarios are the console's token as one of a zone.
func zoneScenarios(t *testing.T) []stage.Scenario {
	zone := config(t, "      duration: 8760h\n", "      duration: 8760h\n      zone: a1120e00000000000000000000000001\n")
	on := func(seed int64, knobs sim.Knobs) *stage.Stage {
		s := stage.NewZone(seed, knobs)
		s.Config = zone
		return s
	}
	return []stage.Scenario{{Credential: console, On: on}, {Credential: console, On: on, Strategy: "roll"}}
}

// TestRunsSpeakAsPublished plays whole runs of every kind, through every kind of
// fault, and holds each exchange with Cloudflare and Heroku against what they
// publish. Nothing may differ but what internal/contract excepts with a reason,
// and every exception has to be needed.
func TestRunsSpeakAsPublished(t *testing.T) {
	rec := contract.New()
	all := slices.Concat(variations, apiTokens, purposes, authorizations, zoneScenarios(t), []stage.Scenario{{Credential: "CF_API_TOKEN_CI", Strategy: "roll"}})
	workers(func(work chan<- func()) {
		for _, sc := range all {
			work <- func() { cleanly(t, rec, sc) }
		}
		for _, more := range []func(*testing.T, *contract.Recorder){looks, surveys, withStages, silentPolicies, afterRollback, inUse, limited, refusing, rare} {
			work <- func() { more(t, rec) }
		}
	})
	for _, v := range rec.Violations() {
		t.Error(v)
	}
	for _, e := range rec.Unneeded() {
		t.Errorf("never needed: %s", e)
	}
	counts := rec.Counts()
	total := 0
	for _, op := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%6d  %s", counts[op], op)
		total += counts[op]
		if !slices.Contains(operations, op) {
			t.Errorf("%s is exercised and not listed", op)
		}
	}
	t.Logf("%6d  exchanges", total)
	for _, op := range operations {
		if counts[op] == 0 {
			t.Errorf("%s is never exercised", op)
		}
	}
	unsent(t, rec)
}

// cleanly plays a scenario without faults, and then once with every kind of
// fault at a call here and there.
func cleanly(t *testing.T, rec *contract.Recorder, sc stage.Scenario) {
	// Of the faults one in so many is played: those of every kind are elsewhere, and
	// what is asked after them is the same for all.
	const every = 26
	sc.Around = rec.Around
	v := sc.Run(1)
	if v.Err != nil || len(v.Broken) > 0 || v.Ending == "stuck" || v.Ending == string(rotation.RefusedRun) {
		t.Errorf("%s: %q %v %v\n%s", sc, v.Ending, v.Err, v.Broken, v.Stage.Log.Text())
	}
	for call := 1; call <= v.Calls; call++ {
		for i, k := range stage.Kinds {
			if (call+i)%every == 0 {
				sc.Faults = []stage.Fault{{Call: call, Kind: k}}
				sc.Run(1)
			}
		}
	}
}

// looks is what is read before a run, advice included.
func looks(t *testing.T, rec *contract.Recorder) {
	s := stage.New(1, stage.Knobs)
	s.World.Look(func(w *sim.State) {
		w.Cloudflare.DoH = w.Cloudflare.Tokens[0].ID
		w.Cloudflare.Inactivity = &sim.Inactivity{Enabled: true, Days: 30, Action: "disable"}
	})
	s.Around = rec.Around
	seen, err := s.Look(console)
	if err != nil || len(seen.Advice) != 3 {
		t.Errorf("%v %v", seen.Advice, err)
	}
}

// surveys is what is read to find who else holds a credential, with a stage whose
// apps keep what they hold.
func surveys(t *testing.T, rec *contract.Recorder) {
	for _, kept := range []string{"", ", existing_apps: tell"} {
		s := stage.New(1, stage.Knobs)
		s.Config = config(t, "      - app: raxx-console-prod\n", "      - app: raxx-console-prod\n      - {pipeline: raxx, stage: review"+kept+"}\n")
		s.World.Look(stage.Scatter)
		s.Around = rec.Around
		if found, _, _, err := s.Discovered(); err != nil || len(found) < 5 {
			t.Errorf("%+v %v", found, err)
		}
	}
}

// withStages has a pipeline's stage as a consumer, by name, and an app in it.
func withStages(t *testing.T, rec *contract.Recorder) {
	s := withPipeline(t)
	s.Around = rec.Around
	ended(t, play(t, s, console), rotation.Rotated)
	s = withPipeline(t)
	s.Around = rec.Around
	s.World.Look(func(w *sim.State) { w.AddReviewApp(w.Heroku.Pipelines[0], "raxx-pr-17") })
	ended(t, play(t, s, console), rotation.RefusedRun, rotation.ConsumerUnwell)
}

// silentPolicies: policies embedded in applications do not say whether they are
// reusable, as published. They are edited at the account all the same.
func silentPolicies(t *testing.T, rec *contract.Recorder) {
	s := stage.New(1, stage.Knobs)
	s.Around = rec.Around
	s.Before = func(_ int, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		resp, err := send()
		if err == nil && strings.HasSuffix(req.URL.Path, "/access/apps") {
			b, _ := io.ReadAll(resp.Body)
			resp.Body = io.NopCloser(bytes.NewReader(bytes.ReplaceAll(b, []byte(`"reusable":true,`), nil)))
		}
		return resp, err
	}
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	for _, p := range st.Plan.Seen.Admission.Places {
		if p.Kind != "policy" {
			t.Errorf("a reusable policy is taken for a place of kind %s", p.Kind)
		}
	}
}

// afterRollback reads what an app held before somebody rolled it back.
func afterRollback(t *testing.T, rec *contract.Recorder) {
	s := stage.New(1, stage.Knobs)
	s.Around = rec.Around
	ended(t, play(t, s, console), rotation.Rotated)
	first := ""
	s.World.Look(func(w *sim.State) { first = w.Heroku.Apps[0].Releases[0].ID })
	// As Heroku's own CLI does it; our client never does.
	req, _ := http.NewRequest(http.MethodPost, "https://api.heroku.com/apps/"+app+"/releases", strings.NewReader(`{"release":"`+first+`"}`))
	req.Header = http.Header{"Accept": {"application/vnd.heroku+json; version=3"}, "Authorization": {"Bearer " + s.World.Env()["HEROKU_API_KEY"]}, "Content-Type": {"application/json"}}
	resp, err := rec.Around(s.World).RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("%v %v", resp, err)
	}
	ended(t, next(t, s, console, "test02"), rotation.RefusedRun, "has drifted")
}

// inUse: a rule that names the old token stands up just before it is deleted.
func inUse(t *testing.T, rec *contract.Recorder) {
	s := stage.New(1, stage.Knobs)
	s.Around = rec.Around
	s.Before = func(_ int, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if id, ok := strings.CutPrefix(req.URL.Path, "/client/v4/accounts/a11acc00000000000000000000000001/access/service_tokens/"); ok && req.Method == http.MethodDelete {
			s.World.Look(func(w *sim.State) {
				w.Cloudflare.Groups[0]["include"] = []byte(`[{"service_token":{"token_id":"` + id + `"}}]`)
			})
		}
		return send()
	}
	if st := play(t, s, console); st.Stuck == nil || !strings.Contains(s.Log.Text(), "12139") {
		t.Errorf("%+v", st.Closed)
	}
}

// limited: the vendors' own limits, reached.
func limited(t *testing.T, rec *contract.Recorder) {
	knobs := stage.Knobs
	knobs.RateLimits = true
	for _, vendor := range []string{"cloudflare", "heroku"} {
		s := stage.New(1, knobs)
		s.Around = rec.Around
		s.World.Look(func(w *sim.State) { w.Buckets = map[string]*sim.Bucket{vendor: {Left: 3, At: w.At}} })
		ended(t, play(t, s, console), rotation.Rotated)
	}
}

// refusing: the simulator's own refusals, of every status, at every endpoint.
func refusing(t *testing.T, rec *contract.Recorder) {
	for _, status := range []int{400, 401, 403, 404, 409, 422, 429, 500, 503} {
		for _, vendor := range []string{"cloudflare", "heroku"} {
			for after := range 4 {
				s := stage.New(1, stage.Knobs)
				s.Around = rec.Around
				s.World.Inject(sim.Fault{Vendor: vendor, Status: status, After: after*6 + status%6})
				if _, err := s.Play(vault); err != nil {
					t.Error(err)
				}
			}
		}
	}
	s := stage.New(1, stage.Knobs)
	s.Around = rec.Around
	s.Env = map[string]string{"CF_ACCESS_MGMT": "dead", "HEROKU_API_KEY": "dead"}
	s.Purpose(sop.ToRevoke)
	if st := play(t, s, console); st.Closed == nil || st.Closed.Ending != rotation.RefusedRun {
		t.Errorf("%+v", st.Closed)
	}
}
