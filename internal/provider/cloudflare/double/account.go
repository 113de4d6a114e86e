package double

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"rekey/internal/world"
)

// Cloudflare is one account's Access.
type Cloudflare struct {
	Account  string   `json:"account"`
	Token    string   `json:"token"` // value of the API token that Rekey is given
	MaxLive  int      `json:"max_live"`
	Tokens   []*Token `json:"tokens"`
	Deleted  []*Token `json:"deleted,omitempty"`
	Policies []Rules  `json:"policies"` // reusable
	Apps     []*App   `json:"apps"`
	Groups   []Rules  `json:"groups"`

	Zone       string  `json:"zone"` // id of the one zone
	ZoneApps   []*App  `json:"zone_apps,omitempty"`
	ZoneGroups []Rules `json:"zone_groups,omitempty"`

	APITokens        []*APIToken `json:"api_tokens,omitempty"`
	DeletedAPITokens []*APIToken `json:"deleted_api_tokens,omitempty"`

	Inactivity *Inactivity `json:"inactivity,omitempty"` // organisation setting
	DoH        string      `json:"doh,omitempty"`        // id of the token that issues DoH tokens
}

// Inactivity is service_token_inactivity of the organisation.
type Inactivity struct {
	Enabled bool   `json:"enabled"`
	Days    int    `json:"inactivity_threshold_days"`
	Action  string `json:"action"` // disable or delete
}

