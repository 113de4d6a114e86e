package infisical

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
	"rekey/internal/webapi"
)

// KindClientSecret is the kind of issuer for the client secrets of a machine
// identity (Universal Auth).
const KindClientSecret = "universal-auth-client-secret"

// Fields of a client secret's bundle. The secret alone is what changes; the client
// id belongs to the identity and stays, the id tells one secret from another.
const (
	FieldClientSecret = "client_secret"
	FieldClientID     = "client_id"
	FieldID           = "id"
)

// ClientSecretSettings are the settings of a client secret.
type ClientSecretSettings struct {
	// Id of the machine identity whose client secrets these are, or env:NAME.
	Identity sop.Text `json:"identity" jsonschema:"required"`
	// Life of a new one: 180d. Default: it never ends
	ExpiresIn sop.Duration `json:"expires_in,omitempty" jsonschema:"format=rekey-positive"`
}

// clientSecrets issues client secrets of one identity. Several may live at once
// (recorded: 04-client-secrets.json).
type clientSecrets struct {
	webapi.ByItself
	*Server
	identity string
	life     time.Duration
	path     string // of the identity

	lock    sync.Mutex
	conf    *universalAuth
	refused []refusal // logins that were refused
	ended   []string  // ids of those that were revoked here
	peers   []*Server // the other Infisicals of rekey.yaml
}

// universalAuth is how an identity logs in [api-reference/endpoints/universal-auth/
// retrieve].
type universalAuth struct {
	ClientID string `json:"clientId"`
	TTL      int64  `json:"accessTokenTTL"`    // seconds
	MaxTTL   int64  `json:"accessTokenMaxTTL"` // seconds
	Period   int64  `json:"accessTokenPeriod"` // seconds; more than 0: they may be renewed for ever
}

// Issuer returns the issuer of a kind.
func (s *Server) Issuer(kind string, settings json.RawMessage) (provider.Issuer, error) {
	if kind != KindClientSecret {
		return nil, fmt.Errorf("infisical issues no %q", kind)
	}
	var in ClientSecretSettings
	if err := json.Unmarshal(settings, &in); err != nil {
		return nil, err
	}
	id, err := s.session.env.Text(in.Identity)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	if id == "" {
		return nil, errors.New("identity: give the id of the machine identity")
	}
	c := &clientSecrets{Server: s, identity: id, path: "/api/v1/auth/universal-auth/identities/" + url.PathEscape(id)}
	if in.ExpiresIn != "" {
		if c.life = in.ExpiresIn.Or(0); c.life < time.Hour {
			return nil, errors.New("expires_in: want an hour at least; a run takes its time")
		}
	}
	return c, nil
}

// clientSecret is one as listed. Its value is in the answer to a create, once; of
// that, lists show the first four digits.
type clientSecret struct {
	ID          string    `json:"id"`
	Description string    `json:"description"`
	Created     time.Time `json:"createdAt"`
	Updated     time.Time `json:"updatedAt"`
	Prefix      string    `json:"clientSecretPrefix"`
	Uses        int64     `json:"clientSecretNumUses"`
	Limit       int64     `json:"clientSecretNumUsesLimit"`
	TTL         int64     `json:"clientSecretTTL"` // seconds; 0: it never ends
	Revoked     bool      `json:"isClientSecretRevoked"`
}

// handle: nothing but a login changes one that is live, so when it was changed last
// is when somebody logged in with it last (recorded: 04-client-secrets.json, where
// updatedAt moves with clientSecretNumUses).
func (c clientSecret) handle() cred.Handle {
	h := cred.Handle{ID: c.ID, Name: c.Description, Created: c.Created.UTC()}
	if c.TTL > 0 {
		h.Expires = h.Created.Add(time.Duration(c.TTL) * time.Second)
	}
	if c.Uses > 0 {
		h.LastSeen = c.Updated.UTC()
	}
	return h
}

// Calls tells the requests that change something.
func (c *clientSecrets) Calls() map[string]string {
	return map[string]string{"create": "POST " + c.path + "/client-secrets", "delete": "POST " + c.path + "/client-secrets/{id}/revoke"}
}

// Ahead is how far the server's clock is ahead of ours.
func (c *clientSecrets) Ahead() (time.Duration, bool) { return c.api.Ahead() }

// now is the time by the server's clock, as far as that is known.
func (c *clientSecrets) now() time.Time {
	ahead, _ := c.Ahead()
	return c.session.env.Now().Add(ahead)
}

// ask sends a request of ours and reads the answer.
func (c *clientSecrets) ask(ctx context.Context, r vendorhttp.Request, out any) (*vendorhttp.Response, error) {
	resp, err := c.api.Do(ctx, r)
	if err != nil {
		if e, ok := cred.AsError(err); ok && e.Class == cred.Absent && e.Code == noIdentity && e.Why == noSuchLogin {
			e.Why = "there is no machine identity " + c.identity + " with Universal Auth, or no such client secret of it"
		}
		return nil, c.session.ended(err, r.Op)
	}
	return resp, resp.Decode(out)
}

