package console_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"rekey/internal/console"
	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// every page there is, without one that a run has.
var paths = []string{
	"/", "/?needs=you&q=x&page=7", "/runs", "/runs?ending=rotated", "/calendar", "/findings", "/evidence", "/evidence?from=x", "/health", "/health?doctor=1", "/nowhere",
	"/credentials/" + svc, "/credentials/" + svc + "/plan", "/credentials/" + svc + "/plan?purpose=revoke", "/credentials/" + svc + "/plan?purpose=repair", "/credentials/" + svc + "/procedure", "/credentials/NONE", "/runs/zzzzzz", "/runs/zzzzzz/back",
}

// TestEveryAnswerIsAsStrictAsThePolicySays: nothing stands inline, nothing is loaded from
// elsewhere, and the headers say so.
func TestEveryAnswerIsAsStrictAsThePolicySays(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	inline := regexp.MustCompile(`(?i)<style|<script>|<script [^>]*>[^<]|\son[a-z]+=|\sstyle=|javascript:|https?://[^"]*\.(js|css)`)
	for _, path := range paths {
		w := b.serve(http.MethodGet, path, nil)
		h := w.Header()
		if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'") || strings.Contains(h.Get("Content-Security-Policy"), "unsafe") ||
			h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, h)
		}
		if own := strings.HasSuffix(path, "/procedure"); own != strings.Contains(h.Get("Content-Security-Policy"), "sha256-") {
			t.Errorf("%s is allowed by sums: %v", path, !own)
		} else if m := inline.FindString(w.Body.String()); m != "" && !own {
			t.Errorf("%s has %q", path, m)
		}
	}
}

// TestARefusalLeadsBackToWhereItsFormWas, and never to another site.
func TestARefusalLeadsBackToWhereItsFormWas(t *testing.T) {
	t.Parallel()
	for referer, want := range map[string]string{
		"http://rekey.test/credentials/A/plan?purpose=revoke": "/credentials/A/plan?purpose=revoke",
		"https://evil.example/credentials/A/plan":             "/",
		"http://rekey.test":                                   "/",
		"":                                                    "/",
		"http://rekey.test//evil.example/":                    "/",
		`http://rekey.test/\evil.example/`:                    "/",
	} {
		b := newBench(t)
		b.handler = b.console(console.Options{Ops: stale{b.service}, SignIn: func() string { return "/access/sign-in" }})
		r := httptest.NewRequest(http.MethodPost, "http://rekey.test/approvals/1/approve", nil)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Referer", referer)
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, r)
		if to := `href="/access/sign-in?fresh=1&amp;to=` + url.QueryEscape(want) + `"`; w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), to) {
			t.Errorf("from %q: %d, no %s in\n%s", referer, w.Code, to, w.Body)
		}
	}
}

// stale wants a fresh sign-in for every answer.
type stale struct{ *service }

func (stale) Approve(context.Context, estate.Answering) (estate.Approval, error) {
	return estate.Approval{}, &estate.Error{Code: estate.NotFresh}
}

// TestFormsOfOtherSitesAreRefused, and change nothing.
func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, h := range map[string]http.Header{
		"another site":   {"Sec-Fetch-Site": {"cross-site"}},
		"a sister":       {"Sec-Fetch-Site": {"same-site"}},
		"another origin": {"Origin": {"https://evil.example"}},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://rekey.test/credentials/"+svc+"/run", strings.NewReader(url.Values{"confirm": {svc}}.Encode()))
		r.Header = h
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, r)
		if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "another site") {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if runs, err := b.service.Runs(t.Context()); err != nil || len(runs) > 0 {
		t.Errorf("runs were begun: %v (%v)", runs, err)
	}
}

// TestLookingChangesNothing: no GET of any page begins, notes or signs anything.
func TestLookingChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, path := range paths {
		b.ask(http.MethodGet, path, nil)
	}
	for _, path := range []string{"/credentials/" + svc + "/run", "/credentials/" + svc + "/compare", "/evidence/export", "/findings/compare"} {
		if status, _ := b.ask(http.MethodGet, path, nil); status != http.StatusNotFound && status != http.StatusMethodNotAllowed {
			t.Errorf("GET %s: %d", path, status)
		}
	}
	status, err := b.service.Status(t.Context(), estate.StatusAsked{})
	if err != nil || status.Evidence.Entries != 0 {
		t.Errorf("the journal has %d entries (%v)", status.Evidence.Entries, err)
	}
}

// TestEveryRefusalHasItsWords: title, why, and where to go.
func TestEveryRefusalHasItsWords(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, code := range estate.Codes() {
		spec := sop.Spec{Name: svc}
		refusing := &refuser{service: b.service, err: &estate.Error{
			Code: code, Credential: svc, Run: "abc234", Name: "NAME", Place: "heroku:app", Known: []string{"known"}, Problems: []string{"a problem"}, Refusals: []rotation.Refusal{{Code: "x", What: "what is so", Then: "what to do"}},
			Live: []string{"the old one"}, Spec: &spec, Who: &rotation.Who{Name: "alice", How: "OS user"}, Err: errors.New("the cause\nmore of it"), Opens: b.clock.Now().Add(time.Hour), Ending: rotation.Rotated, Open: []estate.Summary{{Run: "abc234", Credential: svc}},
		}}
		b.handler = b.console(console.Options{Ops: refusing})
		status, body := b.ask(http.MethodPost, "/credentials/"+svc+"/run", url.Values{"confirm": {svc}})
		switch {
		case code == estate.Repeated || code == estate.AwaitsApproval: // there is a page to go to
			if status != http.StatusSeeOther {
				t.Errorf("%s: %d", code, status)
			}
		case status < 400 || status > 599:
			t.Errorf("%s: %d", code, status)
		case !strings.Contains(body, "<h1 id=\"trouble\">") || !strings.Contains(body, "<dt>Why</dt>"):
			t.Errorf("%s has no page: %s", code, body)
		case strings.Contains(body, "The operation failed") != (code == estate.Failed):
			t.Errorf("%s has no words of its own", code)
		}
	}
}

// refuser refuses to begin.
type refuser struct {
	*service
	err error
}

func (r *refuser) Begin(context.Context, estate.Opening) (string, error) { return "", r.err }