// Token is a service token.
type Token struct {
	ID            string    `json:"id"`
	Zone          string    `json:"zone,omitempty"`
	Name          string    `json:"name"`
	ClientID      string    `json:"client_id"`
	Secret        string    `json:"client_secret"`
	SecretVersion int       `json:"client_secret_version"`
	Duration      string    `json:"duration"`
	Enabled       bool      `json:"enabled"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
	ExpiresAt     time.Time `json:"expires_at"`
	LastSeenAt    time.Time `json:"last_seen_at"`
	PrevSecret    string    `json:"previous_client_secret,omitempty"`
	PrevUntil     time.Time `json:"previous_client_secret_expires_at,omitzero"`
	DeletedAt     time.Time `json:"deleted_at,omitzero"`
	Hidden        int       `json:"hidden,omitempty"` // lists that do not show it yet
}

// Rules is a policy or group, as raw as the API shows it.
type Rules map[string]json.RawMessage

// App is an Access application.
type App struct {
	ID       string          `json:"id"`
	Name     string          `json:"name"`
	Domain   string          `json:"domain"` // host, or host/path
	AUD      string          `json:"aud"`
	Type     string          `json:"type"`
	Reusable []string        `json:"reusable,omitempty"` // ids of reusable policies, in order
	Policies []Rules         `json:"policies"`           // its own
	Refuse   int             `json:"refuse,omitempty"`   // status of a refusal: 302, 401 or 403
	SCIM     json.RawMessage `json:"scim_config,omitempty"`
	// Pages of its own to which whoever is refused is led (cloudflare.openapi.json,
	// access_custom_deny_url, access_custom_non_identity_deny_url).
	Deny            string `json:"custom_deny_url,omitempty"`
	DenyNonIdentity string `json:"custom_non_identity_deny_url,omitempty"`
}

func (r Rules) Text(field string) string {
	var s string
	_ = json.Unmarshal(r[field], &s)
	return s
}

func (r Rules) array(field string) []json.RawMessage {
	var a []json.RawMessage
	_ = json.Unmarshal(r[field], &a)
	return a
}

func (r Rules) Set(field string, v any) {
	b, _ := json.Marshal(v)
	r[field] = b
}

func (c *Cloudflare) token(id string) *Token {
	for _, t := range c.Tokens {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// allApps are the applications of account and zone.
func (c *Cloudflare) allApps() []*App { return slices.Concat(c.Apps, c.ZoneApps) }

func (c *Cloudflare) app(id string) *App {
	for _, a := range c.allApps() {
		if a.ID == id {
			return a
		}
	}
	return nil
}

func byID(list []Rules, id string) Rules {
	for _, r := range list {
		if r.Text("id") == id {
			return r
		}
	}
	return nil
}

// Routes: contracts/cloudflare.openapi.json.
func (w API) Routes(mux *http.ServeMux) {
	const account, zone = "/client/v4/accounts/{account}/access", "/client/v4/zones/{zone}/access"
	at := func(root, pattern string, f func(http.ResponseWriter, *http.Request)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+root+path, func(rw http.ResponseWriter, req *http.Request) {
			if w.cloudflareGate(rw, req) {
				f(rw, req)
			}
		})
	}
	// Zones have the same bodies; refresh, rotate, reusable policies and the
	// organisation exist for accounts only (docs/vendors/cloudflare.md).
	handle := func(pattern string, f func(http.ResponseWriter, *http.Request)) {
		at(account, pattern, f)
		for _, only := range []string{"/rotate", "/refresh", " /policies", " /organizations"} {
			if strings.Contains(pattern, only) {
				return
			}
		}
		at(zone, pattern, f)
	}
	handle("GET /service_tokens", w.listTokens)
	handle("POST /service_tokens", w.createToken)
	handle("GET /service_tokens/{id}", w.getToken)
	handle("PUT /service_tokens/{id}", w.putToken)
	handle("POST /service_tokens/{id}/rotate", w.rotateToken)
	handle("POST /service_tokens/{id}/refresh", w.refreshToken)
	handle("DELETE /service_tokens/{id}", w.deleteToken)

	handle("GET /policies", func(rw http.ResponseWriter, req *http.Request) {
		w.page(rw, req, raws(w.Cloudflare.Policies), accessPage)
	})
	handle("GET /policies/{id}", func(rw http.ResponseWriter, req *http.Request) {
		getRules(rw, byID(w.Cloudflare.Policies, req.PathValue("id")))
	})
	handle("PUT /policies/{id}", func(rw http.ResponseWriter, req *http.Request) {
		w.putRules(rw, req, byID(w.Cloudflare.Policies, req.PathValue("id")), "decision")
	})
	handle("GET /groups", func(rw http.ResponseWriter, req *http.Request) { w.page(rw, req, raws(w.groups(req)), accessPage) })
	handle("GET /groups/{id}", func(rw http.ResponseWriter, req *http.Request) {
		getRules(rw, byID(w.groups(req), req.PathValue("id")))
	})
	handle("PUT /groups/{id}", func(rw http.ResponseWriter, req *http.Request) {
		w.putRules(rw, req, byID(w.groups(req), req.PathValue("id")), "")
	})
	handle("GET /organizations", w.getOrganization)
	handle("GET /organizations/doh", w.getDoH)
	handle("GET /apps", w.listApps)
	handle("GET /apps/{app}/policies", w.listAppPolicies)
	handle("GET /apps/{app}/policies/{id}", func(rw http.ResponseWriter, req *http.Request) {
		getRules(rw, w.appPolicy(req))
	})
	handle("PUT /apps/{app}/policies/{id}", func(rw http.ResponseWriter, req *http.Request) {
		w.putRules(rw, req, w.appPolicy(req), "decision")
	})
	w.apiTokenRoutes(mux)
	mux.HandleFunc("/", func(rw http.ResponseWriter, _ *http.Request) {
		cloudflareFailure(rw, http.StatusNotFound, 7003, "Could not route to the path, perhaps your object identifier is invalid?")
	})
}

// cloudflareGate checks the API token and the account. A dead token and a lacking
// permission look alike: 403, 10000 (docs/vendors/cloudflare.md).
func (w *Double) cloudflareGate(rw http.ResponseWriter, req *http.Request) bool {
	c := w.Cloudflare
	switch {
	case req.Header.Get("Authorization") == "":
		cloudflareFailure(rw, http.StatusBadRequest, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
	case !w.admitted(req):
		cloudflareFailure(rw, http.StatusForbidden, 10000, "Authentication error")
	case req.PathValue("zone") != "" && req.PathValue("zone") != c.Zone, req.PathValue("zone") == "" && req.PathValue("account") != c.Account:
		cloudflareFailure(rw, http.StatusNotFound, 7003, "Could not route to /accounts, perhaps your object identifier is invalid?")
	default:
		return true
	}
	return false
}

// admitted reports whether the request's API token may work on Access.
func (w *Double) admitted(req *http.Request) bool {
	t := w.bearer(req)
	return t != nil && t.may(mayAccess)
}

func cloudflareFailure(rw http.ResponseWriter, status, code int, message string) {
	world.WriteJSON(rw, status, map[string]any{
		"success": false, "errors": []map[string]any{{"code": code, "message": message}}, "messages": []any{}, "result": nil,
	})
}

func cloudflareResult(rw http.ResponseWriter, status int, result any) {
	world.WriteJSON(rw, status, map[string]any{"success": true, "errors": []any{}, "messages": []any{}, "result": result})
}

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
