package access

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rekey/internal/journal"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

const (
	home   = "https://rekey.example.com"
	idp    = "https://login.example.com"
	ci     = "https://ci.example.com"
	team   = "https://team.gate.example.com"
	gated_ = "Cf-Access-Jwt-Assertion"
)

// clock is time that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }
func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// issuer signs tokens and, as an OpenID provider, gives them for codes.
type issuer struct {
	t     *testing.T
	url   string
	now   func() time.Time
	mu    sync.Mutex
	kid   string
	key   *ecdsa.PrivateKey
	down  bool
	asked int // for its keys
	codes map[string]code
	over  map[string]any // claims instead of the usual ones, in tokens for codes
	tells map[string]any // where it is asked who that is; nil: it cannot be asked
}

// code is what an authorization was given for.
type code struct{ challenge, redirect, nonce string }

func newIssuer(t *testing.T, at string, now func() time.Time) *issuer {
	i := &issuer{t: t, url: at, now: now, codes: map[string]code{}}
	i.rotate("k1")
	return i
}

func (i *issuer) rotate(kid string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.kid, i.key = kid, key
}

// token signs claims; nil values are left out.
func (i *issuer) token(claims map[string]any) string {
	now := i.now()
	all := map[string]any{"iss": i.url, "aud": "rekey", "sub": "someone", "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
	for k, v := range claims {
		if all[k] = v; v == nil {
			delete(all, k)
		}
	}
	body, err := json.Marshal(all)
	if err != nil {
		i.t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return sign(i.t, jose.ES256, jose.JSONWebKey{Key: i.key, KeyID: i.kid}, body)
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, body []byte) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	out, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// authorize is what the issuer's page does once somebody has typed his password: it
// gives back the address that his browser goes to next.
func (i *issuer) authorize(t *testing.T, location string) *url.URL {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil || !strings.HasPrefix(location, i.url+"/authorize?") {
		t.Fatalf("led to %s", location)
	}
	q := u.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("response_type") != "code" || q.Get("client_id") != "rekey-client" || len(q.Get("state")) < 32 || len(q.Get("nonce")) < 32 {
		t.Fatalf("asked %v", q)
	}
	name := fmt.Sprintf("code-%d", len(i.codes))
	i.codes[name] = code{challenge: q.Get("code_challenge"), redirect: q.Get("redirect_uri"), nonce: q.Get("nonce")}
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil {
		t.Fatal(err)
	}
	back.RawQuery = url.Values{"code": {name}, "state": {q.Get("state")}, "iss": {i.url}}.Encode()
	return back
}

func (i *issuer) serve(req *http.Request) (int, any) {
	switch req.URL.Path {
	case "/.well-known/openid-configuration":
		found := map[string]any{"issuer": i.url, "jwks_uri": i.url + "/keys", "authorization_endpoint": i.url + "/authorize", "token_endpoint": i.url + "/token"}
		if i.tells != nil {
			found["userinfo_endpoint"] = i.url + "/me"
		}
		return 200, found
	case "/me":
		if req.Header.Get("Authorization") != "Bearer canary-access-token" {
			return 401, nil
		}
		return 200, i.tells
	case "/keys", "/cdn-cgi/access/certs":
		i.mu.Lock()
		defer i.mu.Unlock()
		i.asked++
		return 200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &i.key.PublicKey, KeyID: i.kid, Algorithm: "ES256", Use: "sig"}}}
	case "/token":
		if err := req.ParseForm(); err != nil {
			return 400, nil
		}
		id, key, _ := req.BasicAuth()
		c, known := i.codes[req.PostForm.Get("code")]
		delete(i.codes, req.PostForm.Get("code")) // RFC 6749 §4.1.2: once
		sum := sha256.Sum256([]byte(req.PostForm.Get("code_verifier")))
		switch {
		case id != "rekey-client" || key != "canary-client-secret":
			return 401, map[string]any{"error": "invalid_client", "error_description": "canary-of-the-issuer"}
		case !known || c.redirect != req.PostForm.Get("redirect_uri") || c.challenge != base64.RawURLEncoding.EncodeToString(sum[:]):
			return 400, map[string]any{"error": "invalid_grant", "error_description": "canary-of-the-issuer"}
		}
		claims := map[string]any{"aud": "rekey-client", "sub": "u-1", "email": "alice@example.com", "email_verified": true, "nonce": c.nonce, "auth_time": i.now().Unix(), "groups": []string{"ops", "staff"}}
		for k, v := range i.over {
			claims[k] = v
		}
		return 200, map[string]any{"access_token": "canary-access-token", "token_type": "Bearer", "id_token": i.token(claims)}
	}
	return 404, nil
}

// network is all issuers.
type network map[string]*issuer

func (n network) RoundTrip(req *http.Request) (*http.Response, error) {
	i := n[req.URL.Scheme+"://"+req.URL.Host]
	if i == nil || i.down {
		return nil, errors.New("dial tcp: connection refused")
	}
	status, v := i.serve(req)
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(b)), Request: req}, nil
}

// world is a server with everybody around it.
type world struct {
	*Access
	t           *testing.T
	time        *clock
	idp, ci, gt *issuer
	handler     http.Handler
	log         *bytes.Buffer
	logLock     *sync.Mutex
	opened      *journal.Journal
}

type locked struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (l locked) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }

func everything() *sop.Config {
	return &sop.Config{
		Identity: &sop.Identity{
			OIDC:   []sop.OIDC{{Issuer: ci, Audience: "rekey"}},
			SignIn: &sop.SignIn{Issuer: idp, ClientID: "rekey-client", ClientSecret: sop.Refs{"env:CLIENT_SECRET"}},
			Proxy:  &sop.Proxy{Header: gated_, Issuer: team, Audience: "aud-tag", Keys: team + "/cdn-cgi/access/certs"},
			Roles: map[string][]sop.Who{
				"superadmin": {{Claims: map[string]string{"iss": idp, "email": "alice@example.com"}}, {Claims: map[string]string{"iss": ci, "sub": "repo:ops"}}},
				"ops":        {{Claims: map[string]string{"iss": idp, "groups": "ops"}}},
				"viewer":     {{Claims: map[string]string{"iss": team, "email": "*"}}, {Token: "dashboard"}},
				"bot":        {{Token: "nightly"}},
				"admin":      {{Claims: map[string]string{"iss": idp, "email": "alice@example.com"}}, {Claims: map[string]string{"iss": idp, "email": "root@example.com"}}},
			},
			Grants: []sop.Grant{
				{Role: "viewer", May: []string{"look"}},
				{Role: "bot", May: []string{"look", "rotate"}, Credentials: []string{"CF_*"}},
				{Role: "admin", May: []string{"look", "admin"}},
			},
		},
		Specs: []sop.Spec{{Name: "CF_A", Role: "superadmin"}, {Name: "CF_B"}, {Name: "DB_C", Role: "superadmin"}},
	}
}

func openSQLite(t *testing.T) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func newWorld(t *testing.T, config *sop.Config, change ...func(*Options)) *world {
	t.Helper()
	w := &world{t: t, time: &clock{t: time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC)}, log: &bytes.Buffer{}, logLock: &sync.Mutex{}}
	w.idp, w.ci, w.gt = newIssuer(t, idp, w.time.now), newIssuer(t, ci, w.time.now), newIssuer(t, team, w.time.now)
	o := Options{
		Config: config, Listen: "0.0.0.0:8443", URL: home, User: "root@server", Now: w.time.now,
		Resolve:   func(context.Context, sop.Refs) (secret.Value, error) { return secret.New("canary-client-secret"), nil },
		Transport: network{idp: w.idp, ci: w.ci, team: w.gt},
		Log:       slog.New(slog.NewTextHandler(locked{w.logLock, w.log}, nil)),
	}
	for _, f := range change {
		f(&o)
	}
	if o.Journal == nil {
		o.Journal = openSQLite(t)
	}
	w.opened = o.Journal
	a, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	w.Access = a
	mux := http.NewServeMux()
	mux.Handle(Prefix, a.Routes())
	tokenRoutes(a, mux)
	mux.Handle("/", a.Middleware(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		who, err := a.Who(r.Context())
		fresh := a.Fresh(r.Context())
		_ = json.NewEncoder(rw).Encode(map[string]any{"who": who, "err": err, "fresh": fresh == nil})
	})))
	w.handler = mux
	t.Cleanup(w.noCanaries)
	return w
}

// noCanaries: whatever happened in a test, no log has anything secret.
func (w *world) noCanaries() {
	w.logLock.Lock()
	defer w.logLock.Unlock()
	for _, bad := range []string{"canary", "eyJ", "rekey_"} {
		if strings.Contains(w.log.String(), bad) {
			w.t.Errorf("the log has %s: %s", bad, w.log)
		}
	}
}

// browser keeps cookies.
type browser struct {
	w       *world
	base    string
	cookies map[string]string
	from    string // its address
}

func (w *world) browser() *browser {
	return &browser{w: w, base: home, cookies: map[string]string{}, from: "192.0.2.1:1234"}
}

func (b *browser) do(method, target string, body io.Reader, header ...string) *http.Response {
	b.w.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = b.base + target
	}
	r := httptest.NewRequest(method, target, body)
	r.RemoteAddr = b.from
	for k, v := range b.cookies {
		r.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Add(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	b.w.handler.ServeHTTP(rec, r)
	resp := rec.Result()
	for _, c := range resp.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return resp
}

func (b *browser) get(target string, header ...string) *http.Response {
	b.w.t.Helper()
	return b.do("GET", target, nil, header...)
}

func bodyOf(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// signIn goes the whole way, and returns where it leads.
func (b *browser) signIn(to string, more ...string) string {
	b.w.t.Helper()
	q := url.Values{"to": {to}}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	led := b.get(Prefix + "start?" + q.Encode())
	if led.StatusCode != http.StatusSeeOther {
		b.w.t.Fatalf("start: %d %s", led.StatusCode, bodyOf(b.w.t, led))
	}
	got := b.get(b.w.idp.authorize(b.w.t, led.Header.Get("Location")).String())
	if got.StatusCode != http.StatusSeeOther {
		b.w.t.Fatalf("callback: %d %s", got.StatusCode, bodyOf(b.w.t, got))
	}
	return got.Header.Get("Location")
}

// met is who the server takes somebody for; "": it does not let him in.
func (b *browser) met(header ...string) (name string, status int) {
	b.w.t.Helper()
	r := b.get("/", header...)
	var said struct {
		Who struct{ Name string }
	}
	if r.StatusCode == 200 {
		if err := json.NewDecoder(r.Body).Decode(&said); err != nil {
			b.w.t.Fatal(err)
		}
	}
	return said.Who.Name, r.StatusCode
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }
