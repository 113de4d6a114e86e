package access

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rekey/internal/rotation"
	"rekey/internal/sop"
)

func TestAPlatformsTokenIsTaken(t *testing.T) {
	w := newWorld(t, everything())
	var got struct{ Who rotation.Who }
	r := w.browser().get("/", bearer(w.ci.token(map[string]any{"sub": "repo:ops", "run_id": 12}))...)
	if r.StatusCode != 200 || json.NewDecoder(r.Body).Decode(&got) != nil {
		t.Fatal(r.StatusCode)
	}
	if who := got.Who; who.Name != "repo:ops" || who.How != ci || !who.Verified || strings.Join(who.Roles, ",") != "superadmin" || who.Claims["run_id"] != "12" {
		t.Errorf("%+v", who)
	}
}

// TestATokenThatProvesNothing lets nobody in, and is never passed over for a cookie.
func TestATokenThatProvesNothing(t *testing.T) {
	w := newWorld(t, everything())
	b := w.browser()
	b.signIn("/")
	now := w.time.now()
	other := newIssuer(t, ci, w.time.now) // the same name, another key
	small, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&w.ci.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	inPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	inJWK, err := json.Marshal(jose.JSONWebKey{Key: &w.ci.key.PublicKey, KeyID: "k1"})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := json.Marshal(map[string]any{"iss": ci, "aud": "rekey", "sub": "repo:ops", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	good := w.ci.token(map[string]any{"sub": "repo:ops"})
	parts := strings.Split(good, ".")
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	embedded := func() string { // its own key in its header (RFC 7515 §4.1.3), which must not be believed
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: own}, &jose.SignerOptions{EmbedJWK: true})
		if err != nil {
			t.Fatal(err)
		}
		s, err := signer.Sign(claims)
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for name, tt := range map[string]struct{ token, want string }{
		"expired":                       {w.ci.token(map[string]any{"exp": now.Add(-31 * time.Second).Unix()}), "has expired"},
		"without an end":                {w.ci.token(map[string]any{"exp": nil}), "does not say when it expires"},
		"not yet":                       {w.ci.token(map[string]any{"nbf": now.Add(6 * time.Minute).Unix()}), "not valid yet"},
		"made in the future":            {w.ci.token(map[string]any{"iat": now.Add(6 * time.Minute).Unix()}), "not valid yet"},
		"of nobody":                     {w.ci.token(map[string]any{"sub": ""}), "names no subject"},
		"for another audience":          {w.ci.token(map[string]any{"aud": "sts.example.com"}), "another audience"},
		"the client's, not ours":        {w.idp.token(map[string]any{"aud": "rekey-client"}), "not come from an issuer that identity.oidc names"},
		"of an issuer that is not ours": {newIssuer(t, "https://evil.example.com", w.time.now).token(nil), "come from an issuer that identity.oidc names"},
		"of the gate":                   {w.gt.token(map[string]any{"aud": "aud-tag"}), "come from an issuer that identity.oidc names"},
		"by another key":                {other.token(nil), "does not verify"},
		"by a key in its header":        {embedded(), "does not verify"},
		"without a signature":           {parts[0] + "." + parts[1] + ".", "does not verify"},
		"with another content":          {parts[0] + "." + encode([]byte(strings.Replace(string(claims), "repo:ops", "repo:xxx", 1))) + "." + parts[2], "does not verify"},
		"algorithm none":                {encode([]byte(`{"alg":"none"}`)) + "." + encode(claims) + ".", "not a token of this kind"},
		"algorithm NoNe":                {encode([]byte(`{"alg":"NoNe","kid":"k1"}`)) + "." + encode(claims) + ".", "not a token of this kind"},
		"HMAC by the public key as PEM": {sign(t, jose.HS256, inPEM, claims), "not a token of this kind"},
		"HMAC by the public key as JWK": {sign(t, jose.HS256, inJWK, claims), "not a token of this kind"},
		"RSA by a key of its own":       {sign(t, jose.RS256, jose.JSONWebKey{Key: small, KeyID: "k1"}, claims), "does not verify"},
		"huge":                          {w.ci.token(map[string]any{"sub": strings.Repeat("x", 40<<10)}), "come from an issuer that identity.oidc names"},
		"rubbish":                       {"canary.canary.canary", "come from an issuer that identity.oidc names"},
		"a token of ours, mistyped":     {"rekey_" + strings.Repeat("canary0", 7)[:46], "truncated or mistyped"},
		"a token of ours, cut":          {"rekey_canary", "truncated or mistyped"},
		"a token of ours, made up":      {"rekey_" + strings.Repeat("x", 40) + checksum("rekey_"+strings.Repeat("x", 40)), "unknown here"},
		"two of them":                   {good + " " + good, "must hold one token"},
		"nothing":                       {"", "must hold one token"},
	} {
		t.Run(name, func(t *testing.T) {
			w.time.pass(2 * time.Second) // or there are too many of them
			r := b.get("/", bearer(tt.token)...)
			text := bodyOf(t, r)
			if r.StatusCode != 401 || !strings.Contains(text, tt.want) || r.Header.Get("WWW-Authenticate") == "" || r.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %s", r.StatusCode, text)
			}
			if tt.token != "" && strings.Contains(text, strings.Split(tt.token, ".")[0]) {
				t.Errorf("the answer quotes the token: %s", text)
			}
		})
	}
	if r := b.get("/", append(bearer(good), bearer(good)...)...); r.StatusCode != 401 {
		t.Errorf("two headers: %d", r.StatusCode)
	}
	if r := b.get("/", "Authorization", "Basic YWxpY2U6Y2FuYXJ5"); r.StatusCode != 401 {
		t.Errorf("another scheme: %d", r.StatusCode)
	}
}

func TestClocksDiffer(t *testing.T) {
	w := newWorld(t, everything())
	now := w.time.now()
	for name, claims := range map[string]map[string]any{
		"ours is 29 s ahead":         {"exp": now.Add(-29 * time.Second).Unix(), "iat": now.Add(-time.Minute).Unix()},
		"theirs is 4 minutes ahead":  {"nbf": now.Add(4 * time.Minute).Unix(), "iat": now.Add(4 * time.Minute).Unix(), "exp": now.Add(9 * time.Minute).Unix()},
		"whole and parts of seconds": {"exp": float64(now.Unix()) + 30.5},
	} {
		if _, status := w.browser().met(bearer(w.ci.token(claims))...); status != 200 {
			t.Errorf("%s: %d", name, status)
		}
	}
}

// TestTheIssuersKeysChange, and are asked for when a token names one that is not known:
// not more often than every 15 seconds, whoever sends what.
func TestTheIssuersKeysChange(t *testing.T) {
	w := newWorld(t, everything())
	b := w.browser()
	met := func(token string) int { _, status := b.met(bearer(token)...); return status }
	if old := w.ci.token(nil); met(old) != 200 || w.ci.asked != 1 {
		t.Fatalf("asked %d times", w.ci.asked)
	}
	w.ci.rotate("k2")
	w.time.pass(16 * time.Second)
	if met(w.ci.token(nil)) != 200 || w.ci.asked != 2 {
		t.Errorf("a new key is not taken up; asked %d times", w.ci.asked)
	}
	for range 50 {
		foreign := newIssuer(t, ci, w.time.now)
		foreign.kid = "made-up"
		if met(foreign.token(nil)) == 200 {
			t.Error("let in")
		}
	}
	if w.ci.asked != 2 {
		t.Errorf("asked %d times", w.ci.asked)
	}
	// Down: known keys keep working, unknown ones are refused.
	known := w.ci.token(map[string]any{"exp": w.time.now().Add(100 * time.Hour).Unix()})
	w.ci.down = true
	w.time.pass(5 * time.Hour)
	if met(known) != 200 {
		t.Error("a known key does not work while the issuer is down")
	}
	w.ci.rotate("k3")
	r := b.get("/", bearer(w.ci.token(nil))...)
	if text := bodyOf(t, r); r.StatusCode != 401 || strings.Contains(text, "dial tcp") {
		t.Errorf("%d %s", r.StatusCode, text)
	}
	w.time.pass(20 * time.Hour)
	if met(known) != 401 {
		t.Error("a key of a day ago works")
	}
	// Up again: the old key was withdrawn.
	w.ci.down = false
	w.time.pass(time.Minute)
	if met(known) != 401 || met(w.ci.token(nil)) != 200 {
		t.Error("a withdrawn key works, or the new one does not")
	}
}

