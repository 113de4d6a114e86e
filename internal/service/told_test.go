package service_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"rekey/internal/client"
)

// as asks with a token, and returns the status and everything that was answered.
func (p *place) as(token, path string) (int, string) {
	p.Helper()
	req, err := http.NewRequestWithContext(p.Context(), http.MethodGet, p.at+path, nil)
	if err != nil {
		p.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		p.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.Fatal(err)
	}
	var all strings.Builder
	_ = resp.Header.Write(&all)
	return resp.StatusCode, all.String() + string(b)
}

// TestWhoMaySeeNothingIsToldNothing, and who may see one credential is told of no other,
// of no vendor that it does not use, and of no mistake that names them: by the API, the
// console and what an operator watches by, while the newest rekey.yaml has mistakes.
func TestWhoMaySeeNothingIsToldNothing(t *testing.T) {
	t.Parallel()
	p, root := serveIdentified(t)
	text, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	right := strings.Replace(string(text), "    bot: [{token: nightly}]\n", "    bot: [{token: nightly}]\n    some: [{token: some}]\n", 1)
	right = strings.Replace(right, "  grants:\n", "  grants:\n    - {role: some, may: [look, ask, evidence], credentials: [\"OTHER_*\"]}\n", 1)
	right = strings.Replace(right, "\ncredentials:\n", `
credentials:
  OTHER_ONE:
    cadence: 90d
    issuer: {vendor: heroku, kind: oauth-authorization, name: other, scope: [global]}
    store: {vendor: infisical, path: /heroku/, environment: prod, slots: {OTHER_ONE: "{token}"}}
    consumers: [{vendor: heroku, app: deployer, slots: {OTHER_ONE: "{token}"}}]
`, 1)
	p.write(right)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, text := p.as(root, "/api/v1/credentials"); strings.Contains(text, "OTHER_ONE") {
			break
		} else if time.Now().After(deadline) {
			_, more := p.as(root, "/readyz?verbose")
			t.Fatalf("%s\n%s", text, more)
		}
	}
	ops := p.client(root)
	token := map[string]string{"root": root}
	for _, name := range []string{"nobody", "some"} {
		made, err := ops.CreateToken(t.Context(), client.TokenWanted{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		token[name] = made.Secret
	}
	p.write(strings.Replace(right, "    former: [", "    CF_OF_A_MISTAKE: [", 1))
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, text := p.as(root, "/readyz?verbose"); strings.Contains(text, "CF_OF_A_MISTAKE") {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(text)
		}
	}
	const other, theirs = "CF_ACCESS_SVC_CONSOLE", "OTHER_ONE"
	for _, path := range []string{
		"/", "/runs", "/calendar", "/approvals", "/findings", "/evidence", "/health", "/health?doctor=1", "/credentials/" + theirs, "/credentials/" + theirs + "/plan", "/credentials/" + theirs + "/procedure", "/credentials/NONE", "/runs/222222", "/nowhere", "/assets/x/y",
		"/metrics", "/readyz?verbose", "/access/sessions", "/access/sessions?all=1", "/api/v1/credentials", "/api/v1/status", "/api/v1/schedule", "/api/v1/approvals", "/api/v1/runs", "/api/v1/runs?credential=" + other, "/api/v1/runs/open", "/api/v1/document", "/api/v1/tokens", "/api/v1/whoami",
	} {
		for who, words := range map[string][]string{
			"nobody": {other, "CF_OF_A_MISTAKE", "cloudflare", "heroku", "infisical", "raxx", "rekey_credentials", p.world.Env()["HEROKU_API_KEY"]},
			"some":   {other, "CF_OF_A_MISTAKE", "cloudflare", "rekey_credentials"},
		} {
			status, told := p.as(token[who], path)
			if path == "/credentials/"+theirs+"/procedure" { // which tells what the words of a procedure mean
				words = words[:2]
			}
			for _, word := range words {
				if word != "" && strings.Contains(strings.ReplaceAll(told, path, ""), word) {
					t.Errorf("%s: %s is answered %d and told of %s: %.2000s", path, who, status, word, told)
				}
			}
			if who == "nobody" && status == http.StatusOK && path != "/api/v1/whoami" && path != "/access/sessions" {
				t.Errorf("%s: who may nothing is answered %d: %.300s", path, status, told)
			}
		}
	}
	if status, told := p.as(token["some"], "/api/v1/credentials"); status != 200 || !strings.Contains(told, theirs) || !strings.Contains(told, "heroku") || !strings.Contains(told, `"wrong":[`) {
		t.Errorf("who may see one is answered %d: %s", status, told)
	}
	if status, told := p.as(token["nobody"], "/api/v1/whoami"); status != 200 || !strings.Contains(told, `"of":0`) {
		t.Errorf("who may nothing is answered %d: %s", status, told)
	}
	if status, told := p.as(root, "/metrics"); status != 200 || !strings.Contains(told, "rekey_credentials") {
		t.Errorf("who may look at everything is answered %d: %.300s", status, told)
	}
}
