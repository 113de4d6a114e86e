package identity

import (
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// github is the issuer of tokens on GitHub Actions, where the runner hands them
// out on request (docs.github.com: "OpenID Connect reference").
const github = "https://token.actions.githubusercontent.com"

// leastRSA is how long an RSA key has to be (RFC 7518 §3.3, NIST SP 800-131A).
const leastRSA = 2048

// shown are the claims that are kept for the record, besides those by which a role is
// given; none is secret. GitHub:
// repository, ref, workflow_ref, run_id, actor, environment. GitLab: project_path,
// ref, pipeline_id, job_id, user_login.
var shown = []string{
	"iss", "sub", "repository", "ref", "workflow_ref", "run_id", "run_attempt", "actor", "environment", "event_name",
	"project_path", "namespace_path", "pipeline_id", "job_id", "user_login", "email", "preferred_username",
}

// algorithms that a signature may use: asymmetric ones, for a shared key proves
// nothing about who signed.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.EdDSA}

func (s Surroundings) client(base string) *vendorhttp.Client {
	return &vendorhttp.Client{Vendor: "identity", Base: strings.TrimRight(base, "/"), Transport: s.Transport, Now: s.Now}
}

// token returns the platform's token, if there is one here.
func (s Surroundings) token(ctx context.Context, o sop.OIDC) (secret.Value, bool, error) {
	if len(o.Token) > 0 {
		if !s.IsSet(o.Token) {
			return secret.Value{}, false, nil
		}
		v, _, err := s.Resolve(ctx, o.Token)
		return v, err == nil, err
	}
	where, asked := s.Env("ACTIONS_ID_TOKEN_REQUEST_URL")
	runner := sop.Refs{"env:ACTIONS_ID_TOKEN_REQUEST_TOKEN"}
	if o.Issuer != github || !asked || !s.IsSet(runner) {
		return secret.Value{}, false, nil
	}
	key, _, err := s.Resolve(ctx, runner)
	if err != nil {
		return secret.Value{}, false, err
	}
	u, err := url.Parse(where)
	if err != nil || sop.CheckAddress(where, false) != nil {
		return secret.Value{}, false, errors.New("ACTIONS_ID_TOKEN_REQUEST_URL is no https address: the runner's token would be sent in clear text")
	}
	q := u.Query()
	q.Set("audience", o.Audience)
	c := s.client(u.Scheme + "://" + u.Host)
	c.Authorize = func(_ context.Context, r *http.Request) (string, error) {
		r.Header.Set("Authorization", "Bearer "+key.Reveal())
		return string(runner[0]), nil
	}
	resp, err := c.Do(ctx, vendorhttp.Request{Op: "ask the runner for a token", Method: http.MethodGet, Path: u.EscapedPath(), Query: q})
	if err != nil {
		return secret.Value{}, false, err
	}
	var out struct {
		Value secret.Value `json:"value"`
	}
	if err := resp.Decode(&out); err != nil || !out.Value.Present() {
		return secret.Value{}, false, errors.New("the runner answered without a token")
	}
	return out.Value, true, nil
}

// verify checks signature, issuer, audience and time by the issuer's published
// keys (OpenID Connect Discovery 1.0 §4; Core 1.0 §3.1.3.7), and returns what the
// token says.
func (s Surroundings) verify(ctx context.Context, o sop.OIDC, token secret.Value) (claims, error) {
	keys, short, err := s.keys(ctx, o.Issuer)
	if err != nil {
		return nil, err
	}
	verifier := oidc.NewVerifier(o.Issuer, &oidc.StaticKeySet{PublicKeys: keys},
		&oidc.Config{ClientID: o.Audience, SupportedSigningAlgs: algorithms, Now: s.Now})
	verified, err := verifier.Verify(ctx, token.Reveal())
	if err != nil {
		if err = words(err); short && errors.Is(err, errUnsigned) {
			err = fmt.Errorf("%w; keys of the issuer that are shorter than %d bits were not tried", err, leastRSA)
		}
		return nil, err
	}
	var all map[string]json.RawMessage
	if err := verified.Claims(&all); err != nil {
		return nil, errors.New("its claims cannot be read")
	}
	out := claims{}
	for name, raw := range all {
		out[name] = values(raw)
	}
	if out.text("sub") == "" {
		return nil, errors.New("it names nobody: it has no sub")
	}
	return out, nil
}

// words says what is wrong without quoting the token.
func words(err error) error {
	var expired *oidc.TokenExpiredError
	switch text := err.Error(); {
	case errors.As(err, &expired):
		if expired.Expiry.Unix() <= 0 {
			return errors.New("it does not say when it expires")
		}
		return errors.New("it has expired")
	case strings.Contains(text, "expected audience"):
		return errors.New("it is made out for another audience")
	case strings.Contains(text, "issued by a different provider"):
		return errors.New("it was issued by somebody else")
	case strings.Contains(text, "before the nbf"):
		return errors.New("it is not valid yet; is this machine's clock right?")
	case strings.Contains(text, "failed to unmarshal claims"):
		return errors.New("its claims cannot be read")
	case strings.Contains(text, "malformed"):
		return errors.New("it is no token of this kind")
	}
	return errUnsigned
}

var errUnsigned = errors.New("its signature does not verify")

// keys fetches the issuer's public keys; short: there were others, too short to believe.
func (s Surroundings) keys(ctx context.Context, issuer string) (out []crypto.PublicKey, short bool, err error) {
	resp, err := s.client(issuer).Do(ctx, vendorhttp.Request{Op: "look for the issuer's keys", Method: http.MethodGet, Path: "/.well-known/openid-configuration"})
	if err != nil {
		return nil, short, err
	}
	var found struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := resp.Decode(&found); err != nil {
		return nil, short, err
	}
	if found.Issuer != issuer {
		return nil, short, errors.New("who answers there calls himself by another name") // Discovery §4.3
	}
	u, err := url.Parse(found.Keys)
	if base, _ := url.Parse(issuer); err != nil || sop.CheckAddress(found.Keys, false) != nil || u.Scheme != base.Scheme {
		return nil, short, errors.New("the issuer names no place of its keys")
	}
	resp, err = s.client(u.Scheme+"://"+u.Host).Do(ctx, vendorhttp.Request{Op: "read the issuer's keys", Method: http.MethodGet, Path: u.EscapedPath(), Query: u.Query()})
	if err != nil {
		return nil, short, err
	}
	var set jose.JSONWebKeySet
	if err := resp.Decode(&set); err != nil {
		return nil, short, err
	}
	for _, k := range set.Keys {
		if key, is := k.Key.(*rsa.PublicKey); is && key.N.BitLen() < leastRSA {
			short = true // whoever has computers enough can sign with it
			continue
		}
		if k.IsPublic() && k.Use != "enc" {
			out = append(out, k.Key)
		}
	}
	switch {
	case len(out) == 0 && short:
		return nil, short, fmt.Errorf("the issuer's RSA keys are shorter than %d bits", leastRSA)
	case len(out) == 0:
		return nil, short, errors.New("the issuer publishes no key")
	}
	return out, short, nil
}
