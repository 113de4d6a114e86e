package infisical_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/provider/infisical"
	"rekey/internal/secret"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

const ofApp = `{"identity":["env:APP_IDENTITY_ID"]}`

func issuer(t *testing.T, v provider.Vendor, settings string) provider.Issuer {
	t.Helper()
	i, err := v.(provider.Issues).Issuer(infisical.KindClientSecret, json.RawMessage(settings))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// app gives the world an app's identity; change is made to it before.
func app(t *testing.T, connection string, change func(w *sim.State, who *sim.Identity)) (*bench, provider.Issuer, secret.Bundle) {
	t.Helper()
	var who *sim.Identity
	b, v := open(t, connection, func(s *sim.State) {
		who = s.GiveClientSecret("raxx-app", "", "APP_LOGIN")
		if change != nil {
			change(s, who)
		}
	})
	return b, issuer(t, v, ofApp), secret.Bundle{infisical.FieldClientSecret: secret.New(who.Secrets[0].Value)}
}

func logins(b *bench) (n int) {
	for _, x := range b.sent {
		if strings.HasSuffix(x, "/login") {
			n++
		}
	}
	return n
}

var itself = sop.Probe{URL: sop.IssuerItself}

// TestProbeReadsOnlyInfisicalsOwnWord: its own yes and its own no prove something,
// nothing else does.
func TestProbeReadsOnlyInfisicalsOwnWord(t *testing.T) {
	answer := func(status int, body string) func(*http.Request) *http.Response {
		return func(req *http.Request) *http.Response { return says(req, status, body) }
	}
	for name, c := range map[string]struct {
		says func(*http.Request) *http.Response // nil: the world's own
		want cred.Verdict
	}{
		"yes":              {nil, cred.Accepted},
		"no":               {answer(401, `{"statusCode":401,"message":"Invalid credentials","error":"UnauthorizedError"}`), cred.Rejected},
		"expired":          {answer(401, `{"statusCode":401,"message":"Access denied due to expired client secret","error":"UnauthorizedError"}`), cred.Rejected},
		"locked":           {answer(401, `{"statusCode":401,"message":"This identity auth method is temporarily locked, please try again later","error":"UnauthorizedError"}`), cred.Unclear},
		"a proxy's 401":    {answer(401, `<html>no</html>`), cred.Unclear},
		"a proxy's 200":    {answer(200, `<html>welcome</html>`), cred.Unclear},
		"200 without one":  {answer(200, `{}`), cred.Unclear},
		"not allowed here": {answer(403, `{"statusCode":403,"message":"no","error":"ForbiddenError"}`), cred.Unclear},
		"limit":            {answer(429, `{"statusCode":429,"message":"no","error":"RateLimitExceeded"}`), cred.Unclear},
		"down":             {answer(503, `{}`), cred.Unclear},
		"another's token":  {answer(200, `{"accessToken":"eyJ.eyJjbGllbnRTZWNyZXRJZCI6Im90aGVyIn0.x"}`), cred.Unclear},
	} {
		b, i, bundle := app(t, identity, nil)
		if _, err := i.List(t.Context()); err != nil { // logs in
			t.Fatal(err)
		}
		b.before = func(req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if c.says != nil && strings.HasSuffix(req.URL.Path, "/login") {
				return c.says(req), nil
			}
			return send()
		}
		if got, detail, err := i.(provider.Prober).Probe(t.Context(), itself, bundle); got != c.want || err != nil {
			t.Errorf("%s: %s (%s), want %s: %v", name, got, detail, c.want, err)
		}
	}
}

// TestDeadOnesAreNotTried: revoked, expired, never listed, of another id: told by
// the list, and not by a failed login.
func TestDeadOnesAreNotTried(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *sim.State, who *sim.Identity)
		with   secret.Bundle
	}{
		"revoked":       {func(_ *sim.State, who *sim.Identity) { who.Secrets[0].Revoked = true }, nil},
		"expired":       {func(_ *sim.State, who *sim.Identity) { who.Secrets[0].TTL = 60 }, nil},
		"another id":    {nil, secret.Bundle{infisical.FieldID: secret.New("another")}},
		"never made":    {nil, secret.Bundle{infisical.FieldClientSecret: secret.New("zzzz" + strings.Repeat("0", 60))}},
		"shorter still": {nil, secret.Bundle{infisical.FieldClientSecret: secret.New("z")}},
	} {
		b, i, bundle := app(t, identity, c.change)
		if _, err := i.List(t.Context()); err != nil {
			t.Fatal(err)
		}
		for k, v := range c.with {
			bundle[k] = v
		}
		b.sent = nil
		got, detail, err := i.(provider.Prober).Probe(t.Context(), itself, bundle)
		if got != cred.Rejected || err != nil || logins(b) != 0 || !strings.Contains(detail, "by the list") {
			t.Errorf("%s: %s (%s) after %v: %v", name, got, detail, b.sent, err)
		}
		listed, _ := i.List(t.Context())
		if owner, err := i.Owner(t.Context(), bundle, listed); owner != "" || err != nil || logins(b) != 0 {
			t.Errorf("%s: owner %q after %v: %v", name, owner, b.sent, err)
		}
	}
}

