package runner_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

// nothingWritten demands that neither store nor app nor token was written.
func nothingWritten(t *testing.T, s *stage.Stage, before view) {
	t.Helper()
	same(t, before, see(s))
	if n := count(s, "infisical", "PATCH") + count(s, "heroku", "PATCH") + count(s, "cloudflare", "DELETE") + count(s, "cloudflare", "PUT"); n != 0 {
		t.Errorf("%d requests that change something", n)
	}
}

// By hand `curl` without --fail exits 0 and jq prints null: null is stored,
// propagated, and the old token deleted. Instead a refused create ends the run
// with nothing stored and the old token alive.
func TestT01CreateRefusedStoresNothing(t *testing.T) {
	for name, answer := range map[string]struct {
		status int
		body   string
		why    string
	}{
		"429":                     {429, `{"success":false,"errors":[{"code":971,"message":"slow down"}],"messages":[],"result":null}`, "rate limit"},
		"403":                     {403, `{"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"messages":[],"result":null}`, "denied (403, 10000)"},
		"400":                     {400, `{"success":false,"errors":[{"code":12132,"message":"limit reached"}],"messages":[],"result":null}`, "create service token: refused (400"},
		"200 without success":     {200, `{"success":false,"errors":[{"code":12130,"message":"no"}],"messages":[],"result":null}`, "lost"},
		"200 with null":           {200, `{"success":true,"errors":[],"messages":[],"result":null}`, "lost"},
		"200 with null fields":    {200, `{"success":true,"errors":[],"messages":[],"result":{"id":null,"client_id":null,"client_secret":null}}`, "lost"},
		"200 without a secret":    {200, `{"success":true,"errors":[],"messages":[],"result":{"id":"x","client_id":"x.access"}}`, "lost"},
		"200 with an empty token": {200, `{"success":true,"errors":[],"messages":[],"result":{"id":"x","client_id":"x.access","client_secret":""}}`, "lost"},
	} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(1, stage.Knobs)
			before := see(s)
			whenever(s, creates, func(_ int, req *http.Request, _ send) (*http.Response, error) {
				return says(req, answer.status, "application/json", answer.body)
			})
			st := play(t, s, console)
			ended(t, st, rotation.RolledBack, answer.why)
			judged(t, s, st)
			nothingWritten(t, s, before)
		})
	}
}

// By hand an HTML page instead of JSON leaves the variables empty: nothing is
// stored, ":" propagated, the old token deleted. Instead a page is no answer, and
// whether a token was made behind it is found out by its name.
func TestT02PageInsteadOfJSONAtCreate(t *testing.T) {
	for _, applied := range []bool{false, true} {
		once, ever := stage.New(1, stage.Knobs), stage.New(1, stage.Knobs)
		fault := sim.Fault{Vendor: "cloudflare", Endpoint: "POST", HTML: true, Status: 502, Applied: applied}
		once.World.Inject(fault)
		st := play(t, once, console)
		ended(t, st, rotation.Rotated)
		judged(t, once, st)

		before := see(ever)
		fault.Times = -1
		ever.World.Inject(fault)
		st = play(t, ever, console)
		ended(t, st, rotation.RolledBack, "the answer that carried the new secret was lost")
		judged(t, ever, st)
		sameValues(t, before, see(ever))
		if n := count(ever, "infisical", "PATCH") + count(ever, "heroku", "PATCH"); n != 0 {
			t.Errorf("%d writes of a token that nobody has", n)
		}
	}
}

// By hand a token whose answer was lost lives for a year, and nobody has its
// secret. Instead it is found by its label and discarded, also where the vendor
// lists it late.
func TestT03CreatedButAnswerLost(t *testing.T) {
	for _, lag := range []int{0, 1, 2} {
		knobs := stage.Knobs
		knobs.ListLag = lag
		s := stage.New(1, knobs)
		var lost string
		after(s, creates, 1, func(w *sim.State) { lost = w.Cloudflare.Tokens[len(w.Cloudflare.Tokens)-1].ID })
		s.World.Inject(sim.Fault{Vendor: "cloudflare", Endpoint: "POST", Cut: true, Applied: true})
		st := play(t, s, console)
		ended(t, st, rotation.Rotated)
		judged(t, s, st)
		if lost == "" || see(s).Tokens[lost] != "" || !strings.Contains(s.Log.Text(), lost) {
			t.Errorf("list lag %d: the token %q whose answer was lost is live, or its end is not told", lag, lost)
		}
	}
	s := stage.New(1, stage.Knobs)
	before := see(s)
	s.World.Inject(sim.Fault{Vendor: "cloudflare", Endpoint: "POST", Cut: true, Applied: true, Times: -1})
	st := play(t, s, console)
	ended(t, st, rotation.RolledBack, "lost")
	judged(t, s, st)
	sameValues(t, before, see(s))
	if made := len(see(s).Deleted); made == 0 {
		t.Error("nothing was made, so nothing was proven")
	}
}

