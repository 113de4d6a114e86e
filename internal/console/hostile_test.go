package console_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"rekey/internal/sim"
	"rekey/internal/visible"
)

// hostile is a name that a vendor might give: markup, another direction, what acts on a
// terminal, what has no width, and very long.
const hostile = `x"'><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}` + "\u202egnp.exe\u200b\x1b[2J\u2066" + `&lt;b&gt;javascript:alert(3)`

// TestNamesOfOthersAreOnlyText, on every page, whoever gave them.
func TestNamesOfOthersAreOnlyText(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	name := hostile + strings.Repeat("long", 200)
	b.as(name)
	b.world.Look(func(s *sim.State) {
		s.Cloudflare.Tokens[0].Name = "raxx-console-svc-2026-08-23" + name
		s.Cloudflare.Policies[0].Set("name", name)
		extra := *s.Cloudflare.Tokens[0]
		extra.ID, extra.ClientID, extra.Name = "00000000-0000-4000-8000-00000000000"+"9", "stray.access", "raxx-console-svc-2025-01-01"+name
		s.Cloudflare.Tokens = append(s.Cloudflare.Tokens, &extra)
	})
	var pages []string
	see := func(path string) {
		w := b.serve(http.MethodGet, path, nil)
		pages = append(pages, path)
		body := w.Body.String()
		for i, r := range body {
			if !visible.Rune(r) && r != '\n' && r != '\t' {
				t.Errorf("%s has %U: %q", path, r, body[max(0, i-40):min(len(body), i+40)])
				break
			}
		}
		if n := strings.Count(body, "<script"); n != 3 && !strings.HasSuffix(path, "/procedure") {
			t.Errorf("%s has %d scripts", path, n)
		}
		if m := regexp.MustCompile(`<img|<b>javascript|<[a-z][^<>]*\son[a-z]+\s*=[^<>]*>`).FindString(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(body, `""`)); m != "" {
			t.Errorf("%.60s has markup of somebody else: %s", path, m)
		}
	}
	for _, path := range paths {
		see(path)
	}
	// "Q" and a name: what somebody types.
	see("/?q=" + url.QueryEscape(name))
	see("/runs?q=" + url.QueryEscape(name) + "&ending=" + url.QueryEscape(name))
	see("/evidence?credential=" + url.QueryEscape(name) + "&from=" + url.QueryEscape(name))
	see("/credentials/" + url.PathEscape(name))
	see("/runs/" + url.PathEscape(name))
	run := b.post("/credentials/"+svc+"/run", url.Values{"purpose": {""}, "reason": {name}, "ticket": {name}})
	b.settle(run)
	see(run)
	see(run + "/back")
	b.post(run+"/back", url.Values{"reason": {name}})
	b.settle(run)
	b.post("/findings/compare", nil)
	b.post("/findings/discover", nil)
	for _, path := range append([]string{run}, paths...) {
		see(path)
	}
	status, body := b.ask(http.MethodPost, run+"/resume", url.Values{"confirm": {name}})
	if status < 400 || strings.Contains(body, "<script>alert") {
		t.Errorf("%d: %s", status, body)
	}
	if !strings.Contains(b.get(run), "&lt;script&gt;alert(1)") || !strings.Contains(b.get(run), `\u202e`) {
		t.Error("the name is shown nowhere, so that nothing was tried")
	}
}

// TestNoAnswerHasASecret, whatever is asked for, in any spelling.
func TestNoAnswerHasASecret(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var seen bytes.Buffer
	get := func(path string) {
		w := b.serve(http.MethodGet, path, nil)
		seen.Write(w.Body.Bytes())
		_ = w.Header().Write(&seen)
		for _, m := range regexp.MustCompile(`name="plan" value="([^"]+)"`).FindAllStringSubmatch(w.Body.String(), -1) {
			packed, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(m[1], "&#43;", "+"))
			if err != nil {
				t.Fatal(err)
			}
			z, err := gzip.NewReader(bytes.NewReader(packed))
			if err == nil {
				_, err = io.Copy(&seen, z)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	post := func(path string, form url.Values) string {
		w := b.serve(http.MethodPost, path, form)
		seen.Write(w.Body.Bytes())
		if w.Code != http.StatusOK && w.Code != http.StatusSeeOther {
			t.Errorf("POST %s: %d", path, w.Code)
		}
		return w.Header().Get("Location")
	}
	for _, path := range paths {
		get(path)
	}
	run := post("/credentials/"+svc+"/run", url.Values{"purpose": {""}})
	b.settle(run)
	get(run)
	get(run + "/back")
	post(run+"/resume", url.Values{"confirm": {svc}})
	b.settle(run)
	w := b.serve(http.MethodGet, run+"/events", nil)
	seen.Write(w.Body.Bytes())
	post("/findings/compare", nil)
	post("/findings/discover", nil)
	post("/credentials/"+svc+"/check", nil)
	post("/evidence/export", url.Values{"as": {"file"}})
	post("/evidence/export", url.Values{"as": {"page"}})
	post("/evidence/verify", nil)
	for _, path := range append([]string{run}, paths...) {
		get(path)
	}
	secrets := map[string]string{}
	env := b.world.Env()
	for _, name := range []string{"CF_ACCESS_MGMT", "INFISICAL_CLIENT_SECRET", "HEROKU_API_KEY", "OPS_SESSION_COOKIE"} {
		secrets[name] = env[name]
	}
	b.world.Look(func(s *sim.State) {
		for _, tok := range append(s.Cloudflare.Tokens, s.Cloudflare.Deleted...) {
			secrets["the secret of "+tok.Name] = tok.Secret
		}
		for tok := range s.Infisical.Access {
			secrets["an access token"] = tok
		}
	})
	if len(secrets) < 8 || seen.Len() < 200_000 || !strings.Contains(seen.String(), "Rotated in") || !strings.Contains(seen.String(), `"type":"summary"`) {
		t.Fatalf("%d secrets were looked for in %d bytes", len(secrets), seen.Len())
	}
	for what, s := range secrets {
		if s == "" {
			t.Fatalf("there is no %s", what)
		}
		j, _ := json.Marshal(s)
		for _, spelled := range []string{s, base64.StdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s)), hex.EncodeToString([]byte(s)), url.QueryEscape(s), strings.Trim(string(j), `"`)} {
			if strings.Contains(seen.String(), spelled) {
				t.Errorf("an answer has %s", what)
			}
		}
	}
}
