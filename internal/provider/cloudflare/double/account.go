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