// TestRefusedSecretIsNotTriedAgain: the list shows one like it, and it is another.
// Two logins may fail, a minute apart; the third, which locks, is never sent.
func TestRefusedSecretIsNotTriedAgain(t *testing.T) {
	b, i, bundle := app(t, identity, nil)
	if _, err := i.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	good := bundle[infisical.FieldClientSecret].Reveal()
	bundle = secret.Bundle{infisical.FieldClientSecret: secret.New(good[:4] + strings.Repeat("f", 60))}
	b.sent = nil
	var verdicts []string
	for range 300 {
		v, _, err := i.(provider.Prober).Probe(t.Context(), itself, bundle)
		if err != nil {
			t.Fatal(err)
		}
		verdicts = append(verdicts, string(v))
		b.now = b.now.Add(time.Second)
	}
	if n := logins(b); n != 2 || verdicts[0] != string(cred.Rejected) || verdicts[1] != string(cred.Unclear) || verdicts[299] != string(cred.Unclear) {
		t.Errorf("%d logins, %s, %s, … %s", n, verdicts[0], verdicts[1], verdicts[299])
	}
	b.Look(func(w *sim.State) {
		for _, who := range w.Infisical.Identities {
			if who.Locks > 0 {
				t.Error("locked")
			}
		}
	})
}

// TestOwner: by the id that is stored, or by what a login tells; what cannot be
// told belongs to none.
func TestOwner(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *sim.State, who *sim.Identity)
		more   func(w *sim.State, who *sim.Identity) secret.Bundle
		mute   bool   // access tokens say nothing
		want   string // part of the refusal; "": found
		logins int
	}{
		"by a login": {logins: 1},
		"by its id": {more: func(_ *sim.State, who *sim.Identity) secret.Bundle {
			return secret.Bundle{infisical.FieldID: secret.New(who.Secrets[0].ID)}
		}},
		"without claims":  {mute: true, logins: 1},
		"two begin alike": {change: func(_ *sim.State, who *sim.Identity) { twin(who) }, logins: 1},
		"two begin alike, without claims": {change: func(_ *sim.State, who *sim.Identity) { twin(who) }, mute: true,
			want: "2 client secrets begin like it", logins: 1},
		"a limited number of logins": {change: func(_ *sim.State, who *sim.Identity) { who.Secrets[0].Limit = 1 }, want: "none is spent"},
		"another identity's": {more: func(*sim.State, *sim.Identity) secret.Bundle {
			return secret.Bundle{infisical.FieldClientID: secret.New("another")}
		}, want: "is not that of the identity"},
		"locked": {change: func(w *sim.State, who *sim.Identity) { who.Locked = w.At.Add(time.Hour) }, want: "cannot be told", logins: 1},
	} {
		var who *sim.Identity
		b, i, bundle := app(t, identity, func(w *sim.State, x *sim.Identity) {
			if who = x; c.change != nil {
				c.change(w, x)
			}
		})
		listed, err := i.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if c.more != nil {
			b.Look(func(w *sim.State) {
				for k, v := range c.more(w, who) {
					bundle[k] = v
				}
			})
		}
		b.before = func(req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if c.mute && strings.HasSuffix(req.URL.Path, "/login") {
				return says(req, 200, `{"accessToken":"opaque","expiresIn":60}`), nil
			}
			return send()
		}
		b.sent = nil
		owner, err := i.Owner(t.Context(), bundle, listed)
		if (c.want == "") != (owner == who.Secrets[0].ID) || (c.want != "") != (err != nil) || logins(b) != c.logins {
			t.Errorf("%s: %q after %d logins: %v", name, owner, logins(b), err)
		}
		if err != nil && (cred.ClassOf(err) != cred.Refused || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), bundle[infisical.FieldClientSecret].Reveal())) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func twin(who *sim.Identity) {
	who.Secrets = append(who.Secrets, &sim.ClientSecret{ID: "twin", Value: who.Secrets[0].Value[:4] + strings.Repeat("e", 60), Description: "twin"})
}

