package service_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"rekey/internal/estate"
)

// TestALookThatWantsAPersonAsksOnItsPage: what a person has to see in a portal before a plan
// and a check is asked by the page, and by the API in its refusal; whoever answers gets the
// plan, and begins what it says.
func TestALookThatWantsAPersonAsksOnItsPage(t *testing.T) {
	t.Parallel()
	p := serve(t, withPortal)
	at := "/credentials/PORTAL_KEY/plan"
	if code, text := p.get(at); code != http.StatusOK || !strings.Contains(text, "Which credentials are live?") || !strings.Contains(text, "https://portal.example.com/keys") || !strings.Contains(text, `<textarea name="look"`) {
		t.Fatalf("%d %s", code, text)
	}
	if code, text := p.get(at + "?look="); code == http.StatusOK || strings.Contains(text, `<textarea name="look"`) {
		t.Errorf("that none is live: %d, and it is asked again: %s", code, text)
	}
	code, plan := p.get(at + "?look=console-2026-08-23")
	if code != http.StatusOK || !strings.Contains(plan, "Start this run") || !strings.Contains(plan, `name="look" value="console-2026-08-23"`) {
		t.Fatalf("%d %s", code, plan)
	}
	p.world.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/portal/keys", strings.NewReader(`{"name":"another"}`)))
	two := "?look=" + url.QueryEscape("console-2026-08-23\r\n another,")
	if code, text := p.get(at + two); code != http.StatusOK || !strings.Contains(text, "Which of them is stored and in use?") || strings.Count(text, `name="which"`) != 3 || !strings.Contains(text, `type="hidden" name="look"`) {
		t.Fatalf("%d %s", code, text)
	}
	if code, text := p.get(at + two + "&which="); code == http.StatusOK || !strings.Contains(text, "could not tell which of") {
		t.Errorf("that he cannot tell: %d %s", code, text)
	}
	if code, text := p.get(at + two + "&which=console-2026-08-23"); code != http.StatusOK || !strings.Contains(text, "Start this run") {
		t.Errorf("%d %s", code, text)
	}
	post := func(path, body, kind string) (*http.Response, string) {
		t.Helper()
		resp, err := http.Post(p.at+path, kind, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(b)
	}
	const form = "application/x-www-form-urlencoded"
	if _, text := post("/credentials/PORTAL_KEY/check", "", form); !strings.Contains(text, `<form method="post" action="/credentials/PORTAL_KEY/check"`) {
		t.Errorf("a check does not ask: %s", text)
	}
	if resp, text := post("/credentials/PORTAL_KEY/check", "look=console-2026-08-23", form); resp.Request.URL.Path != "/credentials/PORTAL_KEY" {
		t.Errorf("a check that was answered ends at %s: %s", resp.Request.URL, text)
	}
	var refused estate.Error
	if resp, text := post("/api/v1/plan", `{"credential":"PORTAL_KEY"}`, "application/json"); resp.StatusCode < 400 || json.Unmarshal([]byte(text), &refused) != nil || refused.Asks == nil || refused.Asks.Want != estate.WantLook || refused.Asks.Link == "" {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	if resp, text := post("/api/v1/plan", `{"credential":"PORTAL_KEY","by_hand":{"look":["console-2026-08-23"]}}`, "application/json"); resp.StatusCode != http.StatusOK {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	begin := url.Values{}
	for _, f := range regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`).FindAllStringSubmatch(plan, -1) {
		begin.Set(f[1], strings.NewReplacer("&#43;", "+", "&#34;", `"`).Replace(f[2]))
	}
	resp, text := post("/credentials/PORTAL_KEY/run", begin.Encode(), form)
	if !strings.HasPrefix(resp.Request.URL.Path, "/runs/") {
		t.Fatalf("it is not begun: %s", text)
	}
	p.until(resp.Request.URL.Path, `id="by-hand-title"`) // and asks anew
}
