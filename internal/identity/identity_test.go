package identity

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

var now = time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)

// platform is a CI platform that signs tokens, and its runner.
type platform struct {
	issuer string
	key    *ecdsa.PrivateKey
	answer func(path string) (int, string, bool) // instead of the usual one
	asked  []string
}

func newPlatform(t *testing.T, issuer string) *platform {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &platform{issuer: issuer, key: key}
}

func (p *platform) token(t *testing.T, claims map[string]any) string {
	t.Helper()
	all := map[string]any{
		"iss": p.issuer, "aud": "rekey", "sub": "repo:raxx/ops:ref:refs/heads/main", "repository": "raxx/ops", "actor": "alice", "run_id": 4711,
		"iat": now.Add(-time.Minute).Unix(), "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(5 * time.Minute).Unix(), "secret_of_theirs": "not-for-the-record",
	}
	for k, v := range claims {
		all[k] = v
	}
	body, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.key, KeyID: "k1"}}, nil)
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

func (p *platform) RoundTrip(req *http.Request) (*http.Response, error) {
	p.asked = append(p.asked, req.Method+" "+req.URL.String())
	status, body := http.StatusNotFound, "{}"
	keys, _ := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &p.key.PublicKey, KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	switch req.URL.Path {
	case "/.well-known/openid-configuration":
		status, body = 200, fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, p.issuer, p.issuer+"/keys?v=1")
	case "/keys":
		status, body = 200, string(keys)
	}
	if p.answer != nil {
		if s, b, ok := p.answer(req.URL.Path); ok {
			status, body = s, b
		}
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
}

func surroundings(network http.RoundTripper, env map[string]string) Surroundings {
	get := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	return Surroundings{
		Transport: network, Now: func() time.Time { return now }, Env: get, User: "alice@laptop",
		Resolve: func(_ context.Context, refs sop.Refs) (secret.Value, provider.Source, error) {
			for _, r := range refs {
				if v, ok := get(strings.TrimPrefix(string(r), "env:")); ok {
					return secret.New(v), provider.Source{Ref: r}, nil
				}
			}
			return secret.Value{}, provider.Source{}, errors.New("not set")
		},
		IsSet: func(refs sop.Refs) bool {
			_, ok := get(strings.TrimPrefix(string(refs[0]), "env:"))
			return ok
		},
		Text: func(t sop.Text) (string, error) {
			if v, ok := get(strings.TrimPrefix(t[0], "env:")); ok {
				return v, nil
			}
			return "", errors.New("not set")
		},
	}
}

const issuer = "https://ci.example.com"

var believed = &sop.Identity{
	OIDC: []sop.OIDC{{Issuer: issuer, Audience: "rekey", Token: sop.Refs{"env:ID_TOKEN"}}},
	Name: sop.Text{"env:REKEY_ACTOR"},
	Roles: map[string][]sop.Who{
		"superadmin": {{Claims: map[string]string{"sub": "repo:raxx/ops:ref:refs/heads/main", "actor": "al*"}}, {User: "carol"}},
		"oncall":     {{User: "alice"}, {Name: "dave@*"}, {Claims: map[string]string{"repository": "raxx/*"}}},
	},
}

func TestATokenIsBelievedOnceItsSignatureVerifies(t *testing.T) {
	p := newPlatform(t, issuer)
	who, err := Find(t.Context(), believed, surroundings(p, map[string]string{"ID_TOKEN": p.token(t, nil), "REKEY_ACTOR": "mallory"}))
	if err != nil {
		t.Fatal(err)
	}
	if !who.Verified || who.Name != "repo:raxx/ops:ref:refs/heads/main" || who.How != issuer || strings.Join(who.Roles, ",") != "oncall,superadmin" {
		t.Errorf("%+v", who)
	}
	if who.Claims["run_id"] != "4711" || who.Claims["actor"] != "alice" || who.Claims["secret_of_theirs"] != "" {
		t.Errorf("claims for the record: %v", who.Claims)
	}
	if len(p.asked) != 2 || p.asked[1] != "GET "+issuer+"/keys?v=1" {
		t.Errorf("asked %v", p.asked)
	}
}

