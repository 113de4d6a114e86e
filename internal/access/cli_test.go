package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"rekey/internal/sop"
)

var field_ = regexp.MustCompile(`name="(\w+)" value="([^"]*)"`)

// allow is what a person does whose browser was led to an address: he signs in, reads,
// and presses the button; then the browser goes where it is sent.
func (b *browser) allow(t *testing.T, address string) (location string) {
	t.Helper()
	page := b.get(address, "Accept", "text/html")
	if page.StatusCode == http.StatusSeeOther {
		u, err := url.Parse(page.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		page = b.get(b.signIn(u.Query().Get("to")), "Accept", "text/html")
	}
	text := bodyOf(t, page)
	if page.StatusCode != 200 || !strings.Contains(text, "rekey login on laptop asks to act as alice@example.com") {
		t.Fatalf("%d %s", page.StatusCode, text)
	}
	form := url.Values{}
	for _, m := range field_.FindAllStringSubmatch(text, -1) {
		form.Set(m[1], m[2])
	}
	r := b.do("POST", "/access/cli", strings.NewReader(form.Encode()), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
	if r.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", r.StatusCode, bodyOf(t, r))
	}
	return r.Header.Get("Location")
}

// through leads a command line's requests to the server of a test.
type through struct{ w *world }

func (s through) RoundTrip(r *http.Request) (*http.Response, error) {
	in := httptest.NewRequest(r.Method, r.URL.String(), r.Body)
	in.Header = r.Header
	rec := httptest.NewRecorder()
	s.w.handler.ServeHTTP(rec, in)
	return rec.Result(), nil
}

// TestACommandLineSignsIn by the browser of its user, acts as he does, and ends with him.
func TestACommandLineSignsIn(t *testing.T) {
	w := newWorld(t, everything())
	b := w.browser()
	told := make(chan string, 1)
	line := Browser{Server: home, Machine: "laptop", Transport: through{w}, Random: rand.Reader, Now: w.time.now,
		Open: func(string) error { return io.EOF }, Tell: func(address string) { told <- address }}
	wrong := make(chan int, 1)
	go func() {
		address := <-told
		location := b.allow(t, strings.TrimPrefix(address, home))
		u, err := url.Parse(location)
		if err != nil || u.Hostname() != "127.0.0.1" {
			t.Errorf("led to %s", location)
		}
		// Another page of this computer tries first, with a code of its own.
		other := *u
		other.RawQuery = url.Values{"code": {"stolen"}, "state": {strings.Repeat("x", 43)}}.Encode()
		for _, at := range []string{other.String(), location} {
			r, err := http.Get(at)
			if err != nil {
				t.Error(err)
				return
			}
			if at != location {
				wrong <- r.StatusCode
			}
			_ = r.Body.Close()
		}
	}()
	in, err := line.SignIn(t.Context())
	if err != nil || in.Who != "alice@example.com" || !in.Expires.Equal(w.time.now().Add(12*time.Hour)) {
		t.Fatalf("%v %+v", err, in)
	}
	if got := <-wrong; got != 400 {
		t.Errorf("another page's answer was taken: %d", got)
	}
	path := filepath.Join(t.TempDir(), "rekey", "logins", "x")
	if err := Keep(path, in); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	header := bearer(strings.TrimSpace(string(kept)))
	if name, status := w.browser().met(header...); status != 200 || name != "alice@example.com" {
		t.Errorf("%s %d", name, status)
	}
	// What a command line holds lets in no other, and makes no token of its own.
	if r := w.browser().get("/access/cli?"+cliQuery("x"), header...); r.StatusCode != 400 {
		t.Errorf("%d", r.StatusCode)
	}
	if was, err := line.SignOut(t.Context(), path); !was || err != nil {
		t.Errorf("%v %v", was, err)
	}
	if _, status := w.browser().met(header...); status != 401 {
		t.Error("it is worth something still")
	}
	if was, err := line.SignOut(t.Context(), path); was || err != nil {
		t.Errorf("%v %v", was, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Browser{Server: home, Random: rand.Reader, Now: time.Now, Open: func(string) error { return nil }, Tell: func(string) {}}).SignIn(ctx); err == nil {
		t.Error("nobody allowed it")
	}
}

// TestNobodyWaitsForABrowserInVain: where no sign-in is needed, rekey login says so
// before it opens one; where somebody stands in front who does not tell, it is tried.
func TestNobodyWaitsForABrowserInVain(t *testing.T) {
	open, machines := everything(), everything()
	open.Identity = nil
	machines.Identity.SignIn, machines.Identity.Proxy = nil, nil
	for want, config := range map[string]*sop.Config{"no sign-in is needed": open, "accepts tokens only": machines} {
		here := newWorld(t, config, func(o *Options) { o.Listen, o.URL = "127.0.0.1:8443", "" })
		line := Browser{Server: "http://127.0.0.1:8443", Transport: through{here}, Random: rand.Reader, Now: time.Now,
			Open: func(string) error { t.Error("a browser was opened"); return nil }, Tell: func(string) { t.Error("an address was told") }}
		if _, err := line.SignIn(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, and not %q", err, want)
		}
	}
	for name, in := range map[string]func(http.ResponseWriter){
		"a gate that leads to its own page": func(w http.ResponseWriter) {
			w.Header().Set("Location", "https://gate.example.com")
			w.WriteHeader(http.StatusFound)
		},
		"another program": func(w http.ResponseWriter) { _, _ = io.WriteString(w, "{}") },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		told := false
		line := Browser{Server: home, Transport: fixed(in), Random: rand.Reader, Now: time.Now, Open: func(string) error { return nil }, Tell: func(string) { told = true; cancel() }}
		if _, err := line.SignIn(ctx); err == nil || !told {
			t.Errorf("%s: it was not tried: %v", name, err)
		}
		cancel()
	}
}

// fixed answers every request alike.
type fixed func(http.ResponseWriter)

func (f fixed) RoundTrip(*http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	f(rec)
	return rec.Result(), nil
}

func cliQuery(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return url.Values{"port": {"4711"}, "state": {strings.Repeat("s", 43)}, "machine": {"laptop"}, "challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}}.Encode()
}

// TestACodeIsForWhoAskedForIt, once, for a minute, and goes to this computer only.
func TestACodeIsForWhoAskedForIt(t *testing.T) {
	w := newWorld(t, everything())
	b := w.browser()
	verifier := strings.Repeat("v", 43)
	code := func() string {
		u, err := url.Parse(b.allow(t, "/access/cli?"+cliQuery(verifier)))
		if err != nil || u.Host != "127.0.0.1:4711" || u.Query().Get("state") != strings.Repeat("s", 43) {
			t.Fatalf("%v %v", u, err)
		}
		return u.Query().Get("code")
	}
	take := func(code, verifier string) (int, string) {
		body, err := json.Marshal(map[string]string{"code": code, "verifier": verifier})
		if err != nil {
			t.Fatal(err)
		}
		r := w.browser().do("POST", "/access/cli/token", strings.NewReader(string(body)), "Content-Type", "application/json")
		return r.StatusCode, bodyOf(t, r)
	}
	c := code()
	if status, _ := take(c, strings.Repeat("w", 43)); status != 403 {
		t.Errorf("another verifier: %d", status)
	}
	if status, _ := take(c, verifier); status != 403 {
		t.Errorf("a code that somebody has tried: %d", status)
	}
	c = code()
	if status, text := take(c, verifier); status != 200 || !strings.Contains(text, "rekey_") {
		t.Errorf("%d", status)
	}
	if status, _ := take(c, verifier); status != 403 {
		t.Errorf("twice: %d", status)
	}
	c = code()
	w.time.pass(2 * time.Minute)
	if status, _ := take(c, verifier); status != 403 {
		t.Errorf("too late: %d", status)
	}
	// All ends with the person, and with his issuer.
	c = code()
	b.do("POST", "/access/sign-out/everywhere", nil)
	if status, _ := take(c, verifier); status != 403 {
		t.Errorf("after he has signed out everywhere: %d", status)
	}
	for name, query := range map[string]string{
		"no port":         strings.Replace(cliQuery(verifier), "port=4711", "port=", 1),
		"another host":    strings.Replace(cliQuery(verifier), "port=4711", "port=80@evil.example.com", 1),
		"a plain one":     strings.Replace(cliQuery(verifier), "challenge=", "challenge=x", 1),
		"a hostile state": strings.Replace(cliQuery(verifier), "state=", "state=%0d%0aSet-Cookie:%20a=b", 1),
		"nothing":         "",
	} {
		b.signIn("/")
		if r := b.get("/access/cli?" + query); r.StatusCode != 400 {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
		w.time.pass(time.Minute)
	}
	// A hostile name is text on the page.
	if text := bodyOf(t, b.get("/access/cli?"+strings.Replace(cliQuery(verifier), "machine=laptop", "machine=%3Cscript%3E%1b%5B2J", 1))); strings.Contains(text, "<script") || strings.Contains(text, "\x1b") {
		t.Error(text)
	}
}

func TestWhereALoginIsKept(t *testing.T) {
	for server, want := range map[string]string{
		"https://Rekey.example.com": "https_rekey.example.com", "https://rekey.example.com/": "https_rekey.example.com", "http://127.0.0.1:8420": "http_127.0.0.1_8420", "http://[::1]:1": "http___1_1",
		"http://rekey.example.com": "", "https://a/b": "", "ftp://x": "", "https://u:p@x": "", "https://x?y": "", "rekey.example.com": "", "https://../..": "",
	} {
		got, err := LoginFile("settings", server)
		if want == "" && err == nil && filepath.Dir(got) != filepath.Join("settings", "rekey", "logins") || want != "" && got != filepath.Join("settings", "rekey", "logins", want) {
			t.Errorf("%s: %s, %v", server, got, err)
		}
	}
}