func TestTheGateIsBelievedByItsSignature(t *testing.T) {
	w := newWorld(t, everything())
	b := w.browser()
	claims := map[string]any{"aud": []string{"aud-tag"}, "email": "carol@example.com", "sub": "7335d417"}
	if name, status := b.met(gated_, w.gt.token(claims)); status != 200 || name != "carol@example.com" {
		t.Errorf("%s %d", name, status)
	}
	// A service token of the gate has no sub.
	if name, status := b.met(gated_, w.gt.token(map[string]any{"aud": "aud-tag", "sub": "", "common_name": "abc.access"})); status != 200 || name != "abc.access" {
		t.Errorf("%s %d", name, status)
	}
	for name, header := range map[string][]string{
		"of another application": {gated_, w.gt.token(map[string]any{"aud": "other-tag"})},
		"of another team":        {gated_, newIssuer(t, "https://evil.gate.example.com", w.time.now).token(claims)},
		"forged":                 {gated_, newIssuer(t, team, w.time.now).token(claims)},
		"expired":                {gated_, w.gt.token(map[string]any{"aud": "aud-tag", "exp": w.time.now().Add(-time.Hour).Unix()})},
		"twice":                  {gated_, w.gt.token(claims), gated_, w.gt.token(claims)},
		"empty":                  {gated_, ""},
		"by name only":           {"Cf-Access-Authenticated-User-Email", "carol@example.com"},
		"of nobody":              {gated_, w.gt.token(map[string]any{"aud": "aud-tag", "sub": ""})},
	} {
		if who, status := b.met(header...); status != 401 {
			t.Errorf("%s: %s %d", name, who, status)
		}
	}
	// A header that somebody splits in two stays one header.
	if r := b.get("/", gated_, w.gt.token(claims)+"\r\nX: y"); r.StatusCode != 401 {
		t.Errorf("%d", r.StatusCode)
	}
}