// By hand a terminal that dies after the create leaves a token that nobody knows
// of. Instead the intent is in the journal before the call, and the next process
// finds the token by its label.
func TestT04DiesRightAfterCreate(t *testing.T) {
	for _, died := range []string{"before the answer", "after the answer"} {
		t.Run(died, func(t *testing.T) {
			s := stage.New(1, stage.Knobs)
			known, created := "", false
			whenever(s, creates, func(n int, _ *http.Request, pass send) (*http.Response, error) {
				resp, err := pass()
				if n == 1 {
					last := s.Log.Lines[len(s.Log.Lines)-1]
					known, created = string(last.Kind)+string(last.Body), true
					if died == "before the answer" {
						panic(stage.Crash{})
					}
				}
				return resp, err
			})
			direct := s.Before
			s.Before = func(n int, req *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
				if created && died == "after the answer" {
					created = false
					panic(stage.Crash{})
				}
				return direct(n, req, pass)
			}
			st := play(t, s, console)
			ended(t, st, rotation.Rotated)
			judged(t, s, st)
			if !strings.HasPrefix(known, "intent") || !strings.Contains(known, `"create"`) {
				t.Errorf("at the call the journal ended with %s", known)
			}
			if n := len(see(s).Deleted); n != 2 {
				t.Errorf("%d tokens were deleted, want the orphan and the old one", n)
			}
		})
	}
}

// By hand every rerun makes a token with the same literal name. Instead each
// attempt and each run has a name of its own, so that every one is told apart.
func TestT05RerunMakesNoNamesake(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.World.Inject(sim.Fault{Vendor: "cloudflare", Endpoint: "POST", Cut: true, Applied: true, Times: 2})
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	st = next(t, s, console, "test02")
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	names := map[string]int{}
	s.World.Look(func(w *sim.State) {
		for _, x := range append(w.Cloudflare.Tokens, w.Cloudflare.Deleted...) {
			names[x.Name]++
		}
	})
	if len(names) != 3+3+1 {
		t.Errorf("want the three of the beginning, three attempts and one more, got %v", names)
	}
	for name, n := range names {
		if n > 1 {
			t.Errorf("%d tokens were named %s", n, name)
		}
	}
}

// By hand a management token that is unset or dead fails visibly in step 1 and
// stops nothing: null is stored and propagated. Instead nothing begins.
func TestT06ManagementTokenMissingOrDead(t *testing.T) {
	for token, told := range map[string]string{
		"":             "none of [env:CF_ACCESS_MGMT env:CLOUDFLARE_ACCESS_MGMT_TOKEN] is set",
		"dead-for-ago": "denied (403, 10000): the API token is not valid, or lacks the permission: Cloudflare does not say which; used env:CF_ACCESS_MGMT",
	} {
		s := stage.New(1, stage.Knobs)
		s.Env = map[string]string{"CF_ACCESS_MGMT": token}
		before := see(s)
		st := play(t, s, console)
		ended(t, st, rotation.RefusedRun, "not everything could be seen", told, "rekey check "+console)
		judged(t, s, st)
		nothingWritten(t, s, before)
		if strings.Contains(s.Log.Text(), "dead-for-ago") {
			t.Error("the journal holds the token")
		}
	}
}

// By hand a stale token under the new name hides the working one under the old
// name without a word. Instead the run tells which reference was used and which
// was not tried, and never falls through in silence.
func TestT07StaleTokenIsNamed(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.Env = map[string]string{"CF_ACCESS_MGMT": "stale", "CLOUDFLARE_ACCESS_MGMT_TOKEN": s.World.Env()["CF_ACCESS_MGMT"]}
	before := see(s)
	st := play(t, s, console)
	ended(t, st, rotation.RefusedRun, "used env:CF_ACCESS_MGMT, env:CLOUDFLARE_ACCESS_MGMT_TOKEN is set too and was not tried")
	judged(t, s, st)
	nothingWritten(t, s, before)

	s = stage.New(1, stage.Knobs)
	s.Env = map[string]string{"CF_ACCESS_MGMT": "", "CLOUDFLARE_ACCESS_MGMT_TOKEN": s.World.Env()["CF_ACCESS_MGMT"]}
	st = play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
}

// By hand a wrong account id stores null like a dead token does. Instead nothing
// begins, and the account id is named as what may be wrong.
func TestT08WrongAccount(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.Env = map[string]string{"CF_ACCOUNT_ID": "of-somebody-else"}
	before := see(s)
	st := play(t, s, console)
	ended(t, st, rotation.RefusedRun, "absent (404, 7003)", "is the account id right?")
	judged(t, s, st)
	nothingWritten(t, s, before)
}

