package identity

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"

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
	"project_path", "namespace_path", "pipeline_id", "job_id", "user_login", "email", "preferred_username", "common_name",
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
		return secret.Value{}, false, errors.New("ACTIONS_ID_TOKEN_REQUEST_URL is not an https address: the runner's token would be sent in clear text")
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
