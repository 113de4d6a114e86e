// Package cloudflare is Cloudflare Access: service tokens, the rules that name them, and the addresses that it protects.
//
// The client is our own. One create of the official SDK sends up to eleven
// POSTs when the connection drops or the server answers 5xx, with no
// idempotency key; its typed rules drop what they do not know; it adds 10 MB to
// the binary (measured; docs/decisions/0003-own-vendor-clients.md).
package cloudflare

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
	"rekey/internal/webapi"
)

//go:embed doc.md
var doc string

// DefaultBase is the API's address.
const DefaultBase = "https://api.cloudflare.com/client/v4"

// Fields of a service token's bundle.
const (
	FieldID     = "client_id"
	FieldSecret = "client_secret"
)

// reserve is how many of the 1,200 calls in five minutes looking leaves to changes
// and to whoever else works with the account (docs/vendors/cloudflare.md): two runs' worth.
const reserve = 50

// KindServiceToken is the kind of issuer for Access service tokens.
const KindServiceToken = "access-service-token"

// Connection is how to reach an account.
type Connection struct {
	// Address of the API. Default: https://api.cloudflare.com/client/v4
	BaseURL string `json:"base_url,omitempty" jsonschema:"format=rekey-address"`
	// API token with Access: Service Tokens Write and Access: Apps and Policies Write (and Access: Organizations, Identity Providers, and Groups Write where a group names the token).
	Token sop.Refs `json:"token" jsonschema:"required"`
	// Account id.
	Account sop.Text `json:"account" jsonschema:"required"`
}

// TokenSettings are the settings of an Access service token.
type TokenSettings struct {
	// Life of a new token, as Cloudflare writes it: 8760h. Said explicitly because the default may change.
	Duration string `json:"duration" jsonschema:"required,pattern=^([0-9]+h|forever)$,format=rekey-positive"`
	// Zone id, where the token belongs to a zone and not to the account.
	Zone string `json:"zone,omitempty"`
	// Zone ids in whose rules the token may be named as well.
	Zones []string `json:"zones,omitempty"`
}

// Descriptor is Cloudflare for the rest of the house.
var Descriptor = provider.Descriptor{
	Name:       "cloudflare",
	Title:      "Cloudflare Access",
	Base:       DefaultBase,
	Connection: &Connection{},
	Issuers: []provider.Sheet{{
		Kind:     KindServiceToken,
		Settings: &TokenSettings{},
		Fields:   []string{FieldID, FieldSecret},
		Public:   []string{FieldID},
		MaxLive:  50, // per account [developers.cloudflare.com/cloudflare-one/account-limits]
		Create:   true,
		Roll:     rotation.RollWithGrace,
		Disable:  true,
		LastSeen: true,
		Admits:   true,
		Label:    true,
	}, apiSheet(KindUserToken), apiSheet(KindAccountToken)},
	Doc:    doc,
	ByHand: byHand,
	Open:   open,
}

// apiSheet: 50 per user; the limit of an account is not published
// (docs/vendors/cloudflare.md). last_used_on counts calls of our own too.
func apiSheet(kind string) provider.Sheet {
	s := provider.Sheet{
		Kind: kind, Settings: &APITokenSettings{}, Fields: []string{FieldToken},
		Create: true, Roll: rotation.RollAtOnce, Disable: true, LastSeen: true, Label: true, Verifies: true,
		NameMax: 120, // iam_name in Cloudflare's OpenAPI
	}
	if kind == KindUserToken {
		s.MaxLive = 50
	}
	return s
}

// Account is one opened Cloudflare account.
type Account struct {
	api     *vendorhttp.Client
	edge    *vendorhttp.Client
	env     provider.Env
	account string
}