// By hand nothing is bounded, nothing repeated, 429 is not understood and only
// the first page of a list is read. Instead every request has a deadline, 429 is
// waited for as long as was asked, and every page is read.
func TestT09DeadlinesRetriesAndPages(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	var old *sim.Token
	s.World.Look(func(w *sim.State) {
		old = w.Cloudflare.Tokens[0]
		mine := w.Cloudflare.Policies[0]
		for i := range 40 {
			other := *w.Cloudflare.Tokens[2]
			other.ID, other.Name = old.ID[:34]+string(rune('a'+i/10))+string(rune('0'+i%10)), "other"
			other.ClientID = other.ID + ".access"
			w.Cloudflare.Tokens = append([]*sim.Token{&other}, w.Cloudflare.Tokens...)
			rules := sim.Rules{"id": json.RawMessage(`"` + other.ID + `"`), "name": json.RawMessage(`"other"`), "decision": mine["decision"], "include": json.RawMessage(`[]`), "require": json.RawMessage(`[]`), "exclude": json.RawMessage(`[]`)}
			w.Cloudflare.Policies = append([]sim.Rules{rules}, w.Cloudflare.Policies...)
		}
	})
	s.Before = func(_ int, req *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
		if until, ok := req.Context().Deadline(); !ok || time.Until(until) > 30*time.Second {
			t.Errorf("%s %s is not bounded", req.Method, req.URL.Path)
		}
		if q := req.URL.Query(); q.Has("per_page") {
			q.Set("per_page", "3") // a vendor that gives smaller pages than were asked for
			req.URL.RawQuery = q.Encode()
		}
		return pass()
	}
	s.World.Inject(
		sim.Fault{Vendor: "cloudflare", Endpoint: "GET", Status: 429, Wait: 77},
		sim.Fault{Vendor: "cloudflare", Endpoint: "PUT", Status: 429, Wait: 33},
		sim.Fault{Vendor: "heroku", Endpoint: "GET", Status: 503, After: 4},
	)
	began := s.Clock.Now()
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	if st.Plan.Old.ID != old.ID || see(s).Tokens[old.ID] != "" {
		t.Errorf("the token on the last page is %s, retired was %s", old.ID, st.Plan.Old.ID)
	}
	if took := s.Clock.Now().Sub(began); took < 77*time.Second+33*time.Second {
		t.Errorf("the rate limits asked for 110s, but all was over after %s", took)
	}
}

// By hand nobody notices a forgotten token that lives for a year beside a cadence
// of 90 days. Instead the life is sent explicitly, whoever writes the file is
// told that it is long, and no token is forgotten.
func TestT10LifeOfAToken(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	sent := ""
	whenever(s, creates, func(_ int, req *http.Request, pass send) (*http.Response, error) {
		b, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		sent, req.Body = string(b), io.NopCloser(strings.NewReader(string(b)))
		return pass()
	})
	s.Config = config(t, "duration: 8760h", "duration: 2400h")
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	if !strings.Contains(sent, `"duration":"2400h"`) {
		t.Errorf("the request was %s", sent)
	}
	if now := liveToken(t, s, "raxx-console-svc-"); now.ExpiresAt.Sub(now.CreatedAt) != 2400*time.Hour {
		t.Errorf("it lives from %s to %s", now.CreatedAt, now.ExpiresAt)
	}
	if strings.Contains(s.Config.Advice.Error(), "duration") {
		t.Errorf("advice about a life that fits the cadence: %v", s.Config.Advice)
	}
	if told := config(t).Advice.Error(); !strings.Contains(told, "issuer.duration: a forgotten credential would live much longer than the cadence") {
		t.Errorf("8760h beside 90d is not told: %q", told)
	}
}

// By hand `echo` of another shell interprets backslashes in the answer, and
// `set -x` prints it. Instead no shell stands between: what the vendor sent
// arrives byte by byte, and nowhere else.
func TestT11NoShellTouchesTheAnswer(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	const odd = `a\nb\\c\td\0e$(id)` + "`id`" + `f%s!g`
	give(s, odd)
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	now, held := liveToken(t, s, "raxx-console-svc-"), see(s)
	if now.Secret != odd || held.Slots[console] != odd || held.Vars["raxx-console-prod"][formerConsole] != now.ClientID+":"+odd {
		t.Errorf("the secret was %q, the store holds %q, the app %q", now.Secret, held.Slots[console], held.Vars["raxx-console-prod"])
	}
}

// give makes the issuer give this secret at every create.
func give(s *stage.Stage, secret string) {
	whenever(s, creates, func(_ int, _ *http.Request, pass send) (*http.Response, error) {
		resp, err := pass()
		if err != nil || resp.StatusCode != http.StatusCreated {
			return resp, err
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		s.World.Look(func(w *sim.State) {
			made := w.Cloudflare.Tokens[len(w.Cloudflare.Tokens)-1]
			was, _ := json.Marshal(made.Secret)
			is, _ := json.Marshal(secret)
			b = []byte(strings.Replace(string(b), string(was), string(is), 1))
			made.Secret = secret
			for _, v := range append(w.Edge.Coming, w.Edge.Known) {
				for i := range v.Tokens {
					if v.Tokens[i].ID == made.ID {
						v.Tokens[i].Secret = secret
					}
				}
			}
		})
		resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(string(b))), int64(len(b))
		return resp, nil
	})
}
