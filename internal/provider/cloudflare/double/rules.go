package double

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"time"

	"rekey/internal/world"
)

// oneRule is the part of a rule that the simulated gate understands.
type oneRule struct {
	ServiceToken *struct {
		TokenID string `json:"token_id"`
	} `json:"service_token"`
	AnyValid json.RawMessage `json:"any_valid_service_token"`
	Everyone json.RawMessage `json:"everyone"`
	Group    *struct {
		ID string `json:"id"`
	} `json:"group"`
	Email *struct {
		Email string `json:"email"`
	} `json:"email"`
	EmailDomain *struct {
		Domain string `json:"domain"`
	} `json:"email_domain"`
}

func readRule(raw json.RawMessage) oneRule {
	var r oneRule
	_ = json.Unmarshal(raw, &r)
	return r
}

func (r oneRule) token() string {
	if r.ServiceToken == nil {
		return ""
	}
	return r.ServiceToken.TokenID
}

func getRules(rw http.ResponseWriter, r Rules) {
	if r == nil {
		cloudflareFailure(rw, http.StatusNotFound, 12100, "access.api.error.not_found")
		return
	}
	cloudflareResult(rw, http.StatusOK, r)
}

// readOnly fields are set by the server whatever is sent.
var readOnly = map[string]bool{"id": true, "uid": true, "created_at": true, "updated_at": true, "app_count": true, "reusable": true}

// putRules replaces a policy or group: what is not sent is gone (docs/vendors/cloudflare.md).
func (w *Double) putRules(rw http.ResponseWriter, req *http.Request, r Rules, required string) {
	if r == nil {
		cloudflareFailure(rw, http.StatusNotFound, 12100, "access.api.error.not_found")
		return
	}
	var in Rules
	if err := world.ReadJSON(req, &in); err != nil {
		cloudflareFailure(rw, http.StatusBadRequest, 12130, "access.api.error.invalid_request")
		return
	}
	for _, field := range []string{"name", "include", required} {
		if field != "" && in[field] == nil {
			cloudflareFailure(rw, http.StatusBadRequest, 12130, "access.api.error.invalid_request: missing "+field)
			return
		}
	}
	for _, array := range []string{"include", "require", "exclude"} {
		for _, raw := range in.array(array) {
			if id := readRule(raw).token(); id != "" && w.Cloudflare.token(id) == nil {
				cloudflareFailure(rw, http.StatusBadRequest, 12109, "access.api.error.service_token_not_found")
				return
			}
		}
	}
	for field := range r {
		if !readOnly[field] {
			delete(r, field)
		}
	}
	for field, v := range in {
		if !readOnly[field] {
			r[field] = v
		}
	}
	r.Set("updated_at", w.tick())
	w.Publish()
	cloudflareResult(rw, http.StatusOK, r)
}

// tick returns a time that no earlier edit has: updated_at is the only lock there is.
func (s *Double) tick() string {
	s.Counter++
	return s.At.Add(time.Duration(s.Counter%1000000) * time.Microsecond).Format(time.RFC3339Nano)
}

func (w *Double) appPolicy(req *http.Request) Rules {
	a := w.Cloudflare.app(req.PathValue("app"))
	if a == nil {
		return nil
	}
	return byID(a.Policies, req.PathValue("id"))
}

// listApps embeds each application's policies, reusable ones included
// (docs/vendors/cloudflare.md); those of a zone's are asked for by themselves: their list
// declares none (cloudflare.openapi.json, access_apps).
func (w *Double) listApps(rw http.ResponseWriter, req *http.Request) {
	c := w.Cloudflare
	var out []map[string]any
	apps := c.Apps
	if req.PathValue("zone") != "" {
		apps = c.ZoneApps
	}
	for _, a := range apps {
		shown := map[string]any{"id": a.ID, "name": a.Name, "domain": a.Domain, "aud": a.AUD, "type": a.Type}
		if req.PathValue("zone") == "" {
			shown["policies"] = c.policiesOf(a)
		}
		if a.Deny != "" {
			shown["custom_deny_url"] = a.Deny
		}
		if a.DenyNonIdentity != "" {
			shown["custom_non_identity_deny_url"] = a.DenyNonIdentity
		}
		if a.SCIM != nil {
			shown["scim_config"] = a.SCIM
		}
		out = append(out, shown)
	}
	w.page(rw, req, raws(out), accessPage)
}

// policiesOf are all policies of an application, as they are shown with it.
func (c *Cloudflare) policiesOf(a *App) []Rules {
	out := []Rules{}
	for _, id := range a.Reusable {
		if r := byID(c.Policies, id); r != nil {
			out = append(out, embedded(r))
		}
	}
	for _, r := range a.Policies {
		out = append(out, embedded(r))
	}
	return out
}

func (w *Double) listAppPolicies(rw http.ResponseWriter, req *http.Request) {
	a := w.Cloudflare.app(req.PathValue("app"))
	if a == nil {
		cloudflareFailure(rw, http.StatusNotFound, 12100, "access.api.error.not_found")
		return
	}
	w.page(rw, req, raws(w.Cloudflare.policiesOf(a)), accessPage)
}

// embedded is a policy as an application shows it: how many applications have it
// stands only in the list of reusable ones (cloudflare.openapi.json,
// access_app_policy_response).
func embedded(r Rules) Rules {
	out := maps.Clone(r)
	delete(out, "app_count")
	return out
}

// groups are those of the account, or of the zone that was asked for.
func (w *Double) groups(req *http.Request) []Rules {
	if req.PathValue("zone") != "" {
		return w.Cloudflare.ZoneGroups
	}
	return w.Cloudflare.Groups
}

// getOrganization shows the setting that switches off or deletes idle tokens.
func (w *Double) getOrganization(rw http.ResponseWriter, _ *http.Request) {
	c := w.Cloudflare
	out := map[string]any{
		"name": w.Edge.Team, "auth_domain": w.Edge.Team + ".cloudflareaccess.com",
		"strict_service_token_auth": w.Knobs.Strict,
	}
	if c.Inactivity != nil {
		out["service_token_inactivity"] = c.Inactivity
	}
	cloudflareResult(rw, http.StatusOK, out)
}

// getDoH shows which token issues DoH tokens (docs/vendors/cloudflare.md).
func (w *Double) getDoH(rw http.ResponseWriter, _ *http.Request) {
	out := map[string]any{}
	if t := w.Cloudflare.token(w.Cloudflare.DoH); t != nil {
		out = t.shown()
		out["doh_jwt_duration"] = "24h"
	}
	cloudflareResult(rw, http.StatusOK, out)
}

// splitDomain takes "host/path" apart.
func splitDomain(d string) (host, path string) {
	host, path, _ = strings.Cut(d, "/")
	return host, "/" + path
}