// TestATokenThatProvesNothingIsAnError: nobody becomes somebody else in silence,
// and nothing of the token is quoted.
func TestATokenThatProvesNothingIsAnError(t *testing.T) {
	other := newPlatform(t, issuer)
	for name, tt := range map[string]struct {
		token  func(*platform) string
		answer func(string) (int, string, bool)
		want   string
	}{
		"expired":         {func(p *platform) string { return p.token(t, map[string]any{"exp": now.Add(-time.Hour).Unix()}) }, nil, "has expired"},
		"no expiry":       {func(p *platform) string { return p.token(t, map[string]any{"exp": 0}) }, nil, "does not say when it expires"},
		"odd expiry":      {func(p *platform) string { return p.token(t, map[string]any{"exp": "soon"}) }, nil, "claims cannot be read"},
		"expiry of null":  {func(p *platform) string { return p.token(t, map[string]any{"exp": nil}) }, nil, "claims cannot be read"},
		"other audience":  {func(p *platform) string { return p.token(t, map[string]any{"aud": "sts.example.com"}) }, nil, "another audience"},
		"other issuer":    {func(p *platform) string { return p.token(t, map[string]any{"iss": "https://evil.example.com"}) }, nil, "issued by another issuer"},
		"not yet":         {func(p *platform) string { return p.token(t, map[string]any{"nbf": now.Add(time.Hour).Unix()}) }, nil, "not valid yet"},
		"other key":       {func(*platform) string { return other.token(t, nil) }, nil, "signature does not verify"},
		"nobody":          {func(p *platform) string { return p.token(t, map[string]any{"sub": ""}) }, nil, "it names no subject"},
		"no token at all": {func(*platform) string { return "canary-not-a-token" }, nil, "not a token of this kind"},
		"no signature":    {func(p *platform) string { a := strings.Split(p.token(t, nil), "."); return a[0] + "." + a[1] + "." }, nil, "does not verify"},
		"algorithm none":  {func(p *platform) string { return "eyJhbGciOiJub25lIn0." + strings.Split(p.token(t, nil), ".")[1] + "." }, nil, "the token of " + issuer},
		"a page":          {func(p *platform) string { return p.token(t, nil) }, func(string) (int, string, bool) { return 200, "<html>", true }, "not JSON"},
		"502":             {func(p *platform) string { return p.token(t, nil) }, func(string) (int, string, bool) { return 502, "{}", true }, "502"},
		"another platform": {func(p *platform) string { return p.token(t, nil) }, func(string) (int, string, bool) {
			return 200, `{"issuer":"https://evil.example.com","jwks_uri":"https://evil.example.com/keys"}`, true
		}, "another name"},
		"keys in the clear": {func(p *platform) string { return p.token(t, nil) }, func(path string) (int, string, bool) {
			return 200, `{"issuer":"` + issuer + `","jwks_uri":"http://ci.example.com/keys"}`, strings.HasPrefix(path, "/.well")
		}, "where its keys are"},
		"no keys": {func(p *platform) string { return p.token(t, nil) }, func(path string) (int, string, bool) { return 200, `{"keys":[]}`, path == "/keys" }, "publishes no key"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t, issuer)
			p.answer = tt.answer
			token := tt.token(p)
			who, err := Find(t.Context(), believed, surroundings(p, map[string]string{"ID_TOKEN": token}))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%+v, %v; want %q", who, err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), token) || strings.Contains(err.Error(), strings.Split(token, ".")[0])) {
				t.Errorf("the error quotes the token: %v", err)
			}
			if who.Verified {
				t.Error("it is believed")
			}
		})
	}
}

// TestTheRunnerHandsOutAToken: on GitHub Actions nothing has to be configured but
// the issuer.
func TestTheRunnerHandsOutAToken(t *testing.T) {
	p := newPlatform(t, github)
	id := &sop.Identity{OIDC: []sop.OIDC{{Issuer: github, Audience: "rekey"}}}
	p.answer = func(path string) (int, string, bool) {
		return 200, `{"value":"` + p.token(t, nil) + `"}`, path == "/token"
	}
	env := map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": "https://runner.example.com/token?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "canary-runner"}
	who, err := Find(t.Context(), id, surroundings(p, env))
	if err != nil || !who.Verified {
		t.Fatalf("%+v, %v", who, err)
	}
	if p.asked[0] != "GET https://runner.example.com/token?api-version=2.0&audience=rekey" {
		t.Errorf("asked %s", p.asked[0])
	}
	p.answer = func(path string) (int, string, bool) { return 403, `{"x":"canary"}`, path == "/token" }
	if who, err = Find(t.Context(), id, surroundings(p, env)); err == nil || strings.Contains(err.Error(), "canary") || who.Verified {
		t.Errorf("%+v, %v", who, err)
	}
}

