package double

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"rekey/internal/world"
)

// shown is a token as listed: never with its secret.
func (t *Token) shown() map[string]any {
	m := map[string]any{
		"id": t.ID, "name": t.Name, "client_id": t.ClientID, "duration": t.Duration, "enabled": t.Enabled,
		"created_at": t.CreatedAt, "updated_at": t.UpdatedAt, "expires_at": t.ExpiresAt,
		"client_secret_version": t.SecretVersion, "last_seen_at": nil,
	}
	if !t.LastSeenAt.IsZero() {
		m["last_seen_at"] = t.LastSeenAt
	}
	if !t.PrevUntil.IsZero() {
		m["previous_client_secret_expires_at"] = t.PrevUntil
	}
	return m
}

func (w *Double) listTokens(rw http.ResponseWriter, req *http.Request) {
	var shown []map[string]any
	for _, t := range w.Cloudflare.Tokens {
		if t.Zone != req.PathValue("zone") {
			continue
		}
		if t.Hidden > 0 {
			t.Hidden--
			continue
		}
		shown = append(shown, t.shown())
	}
	w.page(rw, req, raws(shown), accessPage)
}

// createToken answers 201 with the secret, once. Names are not unique
// (docs/vendors/cloudflare.md).
func (w *Double) createToken(rw http.ResponseWriter, req *http.Request) {
	var in struct {
		Name     string `json:"name"`
		Duration string `json:"duration"`
	}
	c := w.Cloudflare
	if err := world.ReadJSON(req, &in); err != nil || in.Name == "" {
		cloudflareFailure(rw, http.StatusBadRequest, 12130, "access.api.error.invalid_request")
		return
	}
	if in.Duration == "" {
		in.Duration = "8760h"
	}
	life, err := time.ParseDuration(in.Duration)
	switch {
	case err != nil && in.Duration != "forever":
		cloudflareFailure(rw, http.StatusBadRequest, 12130, "access.api.error.invalid_request: duration")
		return
	case len(c.Tokens) >= c.MaxLive:
		cloudflareFailure(rw, http.StatusBadRequest, 12132, "access.api.error.service_token_limit_reached")
		return
	}
	t := w.NewToken(in.Name, in.Duration, life)
	t.Hidden, t.Zone = w.Knobs.ListLag, req.PathValue("zone")
	w.Publish()
	out := t.shown()
	out["client_secret"] = t.Secret
	delete(out, "last_seen_at")
	cloudflareResult(rw, http.StatusCreated, out)
}

// NewToken makes a token. Its shape is not that of a real one: Cloudflare
// revokes what looks real and is found in public.
func (s *Double) NewToken(name, duration string, life time.Duration) *Token {
	t := &Token{
		ID: s.UUID(), Name: name, ClientID: "simulated-" + s.Random(8) + ".access", Secret: "simulated-secret-" + s.Random(24),
		SecretVersion: 1, Duration: duration, Enabled: true, CreatedAt: s.At, UpdatedAt: s.At, ExpiresAt: s.At.Add(life),
	}
	if duration == "forever" {
		t.ExpiresAt = time.Time{}
	}
	s.Cloudflare.Tokens = append(s.Cloudflare.Tokens, t)
	return t
}

func (w *Double) getToken(rw http.ResponseWriter, req *http.Request) {
	if t := w.Cloudflare.token(req.PathValue("id")); t != nil {
		cloudflareResult(rw, http.StatusOK, t.shown())
		return
	}
	tokenNotFound(rw)
}

func tokenNotFound(rw http.ResponseWriter) {
	cloudflareFailure(rw, http.StatusNotFound, 12109, "access.api.error.service_token_not_found")
}

// deleteToken refuses while a policy or group names the token: 400, 12139
// (docs/vendors/cloudflare.md).
func (w *Double) deleteToken(rw http.ResponseWriter, req *http.Request) {
	c := w.Cloudflare
	t := c.token(req.PathValue("id"))
	if t == nil {
		tokenNotFound(rw)
		return
	}
	if c.references(t) {
		cloudflareFailure(rw, http.StatusBadRequest, 12139,
			"access.api.error.service_token_in_use: cannot delete a service token that is used by a policy, group, or app SCIM configuration")
		return
	}
	c.Tokens = slices.DeleteFunc(c.Tokens, func(x *Token) bool { return x == t })
	t.DeletedAt = w.At
	c.Deleted = append(c.Deleted, t)
	w.Publish()
	cloudflareResult(rw, http.StatusOK, t.shown())
}

// references reports whether any rule names the token.
func (c *Cloudflare) references(t *Token) bool {
	lists := [][]Rules{c.Policies, c.Groups, c.ZoneGroups}
	for _, a := range c.allApps() {
		lists = append(lists, a.Policies)
		if t.ClientID != "" && strings.Contains(string(a.SCIM), t.ClientID) {
			return true
		}
	}
	for _, list := range lists {
		for _, r := range list {
			for _, array := range []string{"include", "require", "exclude"} {
				for _, raw := range r.array(array) {
					if readRule(raw).token() == t.ID {
						return true
					}
				}
			}
		}
	}
	return false
}
