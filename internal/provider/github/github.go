// Package github is GitHub as a consumer: Actions, Dependabot and Codespaces secrets of a repository, an environment or an organisation, which nobody can read back.
//
// The client is our own: the official one is generated for the whole API, and repeats
// nothing that we could not do in a page.
package github

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
	"rekey/internal/webapi"
)

//go:embed doc.md
var doc string

// DefaultBase is the REST API of github.com; an Enterprise Server has its own, below
// /api/v3.
const DefaultBase = "https://api.github.com"

// apiVersion is the version of the API whose answers this was built from
// [docs.github.com/rest/about-the-rest-api/api-versions].
const apiVersion = "2022-11-28"

// reserve is how many calls of the token's 5,000 an hour looking leaves to changes and
// to others [docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api].
const (
	reserve = 100
	refill  = 5000.0 / 3600
)

// Connection is how to reach GitHub.
type Connection struct {
	// Address of the REST API, of an Enterprise Server: https://HOST/api/v3. Default: https://api.github.com
	BaseURL string `json:"base_url,omitempty" jsonschema:"format=rekey-address"`
	// Token that may read and write the secrets: fine-grained, with the permission Secrets, Environments or Organization secrets (write), and Actions (read).
	Token sop.Refs `json:"token" jsonschema:"required"`
}

// Settings are the settings of a consumer: secrets of a repository, of one of its
// environments, or of an organisation.
type Settings struct {
	// Repository, as owner/name.
	Repo string `json:"repo,omitempty" jsonschema:"pattern=^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$"`
	// Environment of the repository, whose secrets are meant instead of the repository's own.
	Environment string `json:"environment,omitempty"`
	// Organisation whose secrets are meant.
	Organization string `json:"organization,omitempty" jsonschema:"pattern=^[A-Za-z0-9-]+$"`
	// Which secrets: those of Actions, Dependabot or Codespaces. Default: actions
	Of string `json:"secrets_of,omitempty" jsonschema:"enum=actions,enum=dependabot,enum=codespaces"`
	// Repositories that see a secret of the organisation which is new; of one that is there already it stays as it is. Default: private
	Visibility string `json:"visibility,omitempty" jsonschema:"enum=all,enum=private"`
	// What to do about workflow runs that began before the secret was written, and so hold the old one: wait until they end, or ignore them. Default: wait
	EarlierRuns string `json:"earlier_runs,omitempty" jsonschema:"enum=wait,enum=ignore"`
}

// Descriptor is GitHub for the rest of the house.
var Descriptor = provider.Descriptor{
	Name:       "github",
	Title:      "GitHub",
	Base:       DefaultBase,
	Connection: &Connection{},
	Consumer:   &Settings{},
	ConsumerID: []string{"repo", "repo+environment", "organization"},
	Holds:      provider.Holding{Piecewise: true, WriteOnly: true},
	Doc:        doc,
	Open:       open,
}

// Account is the opened API.
type Account struct {
	api *vendorhttp.Client
	env provider.Env
}

func open(env provider.Env, name string, settings json.RawMessage) (provider.Vendor, error) {
	var c Connection
	if err := json.Unmarshal(settings, &c); err != nil {
		return nil, fmt.Errorf("vendor %s: %w", name, err)
	}
	if c.BaseURL == "" {
		c.BaseURL = DefaultBase
	}
	api := webapi.Client(env, name, c.BaseURL, "")
	api.Explain, api.Own, api.Pace = explain, own, env.Pace(reserve, refill)
	api.Authorize = webapi.Bearer(webapi.By(env, c.Token), map[string]string{"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": apiVersion})
	return &Account{env: env, api: api}, nil
}

// Close does nothing: a token has no session.
func (a *Account) Close(context.Context) {}

// Consumer returns the secrets of one repository, environment or organisation.
func (a *Account) Consumer(settings json.RawMessage) (provider.Consumer, error) {
	var s Settings
	if err := json.Unmarshal(settings, &s); err != nil {
		return nil, fmt.Errorf("vendor %s: %w", a.api.Vendor, err)
	}
	if s.Of == "" {
		s.Of = "actions"
	}
	p := &place{Account: a, settings: s}
	switch {
	case s.Organization != "":
		p.path = "/orgs/" + url.PathEscape(s.Organization) + "/" + s.Of + "/secrets"
	case s.Environment != "":
		if s.Of != "actions" {
			return nil, fmt.Errorf("vendor %s: an environment has secrets of actions only", a.api.Vendor)
		}
		p.repo = repoPath(s.Repo)
		p.path = p.repo + "/environments/" + url.PathEscape(s.Environment) + "/secrets"
	default:
		p.repo = repoPath(s.Repo)
		p.path = p.repo + "/" + s.Of + "/secrets"
	}
	return p, nil
}

func repoPath(repo string) string {
	owner, name, _ := strings.Cut(repo, "/")
	return "/repos/" + url.PathEscape(owner) + "/" + url.PathEscape(name)
}

// own: GitHub's errors have a message and name a page of its documentation
// [components.schemas.basic-error of the published OpenAPI description].
func own(r *vendorhttp.Response) bool {
	var e struct {
		Message string `json:"message"`
		Page    string `json:"documentation_url"`
	}
	return json.Unmarshal(r.Body, &e) == nil && e.Message != "" && strings.HasPrefix(e.Page, "https://docs.github.com/")
}

// explain refines what a status says. GitHub's messages are its own and quote nothing
// that was sent, but are not told: ours say what to do.
func explain(status int, body []byte) (cred.Class, string, string) {
	var e struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(body, &e)
	says := func(part string) bool { return strings.Contains(strings.ToLower(e.Message), part) }
	switch status {
	case http.StatusUnauthorized:
		return cred.Denied, "", "the token is not valid"
	case http.StatusForbidden, http.StatusTooManyRequests:
		switch {
		case status == http.StatusTooManyRequests, says("rate limit"):
			return cred.Limited, "", "the rate limit of the token is used up"
		case says("saml"):
			return cred.Denied, "saml", "the organisation asks for single sign-on: authorise the token for it"
		case says("ip allow list"):
			return cred.Denied, "ip", "the organisation allows no requests from this address: that does not mean that the token is not valid"
		case says("not accessible by"):
			return cred.Denied, "permission", "the token lacks a permission: Secrets, Environments or Organization secrets (write), and Actions (read)"
		}
		return cred.Denied, "", "the token may not do this"
	case http.StatusNotFound:
		return cred.Absent, "", "there is none, or the token may not see it: GitHub answers both alike"
	case http.StatusUnprocessableEntity:
		return cred.Refused, "", "GitHub finds the request invalid: of a name, only letters, digits and _ are taken, not GITHUB_ at its beginning"
	}
	return "", "", ""
}

var _ provider.Consumes = (*Account)(nil)
