package cloudflare

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"rekey/internal/cred"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
)

// tokens issues Access service tokens.
type tokens struct {
	*Account
	settings TokenSettings
	deny     struct {
		sync.Mutex
		of map[string][]string // pages to which applications lead whom they deny, by probe
	}
}

// serviceToken is a token as listed; client_secret comes only with a create.
// Decoded leniently: older accounts leave out expires_at.
type serviceToken struct {
	ID         string       `json:"id"`
	Name       string       `json:"name"`
	ClientID   string       `json:"client_id"`
	Secret     secret.Value `json:"client_secret"`
	CreatedAt  time.Time    `json:"created_at"`
	ExpiresAt  time.Time    `json:"expires_at"`
	LastSeenAt time.Time    `json:"last_seen_at"`
	Enabled    *bool        `json:"enabled"`
	Version    int          `json:"client_secret_version"`
	Previous   time.Time    `json:"previous_client_secret_expires_at"`
}

func (t serviceToken) handle() cred.Handle {
	return cred.Handle{
		ID: t.ID, Public: t.ClientID, Name: t.Name,
		Created: t.CreatedAt.UTC(), Expires: t.ExpiresAt.UTC(), LastSeen: t.LastSeenAt.UTC(),
		Disabled: t.Enabled != nil && !*t.Enabled, Version: t.Version, Previous: t.Previous.UTC(),
	}
}

// Calls tells the requests that change something.
func (t *tokens) Calls() map[string]string {
	return map[string]string{
		"create":      "POST " + t.path("service_tokens"),
		"delete":      "DELETE " + t.path("service_tokens") + "/{id}",
		"disable":     "PUT " + t.path("service_tokens") + "/{id} (enabled: false)",
		"roll":        "POST " + t.path("service_tokens") + "/{id}/rotate",
		"keep":        "PUT " + t.path("service_tokens") + "/{id} (previous_client_secret_expires_at)",
		kindPolicy:    "PUT " + t.in("", "policies") + "/{id}",
		kindAppPolicy: "PUT " + t.in("", "apps") + "/{parent}/policies/{id}",
		kindGroup:     "PUT " + t.in("", "groups") + "/{id}",
	}
}

// List: https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/service_tokens/methods/list
func (t *tokens) List(ctx context.Context) ([]cred.Handle, error) {
	found, err := list(ctx, t.api, "list service tokens", t.path("service_tokens"), func(s serviceToken) string { return s.ID })
	if err != nil {
		return nil, err
	}
	out := make([]cred.Handle, len(found))
	for i, s := range found {
		out[i] = s.handle()
	}
	return out, nil
}

// Find: https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/service_tokens/methods/get
func (t *tokens) Find(ctx context.Context, h cred.Handle) (cred.Handle, error) {
	const op = "look at service token"
	if h.ID == "" {
		return cred.Handle{}, &cred.Error{Vendor: t.api.Vendor, Op: op, Class: cred.Refused, Why: "no token id"}
	}
	var s serviceToken
	_, err := call(ctx, t.api, vendorhttp.Request{Op: op, Method: http.MethodGet, Path: t.path("service_tokens", h.ID)}, &s)
	if err == nil && s.ID != h.ID {
		err = &cred.Error{Vendor: t.api.Vendor, Op: op, Class: cred.Unknown, Why: "the answer is about another token"}
	}
	return s.handle(), err
}

// Owner matches by client id, which stands both in the bundle and in the list.
func (t *tokens) Owner(_ context.Context, b secret.Bundle, listed []cred.Handle) (string, error) {
	for _, h := range listed {
		if b[FieldID].Present() && b[FieldID].Equal(secret.New(h.Public)) {
			return h.ID, nil
		}
	}
	return "", nil
}

// Create: https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/service_tokens/methods/create
// "This is the only time Cloudflare Access will display the Client Secret."
func (t *tokens) Create(ctx context.Context, name string) (cred.Handle, secret.Bundle, error) {
	const op = "create service token"
	var s serviceToken
	_, err := call(ctx, t.api, vendorhttp.Request{
		Op: op, Method: http.MethodPost, Path: t.path("service_tokens"),
		Body: map[string]string{"name": name, "duration": t.settings.Duration},
	}, &s)
	if err != nil {
		return cred.Handle{}, nil, err
	}
	if s.ID == "" || s.ClientID == "" || !s.Secret.Present() {
		// Created, but what it is cannot be used: to be found by name and deleted.
		return cred.Handle{}, nil, &cred.Error{Vendor: t.api.Vendor, Op: op, Class: cred.Unknown, Why: "the answer lacks the id or the secret"}
	}
	return s.handle(), secret.Bundle{FieldID: secret.New(s.ClientID), FieldSecret: s.Secret}, nil
}

// Revoke: https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/service_tokens/methods/delete
// Refused with 12139 while any policy, group or SCIM configuration names the
// token. An empty id would address the whole collection (T35).
func (t *tokens) Revoke(ctx context.Context, h cred.Handle) error {
	const op = "delete service token"
	if h.ID == "" {
		return &cred.Error{Vendor: t.api.Vendor, Op: op, Class: cred.Refused, Why: "no token id"}
	}
	return t.withUsers(ctx, h, ended(ctx, t.api, op, t.path("service_tokens", h.ID), h.ID))
}

// withUsers adds to a refused delete who still names the token: the answer does
// not tell (12139), and no endpoint does (docs/vendors/cloudflare.md).
func (t *tokens) withUsers(ctx context.Context, h cred.Handle, err error) error {
	refused, ok := cred.AsError(err)
	if !ok || refused.Code != codeInUse {
		return err
	}
	seen, looked := t.Places(ctx)
	if looked != nil {
		return err // the refusal is what matters, and it is certain
	}
	var users []string
	for _, p := range seen.Places {
		if p.NamesAny(h) {
			users = append(users, fmt.Sprintf("%s %q", p.Kind, p.Name))
		}
	}
	if len(users) > 0 {
		refused.Why += ": " + strings.Join(users, ", ")
	} else {
		refused.Why += ", and it is not one that Rekey can see: check zones that rekey.yaml does not name, and SCIM"
	}
	return refused
}
