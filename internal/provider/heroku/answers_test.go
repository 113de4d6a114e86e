package heroku_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/provider/heroku"
	"rekey/internal/secret"
	"rekey/internal/sim"
)

// answer is one answer in place of Heroku's.
func answer(req *http.Request, status int, mime, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {mime}}, Body: io.NopCloser(strings.NewReader(body)), Request: req}
}

// answers answers requests whose path ends so.
func (b *bench) answers(suffix string, status int, mime, body string) {
	b.instead = func(req *http.Request) *http.Response {
		if strings.HasSuffix(req.URL.Path, suffix) {
			return answer(req, status, mime, body)
		}
		return nil
	}
}

// looks are all that only looks, by the end of the paths that it needs.
func looks(t *testing.T, v provider.Vendor) map[string]map[string]func() error {
	t.Helper()
	issuer, err := v.(provider.Issues).Issuer(heroku.KindAuthorization, json.RawMessage(`{"scope":["identity"]}`))
	if err != nil {
		t.Fatal(err)
	}
	one, stage := consumer(t, v, prod), consumer(t, v, `{"pipeline":"raxx","stage":"review"}`)
	slots := []string{slot}
	observe := func(c provider.Consumer) func() error {
		return func() error { _, err := c.Snapshot(t.Context(), slots); return err }
	}
	settle := func(c provider.Consumer) func() error {
		return func() error { _, err := c.Progress(t.Context(), provider.Followed{}, slots); return err }
	}
	survey := func() error {
		places, err := v.(provider.Surveys).Survey(t.Context(), false)
		for _, p := range places {
			if _, readErr := p.Read(t.Context()); err == nil {
				err = readErr
			}
		}
		return err
	}
	return map[string]map[string]func() error{
		"/config-vars":          {"observe an app": observe(one), "settle an app": settle(one), "observe a stage": observe(stage), "settle a stage": settle(stage), "survey": survey},
		"/releases":             {"observe an app": observe(one), "settle an app": settle(one)},
		"/dynos":                {"observe an app": observe(one), "settle an app": settle(one)},
		"/features/preboot":     {"observe an app": observe(one)},
		"/pipelines":            {"observe a stage": observe(stage), "survey": survey},
		"/pipeline-couplings":   {"observe a stage": observe(stage)},
		"/apps":                 {"survey": survey},
		"/oauth/authorizations": {"list": func() error { _, err := issuer.List(t.Context()); return err }},
	}
}

// TestWhatHerokuDidNotSayIsNotBelieved: an answer without what Heroku documents of
// it is unknown: never "empty", "off" or "none".
func TestWhatHerokuDidNotSayIsNotBelieved(t *testing.T) {
	const page, gateway = "<html>not found</html>", `{"message":"no Route matched with those values"}`
	b, v := open(t)
	for suffix, calls := range looks(t, v) {
		for what, call := range calls {
			b.instead = nil
			if err := call(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			for _, body := range []string{``, `null`, `{}`, `[{}]`, `[null]`, `""`, `true`, gateway, page, `{"id":"not_found","message":"x"}`} {
				b.answers(suffix, http.StatusOK, "application/json", body)
				if err := call(); cred.ClassOf(err) != cred.Unknown {
					t.Errorf("%s, %s answered %q: %s: %v", what, suffix, body, cred.ClassOf(err), err)
				}
			}
			for _, status := range []int{302, 400, 404, 409, 410, 412, 422} {
				for _, body := range []string{``, `{}`, `null`, page, gateway, `{"id":"404","message":"x"}`, `{"id":"not_found"}`} {
					b.answers(suffix, status, "application/json", body)
					if err := call(); cred.ClassOf(err) != cred.Unknown || strings.Contains(err.Error(), "the connection failed") {
						t.Errorf("%s, %s answered %d %q: %s: %v", what, suffix, status, body, cred.ClassOf(err), err)
					}
				}
			}
		}
	}
}

// TestNoReleasesAndNoDynosAreNotBelieved: an app has a release from its beginning,
// and what its formation wants is listed somehow.
func TestNoReleasesAndNoDynosAreNotBelieved(t *testing.T) {
	for suffix, says := range map[string]string{"/releases": "from its beginning", "/dynos": "which wants 1 clock, 2 web"} {
		b, v := open(t)
		b.Look(func(s *sim.State) {
			for i, p := range s.Heroku.Apps[0].Processes[:3] {
				p.Type = []string{"web", "web", "clock"}[i]
				p.Name = []string{"web.1", "web.2", "clock.1"}[i]
			}
		})
		b.answers(suffix, http.StatusOK, "application/json", `[]`)
		if _, err := consumer(t, v, prod).Snapshot(t.Context(), []string{slot}); cred.ClassOf(err) != cred.Unknown || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", suffix, err)
		}
	}
	b, v := open(t)
	b.answers("/dynos", http.StatusOK, "application/json", `[]`)
	if p, err := consumer(t, v, prod).Progress(t.Context(), provider.Followed{}, []string{slot}); err != nil || p.Class != cred.Waiting || !strings.Contains(p.Detail, "the formation wants") {
		t.Errorf("settle: %+v, %v", p, err)
	}
}