// config reads, once, how the identity logs in.
func (c *clientSecrets) config(ctx context.Context) (universalAuth, error) {
	c.lock.Lock()
	known := c.conf
	c.lock.Unlock()
	if known != nil {
		return *known, nil
	}
	var out struct {
		Auth universalAuth `json:"identityUniversalAuth"`
	}
	resp, err := c.ask(ctx, vendorhttp.Request{Op: "read how the identity logs in", Method: http.MethodGet, Path: c.path}, &out)
	if err != nil {
		return universalAuth{}, err
	}
	if out.Auth.ClientID == "" {
		return universalAuth{}, resp.Nonsense("the answer lacks the client id")
	}
	c.lock.Lock()
	c.conf = &out.Auth
	c.lock.Unlock()
	return out.Auth, nil
}

// live are those that may log in: revoked ones vanish from the list (recorded:
// "list after revoke"), and one whose time is over is found so at its next login.
func (c *clientSecrets) live(ctx context.Context) ([]clientSecret, error) {
	var out struct {
		Data *[]clientSecret `json:"clientSecretData"`
	}
	resp, err := c.ask(ctx, vendorhttp.Request{Op: "list client secrets", Method: http.MethodGet, Path: c.path + "/client-secrets"}, &out)
	if err != nil {
		return nil, err
	}
	if out.Data == nil {
		return nil, resp.Nonsense("the answer lacks the client secrets")
	}
	found, now := []clientSecret{}, c.now()
	for _, x := range *out.Data {
		if x.ID == "" {
			return nil, resp.Nonsense("the answer lacks the id of a client secret")
		}
		if h := x.handle(); !x.Revoked && (h.Expires.IsZero() || h.Expires.After(now)) {
			found = append(found, x)
		}
	}
	return found, nil
}

// List: there are no pages.
func (c *clientSecrets) List(ctx context.Context) ([]cred.Handle, error) {
	found, err := c.live(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]cred.Handle, len(found))
	for i, x := range found {
		out[i] = x.handle()
	}
	return out, nil
}

// Create: POST …/client-secrets; the answer is the only one that has the secret.
func (c *clientSecrets) Create(ctx context.Context, name string) (cred.Handle, secret.Bundle, error) {
	conf, err := c.config(ctx)
	if err != nil {
		return cred.Handle{}, nil, err
	}
	var out struct {
		Secret secret.Value `json:"clientSecret"`
		Data   clientSecret `json:"clientSecretData"`
	}
	resp, err := c.ask(ctx, vendorhttp.Request{Op: "create client secret", Method: http.MethodPost, Path: c.path + "/client-secrets",
		Body: map[string]any{"description": name, "ttl": int64(c.life / time.Second), "numUsesLimit": 0}}, &out)
	if err != nil {
		return cred.Handle{}, nil, err
	}
	c.said.add(out.Secret)
	if out.Data.ID == "" || !out.Secret.Present() || out.Data.Prefix == "" || !strings.HasPrefix(out.Secret.Reveal(), out.Data.Prefix) {
		// Made, but what it is cannot be used: to be found by its label and revoked.
		return cred.Handle{}, nil, resp.Nonsense("the answer lacks the id or the secret, or the two do not belong together")
	}
	return out.Data.handle(), secret.Bundle{FieldClientSecret: out.Secret, FieldClientID: secret.New(conf.ClientID), FieldID: secret.New(out.Data.ID)}, nil
}

// Revoke: POST …/{id}/revoke. Revoking again is not an error and an unknown id is 500
// on servers of 2024 (recorded), so it is looked at before. That it is not there is
// believed when the list says so too.
func (c *clientSecrets) Revoke(ctx context.Context, h cred.Handle) error {
	const op = "revoke client secret"
	if h.ID == "" {
		return &cred.Error{Vendor: c.api.Vendor, Op: op, Class: cred.Refused, Why: "no id of a client secret"}
	}
	path := c.path + "/client-secrets/" + url.PathEscape(h.ID)
	var out struct {
		Data clientSecret `json:"clientSecretData"`
	}
	resp, err := c.ask(ctx, vendorhttp.Request{Op: "look at the client secret", Method: http.MethodGet, Path: path}, &out)
	switch {
	case cred.ClassOf(err) == cred.Absent:
		return c.gone(ctx, h, err)
	case err != nil:
		return err
	case out.Data.ID != h.ID:
		return resp.Nonsense("the answer is not of the client secret that was asked for")
	case out.Data.Revoked:
		return &cred.Error{Vendor: c.api.Vendor, Op: op, Class: cred.Absent, Status: http.StatusOK, Why: "it is revoked already"}
	}
	resp, err = c.ask(ctx, vendorhttp.Request{Op: op, Method: http.MethodPost, Path: path + "/revoke", Body: struct{}{}}, &out)
	if err != nil {
		return err
	}
	if !out.Data.Revoked || out.Data.ID != h.ID {
		return resp.Nonsense("the answer does not show it as revoked")
	}
	c.lock.Lock()
	c.ended = append(c.ended, h.ID)
	c.lock.Unlock()
	return nil
}

// gone is the error of a client secret that is said to be absent: as it is where the
// list agrees, and no answer where it contradicts.
func (c *clientSecrets) gone(ctx context.Context, h cred.Handle, absent error) error {
	live, err := c.live(ctx)
	if err != nil {
		return err
	}
	for _, x := range live {
		if x.ID == h.ID {
			return &cred.Error{Vendor: c.api.Vendor, Op: "look at the client secret", Class: cred.Unknown, Why: "it is said to be absent, and the list shows it"}
		}
	}
	return absent
}