func open(env provider.Env, name string, settings json.RawMessage) (provider.Vendor, error) {
	var c Connection
	if err := json.Unmarshal(settings, &c); err != nil {
		return nil, fmt.Errorf("vendor %s: %w", name, err)
	}
	account, err := env.Text(c.Account)
	if err != nil {
		return nil, fmt.Errorf("vendor %s: account: %w", name, err)
	}
	if c.BaseURL == "" {
		c.BaseURL = DefaultBase
	}
	a := &Account{env: env, account: url.PathEscape(account)}
	a.api = webapi.Client(env, name, c.BaseURL, "account "+account)
	a.api.Explain, a.api.Own, a.api.NotApplied, a.api.Pace = explain, own, unapplied, env.Pace(reserve, 0)
	a.api.Authorize = webapi.Bearer(webapi.By(env, c.Token), nil)
	a.edge = &vendorhttp.Client{Vendor: name + " edge", Transport: env.Transport, Now: env.Now, Observe: env.Observe, Timeout: probeTimeout}
	return a, nil
}

// Close does nothing: an API token has no session.
func (a *Account) Close(context.Context) {}

// Issuer returns the issuer of a kind.
func (a *Account) Issuer(kind string, settings json.RawMessage) (provider.Issuer, error) {
	if root, ok := map[string]string{KindUserToken: "/user/tokens", KindAccountToken: "/accounts/" + a.account + "/tokens"}[kind]; ok {
		var s APITokenSettings
		if err := json.Unmarshal(settings, &s); err != nil {
			return nil, err
		}
		return &apiTokens{Account: a, root: root, settings: s}, nil
	}
	if kind != KindServiceToken {
		return nil, fmt.Errorf("cloudflare issues no %q", kind)
	}
	var s TokenSettings
	if err := json.Unmarshal(settings, &s); err != nil {
		return nil, err
	}
	t := &tokens{Account: a, settings: s}
	t.deny.of = map[string][]string{}
	return t, nil
}

// Ahead is how far Cloudflare's clock is ahead of ours.
func (a *Account) Ahead() (time.Duration, bool) { return a.api.Ahead() }

// theirs is a time of ours by Cloudflare's clock, and ours the other way round: what
// is sent is compared with their clock, and what we go by with our own.
func (a *Account) theirs(t time.Time) time.Time {
	ahead, _ := a.api.Ahead()
	return t.Add(ahead).UTC()
}

func (a *Account) ours(t time.Time) time.Time {
	ahead, _ := a.api.Ahead()
	return t.Add(-ahead).UTC()
}

// in is a path below the account's Access, or below that of a scope.
func (a *Account) in(scope string, parts ...string) string {
	p := "/accounts/" + a.account + "/access"
	if scope != "" {
		p = "/" + scope + "/access"
	}
	for _, s := range parts {
		p += "/" + url.PathEscape(s)
	}
	return p
}

// path is below what the token belongs to: its zone, or the account.
func (t *tokens) path(parts ...string) string {
	if t.settings.Zone != "" {
		return t.in("zones/"+t.settings.Zone, parts...)
	}
	return t.in("", parts...)
}

var (
	_ provider.Issues   = (*Account)(nil)
	_ provider.Issuer   = (*tokens)(nil)
	_ provider.Roller   = (*tokens)(nil)
	_ provider.Adviser  = (*tokens)(nil)
	_ provider.Switcher = (*tokens)(nil)
	_ provider.Admitter = (*tokens)(nil)
	_ provider.Prober   = (*tokens)(nil)
	_ provider.Finder   = (*tokens)(nil)
	_ provider.Clocked  = (*Account)(nil)
	_ provider.Issuer   = (*apiTokens)(nil)
	_ provider.Copier   = (*apiTokens)(nil)
	_ provider.Self     = (*apiTokens)(nil)
	_ provider.Roller   = (*apiTokens)(nil)
	_ provider.Switcher = (*apiTokens)(nil)
	_ provider.Prober   = (*apiTokens)(nil)
	_ provider.Finder   = (*apiTokens)(nil)
)
