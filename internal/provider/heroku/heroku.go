// Package heroku is Heroku as a consumer, by config vars of apps and of pipeline stages, and as an issuer, of its own OAuth authorizations.
//
// The client is our own: heroku-go is not to be had from the module proxy, and
// its retry transport breaks every PATCH and POST that meets a 429 (measured;
// docs/decisions/0003-own-vendor-clients.md).
package heroku

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
	"rekey/internal/webapi"
)

//go:embed doc.md
var doc string

// reserve is how many calls of the account's pool of 4,500 an hour looking leaves
// to changes and to others; 75 come back a minute (docs/vendors/heroku.md).
const (
	reserve = 50
	refill  = 75.0 / 60
)

// DefaultBase is the Platform API.
const DefaultBase = "https://api.heroku.com"

// acceptV3 asks for version 3 of the API; some endpoints want a variant of it.
const acceptV3 = "application/vnd.heroku+json; version=3"

const (
	// shutdownGrace: processes of the old release get SIGTERM and 30 seconds
	// while new ones already run [devcenter.heroku.com/articles/dyno-shutdown-behavior].
	shutdownGrace = 30 * time.Second
	// prebootGrace: with preboot old web dynos serve on for the boot time-out (60
	// s) and two minutes more, invisible in the dyno list
	// [devcenter.heroku.com/articles/preboot].
	prebootGrace = 3 * time.Minute
)

// Connection is how to reach Heroku.
type Connection struct {
	// Address of the Platform API. Default: https://api.heroku.com
	BaseURL string `json:"base_url,omitempty" jsonschema:"format=rekey-address"`
	// Token of an authorization with the scopes read-protected and write-protected.
	Token sop.Refs `json:"token" jsonschema:"required"`
}

// Settings are the settings of a consumer: an app, or a stage of a pipeline.
type Settings struct {
	// App, by name or (better, names can be taken over) by id.
	App string `json:"app,omitempty"`
	// Pipeline whose stage has config vars, by name or (better, names are not unique) by id.
	Pipeline string `json:"pipeline,omitempty"`
	// Stage of the pipeline; what it holds goes into review apps and test runs that are made later.
	Stage string `json:"stage,omitempty" jsonschema:"enum=test,enum=review,enum=development,enum=staging,enum=production"`
	// What to do about apps of the stage that hold the credential and are not registered as consumers: refuse to start, or tell. Default: refuse
	ExistingApps string `json:"existing_apps,omitempty" jsonschema:"enum=refuse,enum=tell"`
	// How long old processes may live on after new ones run. Default: 30s, with preboot 3m
	Grace sop.Duration `json:"grace,omitempty"`
	// What to do about one-off dynos that still run on an older release: wait until they end, or ignore them. Default: wait
	OneOffDynos string `json:"one_off_dynos,omitempty" jsonschema:"enum=wait,enum=ignore"`
}

// Descriptor is Heroku for the rest of the house.
var Descriptor = provider.Descriptor{
	Name:       "heroku",
	Title:      "Heroku",
	Base:       DefaultBase,
	Connection: &Connection{},
	Issuers: []provider.Sheet{{
		Kind:     KindAuthorization,
		Settings: &AuthorizationSettings{},
		Fields:   []string{FieldToken},
		Optional: []string{FieldID},
		Public:   []string{FieldID},
		Create:   true,
		Label:    true,
		Verifies: true,
	}},
	Consumer:   &Settings{},
	ConsumerID: []string{"app", "pipeline+stage"},
	Doc:        doc,
	ByHand:     byHand,
	Open:       open,
}

// Platform is the opened Platform API.
type Platform struct {
	api *vendorhttp.Client
	env provider.Env
	// account asks with the credential of a probe, never with our own.
	account *vendorhttp.Client
	// token is the one by which we ourselves work.
	token  webapi.Token
	recall recall
	// looks are shared by the runs of this process.
	looks *looks
	// apps are those opened as consumers; all are, before any is asked.
	apps []string
	// telling are the stages opened whose apps keep what they hold.
	telling []*stage
}