// TestSelf: whose access token it is decides, however it was had.
func TestSelf(t *testing.T) {
	var who *sim.Identity
	keep := func(_ *sim.State, x *sim.Identity) { who, x.Tokens = x, true }
	_, i, _ := app(t, identity, keep)
	if id, err := i.(provider.Self).Self(t.Context()); id != "" || err != nil {
		t.Errorf("of another identity: %q %v", id, err)
	}
	own := `{"client_id":["env:RAXX_APP_CLIENT_ID"],"client_secret":["env:RAXX_APP_CLIENT_SECRET"],"project":["env:INFISICAL_PROJECT_ID"]}`
	_, i, bundle := app(t, own, keep)
	if id, err := i.(provider.Self).Self(t.Context()); id != who.Secrets[0].ID || err != nil {
		t.Errorf("our own: %q %v", id, err)
	}
	listed, err := i.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if owner, err := i.Owner(t.Context(), bundle, listed); owner != who.Secrets[0].ID || err != nil {
		t.Errorf("our own, with the store elsewhere: %q %v", owner, err)
	}

	// As a ready token that came from it.
	b, i, bundle := app(t, `{"token":["env:READY"],"project":["env:INFISICAL_PROJECT_ID"]}`, func(_ *sim.State, x *sim.Identity) { who, x.Tokens = x, true })
	body := fmt.Sprintf(`{"clientId":%q,"clientSecret":%q}`, who.ClientID, who.Secrets[0].Value)
	req, _ := http.NewRequest(http.MethodPost, infisical.DefaultBase+"/api/v1/auth/universal-auth/login", strings.NewReader(body))
	resp, err := b.World.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Token string `json:"accessToken"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || got.Token == "" {
		t.Fatal(err)
	}
	b.env["READY"] = got.Token
	if listed, err = i.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Owner(t.Context(), bundle, listed); cred.ClassOf(err) != cred.Refused || !strings.Contains(err.Error(), "vendors.infisical.token") {
		t.Errorf("a ready token that came from it: %v", err)
	}
}

// TestWhatIsMadeIsWhatWasAskedFor: its life and name; and an answer that cannot be
// used is not a success.
func TestWhatIsMadeIsWhatWasAskedFor(t *testing.T) {
	b, v := open(t, identity, func(s *sim.State) { s.GiveClientSecret("raxx-app", "", "APP_LOGIN") })
	i := issuer(t, v, `{"identity":["env:APP_IDENTITY_ID"],"expires_in":"180d"}`)
	h, bundle, err := i.Create(t.Context(), "raxx-app-new")
	if err != nil {
		t.Fatal(err)
	}
	if want := b.now.Add(180 * 24 * time.Hour); !h.Expires.Equal(want) || h.Name != "raxx-app-new" || !bundle[infisical.FieldID].Equal(secret.New(h.ID)) || !bundle.Complete([]string{infisical.FieldClientID, infisical.FieldClientSecret}) {
		t.Errorf("%+v", h)
	}
	for _, bad := range []string{`{}`, `{"clientSecret":"abcdef","clientSecretData":{"id":"x","clientSecretPrefix":"zzzz"}}`, `{"clientSecret":"abcdef","clientSecretData":{"clientSecretPrefix":"abcd"}}`} {
		b.before = func(req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/client-secrets") {
				return says(req, 200, bad), nil
			}
			return send()
		}
		if _, _, err := i.Create(t.Context(), "x"); cred.ClassOf(err) != cred.Unknown {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestSettingsThatCannotWork(t *testing.T) {
	_, v := open(t, identity, func(s *sim.State) { s.GiveClientSecret("raxx-app", "", "APP_LOGIN") })
	for settings, want := range map[string]string{
		`{"identity":[""]}`: "give the id",
		`{"identity":["env:APP_IDENTITY_ID"],"expires_in":"30s"}`: "an hour at least",
		`{"identity":7}`: "expected a string",
	} {
		if _, err := v.(provider.Issues).Issuer(infisical.KindClientSecret, json.RawMessage(settings)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", settings, err)
		}
	}
	if _, err := v.(provider.Issues).Issuer("token-auth", json.RawMessage(ofApp)); err == nil {
		t.Error("an unknown kind was taken")
	}
	if err := issuer(t, v, ofApp).Revoke(t.Context(), cred.Handle{}); cred.ClassOf(err) != cred.Refused {
		t.Errorf("%v", err)
	}
}

// TestIdentityOutOfReach: one that is not there, and one with more rights, are
// told apart and in words.
func TestIdentityOutOfReach(t *testing.T) {
	for want, c := range map[string]struct {
		settings string
		admin    bool
	}{
		"there is no machine identity nobody":                             {`{"identity":["nobody"]}`, false},
		"want the permission get-token on identities in the organization": {ofApp, true},
	} {
		_, v := open(t, identity, func(s *sim.State) {
			s.GiveClientSecret("raxx-app", "", "APP_LOGIN").Admin = c.admin
			s.Env["nobody"] = "nobody"
		})
		i := issuer(t, v, c.settings)
		if _, err := i.List(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told: %v", want, err)
		}
		if _, _, err := i.Create(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told: %v", want, err)
		}
	}
}
