package double

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// renew: recorded 03-token-renew-revoke.json. A token whose life has reached its
// maximum is deleted for having asked.
func (a *asked) renew() {
	token := a.field("accessToken")
	x, who, ok := a.admit(token)
	if !ok {
		return
	}
	i, now := a.server(), a.At
	ttl := who.TTL.Std()
	if ttl == 0 {
		ttl = i.TTL.Std()
	}
	if !now.Add(ttl).Before(x.end()) {
		x.Gone = true
		i.Access[token] = x
		a.fail(http.StatusUnauthorized, "UnauthorizedError", "Failed to renew MI access token past its Max TTL expiration")
		return
	}
	x.Until = now.Add(ttl)
	i.Access[token] = x
	most := who.MaxTTL.Std()
	if most == 0 {
		most = ttl
	}
	a.answer(map[string]any{"accessToken": token, "expiresIn": int64(ttl / time.Second), "accessTokenMaxTTL": int64(most / time.Second), "tokenType": "Bearer"})
}

// revokeToken: recorded 03-token-renew-revoke.json.
func (a *asked) revokeToken() {
	token := a.field("accessToken")
	x, _, ok := a.admit(token)
	if !ok {
		return
	}
	x.Gone = true
	a.server().Access[token] = x
	a.answer(map[string]any{"message": "Successfully revoked access token"})
}

func (c *ClientSecret) shown(ua string) map[string]any {
	return map[string]any{
		"id": c.ID, "createdAt": c.Created, "updatedAt": c.Updated, "description": c.Description, "clientSecretPrefix": c.Value[:min(4, len(c.Value))],
		"clientSecretNumUses": c.Uses, "clientSecretNumUsesLimit": c.Limit, "clientSecretTTL": c.TTL, "identityUAId": ua, "isClientSecretRevoked": c.Revoked,
	}
}

// of is the identity of the path, where whoever asks may see it. One with more
// rights is out of reach (recorded: 04-client-secrets.json); the text for one that
// is not there is from the source.
func (a *asked) of() *Identity {
	id := a.req.PathValue("identity")
	who := a.server().identity(id)
	switch {
	case who == nil:
		a.fail(http.StatusNotFound, "NotFound", fmt.Sprintf("Failed to find identity with ID %s", id))
		return nil
	case !a.server().old():
		return a.ofToday(who)
	case who.Admin && !a.who.Admin:
		a.fail(http.StatusForbidden, "ForbiddenError", "Failed to add identity to project with more privileged role")
		return nil
	}
	return who
}

// ofToday: client secrets, one's own too, want rights that no plain member has
// (recorded: 2026/client-secrets.json).
func (a *asked) ofToday(who *Identity) *Identity {
	secrets := strings.Contains(a.req.URL.Path, "/client-secrets")
	switch {
	case a.who.Outside:
		a.fail(http.StatusForbidden, "PermissionDenied", "You are not allowed to read on identity")
		return nil
	case who.UA == "" && secrets:
		a.fail(http.StatusBadRequest, "BadRequest", "The identity does not have universal auth")
		return nil
	case who.UA == "":
		a.fail(http.StatusNotFound, "NotFound", fmt.Sprintf("Failed to find universal auth for identity with ID %s", who.ID))
		return nil
	case secrets && (!a.who.Admin && !a.who.Tokens || who.Admin && !a.who.Admin):
		infisicalSays(a.rw, http.StatusForbidden, "PermissionBoundaryError",
			"Failed to get identity client secret with more privileged role. Permission denied: get-token on identity. Check that the actor's role grants this permission and that all permission conditions are met.",
			map[string]any{"reqId": "req-simulated", "details": map[string]any{"missingPermissions": []any{map[string]any{"action": "get-token", "subject": "identity"}}}})
		return nil
	}
	return who
}

// listClientSecrets shows those that are not revoked (recorded:
// 04-client-secrets.json, "list after revoke").
func (a *asked) listClientSecrets() {
	who := a.of()
	if who == nil {
		return
	}
	out := []map[string]any{}
	for _, c := range who.Secrets {
		switch {
		case c.Hidden > 0:
			c.Hidden--
		case !c.Revoked:
			out = append(out, c.shown(who.UA))
		}
	}
	a.answer(map[string]any{"clientSecretData": out})
}