// TestPrebootIsOffOnlyWhereTheListSaysSo: a 404 alone switches nothing off.
func TestPrebootIsOffOnlyWhereTheListSaysSo(t *testing.T) {
	for name, c := range map[string]struct {
		mime, body string
		list       string // "": the world's own
		want       string
	}{
		"a page":                          {"text/html", "<html>404</html>", "", "unknown"},
		"nothing":                         {"", "", "", "unknown"},
		"a gateway":                       {"application/json", `{"error":"not found"}`, "", "unknown"},
		"Heroku, and the list says on":    {"application/json", `{"id":"not_found","message":"x"}`, "", "on"},
		"Heroku, and the list has it not": {"application/json", `{"id":"not_found","message":"x"}`, `[]`, "off"},
		"Heroku, and the list is none":    {"application/json", `{"id":"not_found","message":"x"}`, `{}`, "unknown"},
	} {
		b, v := open(t)
		b.Look(func(s *sim.State) { s.Knobs.Preboot = true })
		b.instead = func(req *http.Request) *http.Response {
			switch {
			case strings.HasSuffix(req.URL.Path, "/preboot"):
				return answer(req, http.StatusNotFound, c.mime, c.body)
			case strings.HasSuffix(req.URL.Path, "/features") && c.list != "":
				return answer(req, http.StatusOK, "application/json", c.list)
			}
			return nil
		}
		s, err := consumer(t, v, prod).Snapshot(t.Context(), []string{slot})
		got := map[bool]string{true: "on", false: "off"}[said(s.Notes, "preboot is on")]
		if err != nil {
			got = string(cred.ClassOf(err))
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s: %v", name, got, c.want, err)
		}
	}
}

// TestARefusedWriteMayHaveHappened: what Heroku answers to a write, by what it
// proves. Only a denial and the rate limit say that nothing was set.
func TestARefusedWriteMayHaveHappened(t *testing.T) {
	for status, want := range map[int]struct {
		class cred.Class
		maybe bool
	}{
		400: {cred.Refused, true}, 401: {cred.Denied, false}, 402: {cred.Refused, true}, 403: {cred.Denied, false}, 404: {cred.Absent, true}, 406: {cred.Refused, true},
		409: {cred.Conflict, true}, 410: {cred.Absent, true}, 422: {cred.Refused, true}, 429: {cred.Limited, false}, 500: {cred.Unknown, true}, 503: {cred.Unknown, true},
	} {
		b, v := open(t)
		issuer, err := v.(provider.Issues).Issuer(heroku.KindAuthorization, json.RawMessage(`{"scope":["identity"]}`))
		if err != nil {
			t.Fatal(err)
		}
		listed, err := issuer.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for what, write := range map[string]func() error{
			"an app": func() error {
				return consumer(t, v, prod).Write(t.Context(), []provider.SlotValue{{Slot: slot, Value: secret.New("x")}})
			},
			"a stage": func() error {
				return consumer(t, v, `{"pipeline":"raxx","stage":"review"}`).Write(t.Context(), []provider.SlotValue{{Slot: slot, Value: secret.New("x")}})
			},
			"a create": func() error { _, _, err := issuer.Create(t.Context(), "x"); return err },
			"a revoke": func() error { return issuer.Revoke(t.Context(), listed[1]) },
		} {
			for _, method := range []string{"PATCH", "POST", "DELETE"} {
				b.Inject(sim.Fault{Vendor: "heroku", Endpoint: method, Status: status, Applied: true})
			}
			err := write()
			if cred.ClassOf(err) != want.class || cred.MayHaveHappened(err) != want.maybe {
				t.Errorf("%s answered %d: %s, may have happened %v: %v", what, status, cred.ClassOf(err), cred.MayHaveHappened(err), err)
			}
			b.Look(func(s *sim.State) { s.Faults = nil })
		}
	}
}