// TestOtherSitesAndOtherNames: CSRF, and DNS rebinding.
func TestOtherSitesAndOtherNames(t *testing.T) {
	w := newWorld(t, everything())
	b := w.browser()
	b.signIn("/")
	for name, tt := range map[string]struct {
		method, path string
		header       []string
		want         int
	}{
		"from another site":            {"POST", "/api/v1/runs", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"from a site beside":           {"POST", "/api/v1/runs", []string{"Sec-Fetch-Site", "same-site"}, 403},
		"of another origin":            {"POST", "/api/v1/runs", []string{"Origin", "https://evil.example.com"}, 403},
		"of no origin":                 {"DELETE", "/api/v1/x", []string{"Origin", "null"}, 403},
		"signing out from elsewhere":   {"POST", "/access/sign-out", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"a token from elsewhere":       {"POST", "/tokens", []string{"Origin", "https://evil.example.com"}, 403},
		"a command line, by elsewhere": {"POST", "/access/cli", []string{"Origin", "https://evil.example.com"}, 403},
		"its own page":                 {"POST", "/api/v1/runs", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		"its own origin":               {"POST", "/api/v1/runs", []string{"Origin", home}, 200},
		"no browser":                   {"POST", "/api/v1/runs", nil, 200},
		"another name":                 {"GET", "/", []string{"Host", "evil.example.com"}, 421},
		"another port":                 {"GET", "/", []string{"Host", "rekey.example.com:8443"}, 421},
		"loopback, from outside":       {"GET", "/", []string{"Host", "127.0.0.1"}, 421},
		"another name, to sign in":     {"GET", "/access/start", []string{"Host", "evil.example.com"}, 421},
		"its own name in capitals":     {"GET", "/", []string{"Host", "REKEY.example.com"}, 200},
		"no name":                      {"GET", "/", []string{"Host", ""}, 421},
		"an address, without a token":  {"GET", "/", []string{"Host", "10.1.2.3:8420"}, 421},
		"an address, by its session":   {"GET", "/", []string{"Host", "10.1.2.3:8420", "Authorization", ""}, 421},
		"an address, with a token":     {"GET", "/", append(bearer(w.ci.token(nil)), "Host", "10.1.2.3:8420"), 200},
		"another port, with a token":   {"GET", "/", append(bearer(w.ci.token(nil)), "Host", "rekey.example.com:8420"), 200},
		"another name, with a token":   {"GET", "/", append(bearer(w.ci.token(nil)), "Host", "evil.example.com"), 421},
	} {
		if r := b.do(tt.method, tt.path, strings.NewReader("{}"), tt.header...); r.StatusCode != tt.want {
			t.Errorf("%s: %d, want %d", name, r.StatusCode, tt.want)
		}
	}
}

// TestWithoutIdentity whoever is on this machine is its user, by the names of this
// machine only.
func TestWithoutIdentity(t *testing.T) {
	w := newWorld(t, &sop.Config{}, func(o *Options) { o.Listen, o.URL = "127.0.0.1:7700", "" })
	b := w.browser()
	b.base = "http://127.0.0.1:7700"
	for host, want := range map[string]int{"127.0.0.1:7700": 200, "localhost:7700": 200, "[::1]:7700": 200, "LOCALHOST": 200, "127.0.0.2:1": 200,
		"evil.example.com": 421, "evil.example.com:7700": 421, "127.0.0.1.evil.example.com": 421, "localhost.evil.example.com": 421, "0.0.0.0:7700": 421, "2130706433": 421, "": 421, "localhost.": 421} {
		name, status := b.met("Host", host)
		if status != want || status == 200 && name != "root@server" {
			t.Errorf("%q: %s %d, want %d", host, name, status, want)
		}
	}
	if r := b.do("POST", "/x", nil, "Sec-Fetch-Site", "cross-site"); r.StatusCode != 403 {
		t.Errorf("from another site: %d", r.StatusCode)
	}
	if r := b.do("POST", "/x", nil, "Origin", "http://localhost:3000"); r.StatusCode != 403 {
		t.Errorf("from another port of this machine: %d", r.StatusCode)
	}
	// A token that is there has to be good, here too.
	if _, status := b.met(bearer("rekey_x")...); status != 401 {
		t.Errorf("%d", status)
	}
}

func TestMayListen(t *testing.T) {
	in := everything().Identity
	declared := &sop.Identity{Name: sop.Text{"env:X"}, Roles: map[string][]sop.Who{"a": {{User: "alice"}}}}
	byToken := &sop.Identity{Roles: map[string][]sop.Who{"a": {{Token: "x"}}}}
	for _, tt := range []struct {
		addr string
		id   *sop.Identity
		may  bool
	}{
		{"127.0.0.1:80", nil, true}, {"[::1]:80", nil, true}, {"localhost:80", nil, true}, {"127.1.2.3:0", nil, true},
		{":80", nil, false}, {"0.0.0.0:80", nil, false}, {"[::]:80", nil, false}, {"192.0.2.1:80", nil, false}, {"myhost:80", nil, false}, {"localhost.evil.example.com:80", nil, false}, {"", nil, false}, {"127.0.0.1", nil, false},
		{":80", in, true}, {":80", declared, false}, {"127.0.0.1:80", declared, true}, {":80", byToken, true}, {":80", &sop.Identity{}, false},
	} {
		if err := MayListen(tt.addr, tt.id); (err == nil) != tt.may {
			t.Errorf("%q %v: %v", tt.addr, tt.id, err)
		}
	}
	if _, err := New(context.Background(), Options{Config: &sop.Config{}, Listen: ":80"}); err == nil {
		t.Error("a server that lets in everybody is made")
	}
}

// TestTooMuchThatProvesNothing is told so; who proves something is let in all the same.
func TestTooMuchThatProvesNothing(t *testing.T) {
	w := newWorld(t, everything())
	b := w.browser()
	many := 0
	for range 60 {
		if r := b.get("/", bearer("rekey_canary")...); r.StatusCode == 429 {
			many++
		}
	}
	if many != 30 {
		t.Errorf("%d of 60", many)
	}
	if _, status := b.met(bearer(w.ci.token(nil))...); status != 200 {
		t.Errorf("a good token from there: %d", status)
	}
}

// FuzzBearer: nothing that somebody sends as a token breaks the server or lets him in.
func FuzzBearer(f *testing.F) {
	f.Add("Bearer x")
	f.Add("Bearer rekey_" + strings.Repeat("0", 46))
	f.Add("bearer a.b.c")
	f.Add("Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2NpLmV4YW1wbGUuY29tIn0.")
	f.Fuzz(func(t *testing.T, s string) {
		id := &sop.Identity{OIDC: []sop.OIDC{{Issuer: ci, Audience: "rekey"}}}
		a := &Access{Options: Options{Now: time.Now, Transport: network{}, Listen: ":1"}, store: nil}
		if err := a.Reload(&sop.Config{Identity: id}); err != nil {
			t.Fatal(err)
		}
		if _, formed := oursLooks(strings.TrimPrefix(s, "Bearer ")); formed {
			t.Skip() // it would be looked up
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Authorization"] = []string{s}
		if c, fail := a.caller(r); c != nil || fail == nil {
			t.Errorf("%+v %v", c, fail)
		}
	})
}

// TestManyAskAtOnce, while rekey.yaml changes and the issuer's keys do.
func TestManyAskAtOnce(t *testing.T) {
	w := newWorld(t, everything())
	b := w.browser()
	b.signIn("/")
	_, ours := w.create(t, Wanted{Name: "nightly", Only: []string{"look"}})
	theirs := w.ci.token(nil)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				other := w.browser()
				other.cookies = map[string]string{"__Host-rekey-session": b.cookies["__Host-rekey-session"]}
				for name, header := range map[string][]string{"session": nil, "ours": bearer(ours), "theirs": bearer(theirs)} {
					if _, status := other.met(header...); status != 200 {
						t.Errorf("%s: %d", name, status)
					}
				}
				if i == 0 {
					w.time.pass(time.Second)
					if err := w.Reload(everything()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}