// createClientSecret: recorded 04-client-secrets.json; 64 hex digits, shown once.
// Descriptions are not unique.
func (a *asked) createClientSecret() {
	who := a.of()
	if who == nil {
		return
	}
	fields, _ := a.body.(map[string]any)
	number := func(name string) int64 { n, _ := fields[name].(float64); return int64(n) }
	c := &ClientSecret{
		ID: a.UUID(), Value: a.Random(32), Description: a.field("description"), Created: a.At, Updated: a.At,
		TTL: number("ttl"), Limit: int(number("numUsesLimit")), Hidden: a.Knobs.ListLag,
	}
	who.Secrets = append(who.Secrets, c)
	a.answer(map[string]any{"clientSecret": c.Value, "clientSecretData": c.shown(who.UA)})
}

// secret is the client secret of the path.
func (a *asked) secret() (*Identity, *ClientSecret) {
	who := a.of()
	if who == nil {
		return nil, nil
	}
	n := slices.IndexFunc(who.Secrets, func(c *ClientSecret) bool { return c.ID == a.req.PathValue("id") })
	if n >= 0 {
		return who, who.Secrets[n]
	}
	if a.server().old() {
		a.somethingWentWrong() // recorded: "revoke unknown id"
	} else {
		a.fail(http.StatusNotFound, "NotFound", fmt.Sprintf("Failed to find identity with ID %s", who.ID)) // of an unknown client secret, too
	}
	return nil, nil
}

func (a *asked) getClientSecret() {
	if who, c := a.secret(); c != nil {
		a.answer(map[string]any{"clientSecretData": c.shown(who.UA)})
	}
}

// revokeClientSecret ends it, and again and again is not an error. Its access tokens
// end with it today; on servers of 2024 they live on (recorded: 2026/batch.json,
// 04-client-secrets.json).
func (a *asked) revokeClientSecret() {
	who, c := a.secret()
	if c == nil {
		return
	}
	c.Revoked, c.Updated = true, a.At
	a.answer(map[string]any{"clientSecretData": c.shown(who.UA)})
}

// getAuth: recorded 2026/client-secrets.json.
func (a *asked) getAuth() {
	who := a.of()
	if who == nil {
		return
	}
	ttl, most := who.TTL, who.MaxTTL
	if ttl == 0 {
		ttl = a.server().TTL
	}
	if most == 0 {
		most = ttl
	}
	out := map[string]any{
		"id": who.UA, "clientId": who.ClientID, "identityId": who.ID, "accessTokenTTL": int64(ttl.Std() / time.Second),
		"accessTokenMaxTTL": int64(most.Std() / time.Second), "accessTokenNumUsesLimit": who.Uses, "createdAt": a.At, "updatedAt": a.At,
	}
	if !a.server().old() {
		out["lockoutEnabled"], out["lockoutThreshold"] = true, lockAfter
		out["lockoutDurationSeconds"], out["lockoutCounterResetSeconds"] = int64(lockFor/time.Second), int64(lockForget/time.Second)
		anywhere := []any{map[string]any{"type": "ipv4", "prefix": 0, "ipAddress": "0.0.0.0"}, map[string]any{"type": "ipv6", "prefix": 0, "ipAddress": "::"}}
		out["clientSecretTrustedIps"], out["accessTokenTrustedIps"], out["accessTokenPeriod"] = anywhere, anywhere, int64(who.Period.Std()/time.Second)
	}
	a.answer(map[string]any{"identityUniversalAuth": out})
}

// letsIn reports whether somebody could log in with a value.
func (i *Infisical) letsIn(value string, at time.Time) bool {
	for _, who := range i.Identities {
		for _, c := range who.Secrets {
			if c.Value == value && !c.Revoked && c.spent(at) == "" {
				return true
			}
		}
	}
	return false
}
