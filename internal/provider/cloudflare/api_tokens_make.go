package cloudflare

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"rekey/internal/cred"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
)

// Create cannot know what the new one may do: CreateLike can.
func (a *apiTokens) Create(context.Context, string) (cred.Handle, secret.Bundle, error) {
	return cred.Handle{}, nil, &cred.Error{Vendor: a.api.Vendor, Op: "create API token", Class: cred.Refused, Why: "an API token is made after another one"}
}

// CreateLike: https://developers.cloudflare.com/api/resources/user/subresources/tokens/methods/create
// It reads what the other may do, then sends exactly one create.
func (a *apiTokens) CreateLike(ctx context.Context, name string, like cred.Handle) (cred.Handle, secret.Bundle, error) {
	const op = "create API token"
	var old, made apiToken
	if _, err := call(ctx, a.client(), vendorhttp.Request{Op: "read API token", Method: http.MethodGet, Path: a.root + "/" + url.PathEscape(like.ID)}, &old); err != nil {
		return cred.Handle{}, nil, err
	}
	if like.ID != "" && old.ID != like.ID {
		return cred.Handle{}, nil, a.another("read API token")
	}
	policies, err := portable(old.Policies)
	if err != nil || like.ID == "" {
		return cred.Handle{}, nil, &cred.Error{Vendor: a.api.Vendor, Op: op, Class: cred.Refused, Why: "what " + like.Name + " may do cannot be copied"}
	}
	body := map[string]any{"name": name, "policies": policies}
	if len(old.Condition) > 0 && string(old.Condition) != "null" {
		body["condition"] = old.Condition
	}
	life, _ := time.ParseDuration(a.settings.Duration)
	if life == 0 && !old.ExpiresOn.IsZero() {
		life = old.ExpiresOn.Sub(old.IssuedOn)
	}
	if life > 0 {
		body["expires_on"] = a.theirs(a.env.Now().Add(life)).Truncate(time.Second).Format(time.RFC3339)
	}
	if _, err := call(ctx, a.client(), vendorhttp.Request{Op: op, Method: http.MethodPost, Path: a.root, Body: body}, &made); err != nil {
		return cred.Handle{}, nil, err
	}
	if made.ID == "" || !made.Value.Present() {
		return cred.Handle{}, nil, &cred.Error{Vendor: a.api.Vendor, Op: op, Class: cred.Unknown, Why: "the answer lacks the id or the value"}
	}
	return made.handle(), secret.Bundle{FieldToken: made.Value}, nil
}

// portable keeps of policies what a create or an update takes: their ids and the
// names of permission groups are read-only (cloudflare.openapi.json, iam_token-policies).
func portable(raw json.RawMessage) ([]map[string]any, error) {
	var policies []map[string]any
	if err := json.Unmarshal(raw, &policies); err != nil {
		return nil, err
	}
	if len(policies) == 0 {
		return nil, &cred.Error{Class: cred.Refused}
	}
	for _, p := range policies {
		delete(p, "id")
		groups, _ := p["permission_groups"].([]any)
		for _, g := range groups {
			if m, ok := g.(map[string]any); ok {
				delete(m, "name")
			}
		}
	}
	return policies, nil
}