func TestWhatIsOnlyDeclared(t *testing.T) {
	for name, tt := range map[string]struct {
		id          *sop.Identity
		env         map[string]string
		name, roles string
	}{
		"nothing configured":    {nil, nil, "alice@laptop (self-declared: OS user)", ""},
		"the system's user":     {believed, nil, "alice@laptop (self-declared: OS user)", "oncall"},
		"a configured name":     {believed, map[string]string{"REKEY_ACTOR": "dave@raxx.app"}, "dave@raxx.app (self-declared: identity.name)", "oncall"},
		"GitHub's variables":    {nil, map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "bob", "GITHUB_REPOSITORY": "raxx/ops", "GITHUB_RUN_ID": "7"}, "bob by github-actions (raxx/ops, run 7) (self-declared: CI variables)", ""},
		"GitLab's variables":    {nil, map[string]string{"GITLAB_CI": "true", "GITLAB_USER_LOGIN": "bob", "CI_PROJECT_PATH": "raxx/ops", "CI_JOB_ID": "9"}, "bob by gitlab-ci (raxx/ops, job 9) (self-declared: CI variables)", ""},
		"claims by declaration": {&sop.Identity{Name: sop.Text{"env:N"}, Roles: map[string][]sop.Who{"superadmin": {{Claims: map[string]string{"sub": "*"}}}}}, map[string]string{"N": "repo:raxx/ops"}, "repo:raxx/ops (self-declared: identity.name)", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t, issuer)
			who, err := Find(t.Context(), tt.id, surroundings(p, tt.env))
			if err != nil || who.String() != tt.name || strings.Join(who.Roles, ",") != tt.roles || len(p.asked) > 0 {
				t.Errorf("%s, roles %v, asked %v, %v", who, who.Roles, p.asked, err)
			}
		})
	}
}

func TestRefusalAndRemark(t *testing.T) {
	spec := sop.Spec{Name: "CF_ACCESS_SVC_CONSOLE", Role: "superadmin"}
	alice := rotation.Who{Name: "alice@laptop", How: byUser, Roles: []string{"oncall"}}
	ci := rotation.Who{Name: "repo:raxx/ops", How: issuer, Verified: true, Roles: []string{"superadmin"}}
	why, those := Refusal(believed, sop.OpRotate, spec, alice)
	if why != "CF_ACCESS_SVC_CONSOLE is changed by the role superadmin, and alice@laptop has the role oncall" || len(those) != 2 || those[0] != "actor al*, sub repo:raxx/ops:ref:refs/heads/main" {
		t.Errorf("%q %q", why, those)
	}
	for who, id := range map[*rotation.Who]*sop.Identity{&alice: nil, &ci: believed} {
		if why, _ := Refusal(id, sop.OpRotate, spec, *who); why != "" {
			t.Errorf("refused: %s", why)
		}
	}
	for _, tt := range []struct {
		id   *sop.Identity
		who  rotation.Who
		want string
	}{
		{nil, alice, "self-declared, for rekey.yaml has no identity; whoever runs this, here alice@laptop (self-declared: OS user), is trusted"},
		{believed, alice, "so a run would be refused"},
		{believed, ci, "repo:raxx/ops (proven by " + issuer + ") has it"},
	} {
		if got := Remark(tt.id, spec, tt.who); !strings.Contains(got, tt.want) {
			t.Errorf("%q, want %q in it", got, tt.want)
		}
	}
	if got := Remark(believed, sop.Spec{Name: "X"}, alice); got != "" {
		t.Errorf("no role is required: %q", got)
	}
}

// TestNothingSecretIsKept: what a run records of a token cannot be used as one.
func TestNothingSecretIsKept(t *testing.T) {
	p := newPlatform(t, issuer)
	token := p.token(t, nil)
	who, err := Find(t.Context(), believed, surroundings(p, map[string]string{"ID_TOKEN": token}))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(rotation.Opened{By: &who})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(token, ".") {
		if bytes.Contains(b, []byte(part)) {
			t.Error("a part of the token is in the journal")
		}
	}
}
