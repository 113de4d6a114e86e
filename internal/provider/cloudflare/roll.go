package cloudflare

import (
	"context"
	"net/http"
	"time"

	"rekey/internal/cred"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
)

// Roll: https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/service_tokens/methods/rotate
// Id and client id stay. Left out, previous_client_secret_expires_at "defaults to
// the current timestamp in order to immediately expire the previous secret", so
// it is always sent.
func (t *tokens) Roll(ctx context.Context, h cred.Handle, keep time.Time) (cred.Handle, secret.Bundle, error) {
	const op = "roll service token"
	if h.ID == "" {
		return cred.Handle{}, nil, &cred.Error{Vendor: t.api.Vendor, Op: op, Class: cred.Refused, Why: "no token id"}
	}
	if t.settings.Zone != "" {
		return t.rollZone(ctx, op, h, keep)
	}
	var s serviceToken
	_, err := call(ctx, t.api, vendorhttp.Request{
		Op: op, Method: http.MethodPost, Path: t.path("service_tokens", h.ID, "rotate"),
		Body: map[string]string{"previous_client_secret_expires_at": t.theirs(keep).Format(time.RFC3339)},
	}, &s)
	return t.rolled(op, h.ID, s, keep, err)
}

// rollZone raises the version by PUT: rotate exists for accounts only
// (docs/vendors/cloudflare.md).
func (t *tokens) rollZone(ctx context.Context, op string, h cred.Handle, keep time.Time) (cred.Handle, secret.Bundle, error) {
	if h.Version == 0 {
		return cred.Handle{}, nil, &cred.Error{Vendor: t.api.Vendor, Op: op, Class: cred.Refused, Why: "the vendor does not tell the secret's version, by which a zone's token is rolled"}
	}
	var s serviceToken
	_, err := call(ctx, t.api, vendorhttp.Request{
		Op: op, Method: http.MethodPut, Path: t.path("service_tokens", h.ID),
		Body: map[string]any{"name": h.Name, "client_secret_version": h.Version + 1, "previous_client_secret_expires_at": t.theirs(keep).Format(time.RFC3339)},
	}, &s)
	return t.rolled(op, h.ID, s, keep, err)
}

// rolled reads what a roll answered.
func (t *tokens) rolled(op, id string, s serviceToken, keep time.Time, err error) (cred.Handle, secret.Bundle, error) {
	if err != nil {
		return cred.Handle{}, nil, err
	}
	if s.ID != id {
		return cred.Handle{}, nil, &cred.Error{Vendor: t.api.Vendor, Op: op, Class: cred.Unknown, Why: "the answer is about another token"}
	}
	if s.ClientID == "" || !s.Secret.Present() {
		return cred.Handle{}, nil, &cred.Error{Vendor: t.api.Vendor, Op: op, Class: cred.Unknown, Why: "the answer lacks the secret"}
	}
	return t.kept(s, keep), secret.Bundle{FieldID: secret.New(s.ClientID), FieldSecret: s.Secret}, nil
}

// kept is the token with the end of its old secret by our clock, which is what the
// rest of a run goes by.
func (t *tokens) kept(s serviceToken, until time.Time) cred.Handle {
	h := s.handle()
	if h.Previous.IsZero() {
		h.Previous = until.UTC().Truncate(time.Second)
	} else {
		h.Previous = t.ours(h.Previous).Truncate(time.Second)
	}
	return h
}

// Keep: PUT with previous_client_secret_expires_at, which "may be changed any time
// after a rotation" (docs/vendors/cloudflare.md). The name is always sent along.
func (t *tokens) Keep(ctx context.Context, h cred.Handle, until time.Time) (cred.Handle, error) {
	s, err := t.update(ctx, "move the end of the old secret", h, "previous_client_secret_expires_at", t.theirs(until).Format(time.RFC3339))
	if err != nil {
		return cred.Handle{}, err
	}
	return t.kept(s, until), nil
}

// Switch: PUT with enabled. Off, the token and any previous secret stop working
// and are kept (Cloudflare, service tokens page of October 2026).
func (t *tokens) Switch(ctx context.Context, h cred.Handle, on bool) (cred.Handle, error) {
	op := "switch service token off"
	if on {
		op = "switch service token on"
	}
	s, err := t.update(ctx, op, h, "enabled", on)
	now := s.handle()
	if err == nil && now.Disabled == on {
		return now, &cred.Error{Vendor: t.api.Vendor, Op: op, Class: cred.Refused, Why: "the vendor took the request and left the token as it was"}
	}
	return now, err
}

func (t *tokens) update(ctx context.Context, op string, h cred.Handle, field string, value any) (serviceToken, error) {
	if h.ID == "" {
		return serviceToken{}, &cred.Error{Vendor: t.api.Vendor, Op: op, Class: cred.Refused, Why: "no token id"}
	}
	var s serviceToken
	_, err := call(ctx, t.api, vendorhttp.Request{
		Op: op, Method: http.MethodPut, Path: t.path("service_tokens", h.ID),
		Body: map[string]any{"name": h.Name, field: value},
	}, &s)
	if err == nil && s.ID != h.ID {
		err = &cred.Error{Vendor: t.api.Vendor, Op: op, Class: cred.Unknown, Why: "the answer does not tell what became of the token"}
	}
	return s, err
}