func open(env provider.Env, name string, settings json.RawMessage) (provider.Vendor, error) {
	var c Connection
	if err := json.Unmarshal(settings, &c); err != nil {
		return nil, fmt.Errorf("vendor %s: %w", name, err)
	}
	if c.BaseURL == "" {
		c.BaseURL = DefaultBase
	}
	p := &Platform{env: env}
	p.looks = provider.Of(env.Memory, "heroku\x00"+name+"\x00"+string(settings), newLooks)
	p.token = webapi.By(env, c.Token)
	p.account, p.api = webapi.Client(env, name, c.BaseURL, ""), webapi.Client(env, name, c.BaseURL, "")
	p.account.Timeout, p.account.Pace = probeTimeout, nil // the limit of whose token it is
	p.api.Explain, p.api.Own, p.api.Pace = explain, own, env.Pace(reserve, refill)
	bearer := webapi.Bearer(p.token, nil)
	p.api.Authorize = func(ctx context.Context, req *http.Request) (string, error) {
		if !strings.HasPrefix(req.Header.Get("Accept"), acceptV3) {
			req.Header.Set("Accept", acceptV3) // a variant of it is asked for by the call
		}
		return bearer(ctx, req)
	}
	return p, nil
}

// Close does nothing: a token has no session.
func (p *Platform) Close(context.Context) {}

// Consumer returns one app, or one stage of a pipeline.
func (p *Platform) Consumer(settings json.RawMessage) (provider.Consumer, error) {
	var s Settings
	if err := json.Unmarshal(settings, &s); err != nil {
		return nil, err
	}
	switch {
	case s.App != "" && s.Pipeline == "" && s.Stage == "":
		if s.ExistingApps != "" {
			return nil, errors.New("existing_apps is of a pipeline's stage, not of an app")
		}
		p.apps = append(p.apps, s.App)
	case s.App == "" && s.Pipeline != "" && s.Stage != "":
		if s.OneOffDynos != "" {
			return nil, errors.New("one_off_dynos is of an app; nothing runs in a pipeline's stage")
		}
		st := &stage{Platform: p, settings: s}
		if s.ExistingApps == "tell" {
			p.telling = append(p.telling, st)
		}
		return st, nil
	default:
		return nil, errors.New("a consumer of heroku is an app, or a pipeline and a stage")
	}
	return &app{Platform: p, settings: s, path: "/apps/" + url.PathEscape(s.App)}, nil
}

// errorIDs is Heroku's table of error ids (docs/vendors/heroku.md).
var errorIDs = map[string]struct {
	class cred.Class
	why   string
}{
	"unauthorized":        {cred.Denied, "the token is not valid; a token of a login through single sign-on ends after 8 hours"},
	"forbidden":           {cred.Denied, "the token may not do this: it lacks a scope, or its account the access"},
	"suspended":           {cred.Denied, "the account or app is suspended"},
	"two_factor":          {cred.Denied, "Heroku asks for a second factor, which only a person has; use the token of an account that needs none"},
	"delinquent":          {cred.Refused, "the account has unpaid bills"},
	"not_found":           {cred.Absent, "there is no such app or pipeline, or the token may not see it"},
	"conflict":            {cred.Conflict, "somebody else is changing it"},
	"gone":                {cred.Absent, "it no longer exists"},
	"bad_request":         {cred.Refused, "Heroku finds the request invalid"},
	"not_acceptable":      {cred.Refused, "Heroku finds the request invalid"},
	"invalid_params":      {cred.Refused, "Heroku finds the values invalid"},
	"verification_needed": {cred.Refused, "the account has to be verified"},
	"rate_limit":          {cred.Limited, "rate limit of the account, shared with its deploys and people"},
}

// errorID is a word of Heroku's for an error: small letters and underscores
// [devcenter.heroku.com/articles/platform-api-reference, Errors].
var errorID = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

// own: every error of the Platform API has an id and a message
// [devcenter.heroku.com/articles/platform-api-reference, Errors]. Of none does
// Heroku say that nothing was applied, so no answer proves it but a denial and the
// rate limit.
func own(r *vendorhttp.Response) bool {
	var e struct {
		ID      string `json:"id"`
		Message string `json:"message"`
	}
	return r.IsJSON() && json.Unmarshal(r.Body, &e) == nil && errorID.MatchString(e.ID) && e.Message != ""
}

func explain(status int, body []byte) (cred.Class, string, string) {
	var e struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(body, &e) != nil || status >= 500 {
		return "", "", ""
	}
	if known, ok := errorIDs[e.ID]; ok {
		return known.class, e.ID, known.why
	}
	return "", "", ""
}

var (
	_ provider.Issues   = (*Platform)(nil)
	_ provider.Issuer   = (*authorizations)(nil)
	_ provider.Clocked  = (*authorizations)(nil)
	_ provider.Prober   = (*authorizations)(nil)
	_ provider.Consumes = (*Platform)(nil)
	_ provider.Surveys  = (*Platform)(nil)
	_ provider.Consumer = (*app)(nil)
	_ provider.Consumer = (*stage)(nil)
)
