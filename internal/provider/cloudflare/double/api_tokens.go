package double

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"rekey/internal/world"
)

// APIToken is an API token of a user or of the account (docs/vendors/cloudflare.md).
type APIToken struct {
	ID         string          `json:"id"`
	Account    bool            `json:"account,omitempty"` // the account's, not the user's
	Name       string          `json:"name"`
	Value      string          `json:"value"`
	Status     string          `json:"status"` // active, disabled
	IssuedOn   time.Time       `json:"issued_on"`
	ModifiedOn time.Time       `json:"modified_on"`
	LastUsedOn time.Time       `json:"last_used_on"`
	ExpiresOn  time.Time       `json:"expires_on,omitzero"`
	Policies   json.RawMessage `json:"policies"`
	Condition  json.RawMessage `json:"condition,omitempty"`
	DeletedAt  time.Time       `json:"deleted_at,omitzero"`
	Hidden     int             `json:"hidden,omitempty"` // lists that do not show it yet
}

// Permissions that the simulated vendor looks at, by the names of their groups.
const (
	mayAccess = "Access: Apps and Policies Write"
	mayTokens = "API Tokens Write"
)

func (t *APIToken) works(at time.Time) bool { return t.status(at) == "active" }

// status: active, disabled or expired (cloudflare.openapi.json, iam_status).
func (t *APIToken) status(at time.Time) string {
	if t.Status == "active" && !t.ExpiresOn.IsZero() && !t.ExpiresOn.After(at) {
		return "expired"
	}
	return t.Status
}

// allows reports whether a token may be used from an address (condition.request_ip).
func (t *APIToken) allows(address string) bool {
	var c struct {
		IP struct {
			In    []netip.Prefix `json:"in"`
			NotIn []netip.Prefix `json:"not_in"`
		} `json:"request_ip"`
	}
	from, err := netip.ParseAddr(address)
	if err != nil || json.Unmarshal(t.Condition, &c) != nil {
		return true
	}
	within := func(p netip.Prefix) bool { return p.Contains(from) }
	return (len(c.IP.In) == 0 || slices.ContainsFunc(c.IP.In, within)) && !slices.ContainsFunc(c.IP.NotIn, within)
}

func (t *APIToken) may(group string) bool { return strings.Contains(string(t.Policies), `"`+group+`"`) }

func (c *Cloudflare) apiToken(value string) *APIToken {
	for _, t := range c.APITokens {
		if t.Value == value {
			return t
		}
	}
	return nil
}

// apiDenies says why an API token does not work; "" if it does.
func (c *Cloudflare) apiDenies(value string, at time.Time) string {
	if t := c.apiToken(value); t == nil || !t.works(at) {
		return "Cloudflare's API denies it"
	}
	return ""
}

// bearer finds the token of a request and notes its use; nil if none works.
func (w *Double) bearer(req *http.Request) *APIToken {
	t := w.Cloudflare.apiToken(strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "))
	if t == nil || !t.works(w.At) || !t.allows(w.Knobs.From) {
		return nil
	}
	t.LastUsedOn = w.At
	return t
}

// apiTokenRoutes: the same for a user and for an account.
func (w *Double) apiTokenRoutes(mux *http.ServeMux) {
	for _, root := range []string{"/client/v4/user/tokens", "/client/v4/accounts/{account}/tokens"} {
		account := strings.Contains(root, "{account}")
		// What the token may is looked at for everything but verify.
		at := func(pattern string, f func(http.ResponseWriter, *http.Request, *APIToken)) {
			method, path, _ := strings.Cut(pattern, " ")
			mux.HandleFunc(method+" "+root+path, func(rw http.ResponseWriter, req *http.Request) {
				switch t := w.bearer(req); {
				case req.Header.Get("Authorization") == "":
					cloudflareFailure(rw, http.StatusBadRequest, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
				case account && req.PathValue("account") != w.Cloudflare.Account:
					cloudflareFailure(rw, http.StatusNotFound, 7003, "Could not route to /accounts, perhaps your object identifier is invalid?")
				case t == nil || !t.may(mayTokens):
					cloudflareFailure(rw, http.StatusForbidden, 9109, "Unauthorized to access requested resource")
				default:
					var one *APIToken
					if id := req.PathValue("id"); id != "" {
						i := slices.IndexFunc(w.Cloudflare.APITokens, func(x *APIToken) bool { return x.ID == id && x.Account == account })
						if i < 0 {
							cloudflareFailure(rw, http.StatusNotFound, 1001, "Token not found")
							return
						}
						one = w.Cloudflare.APITokens[i]
					}
					f(rw, req, one)
				}
			})
		}
		mux.HandleFunc("GET "+root+"/verify", func(rw http.ResponseWriter, req *http.Request) { w.verifyAPIToken(rw, req, account) })
		at("GET ", func(rw http.ResponseWriter, req *http.Request, _ *APIToken) { w.listAPITokens(rw, req, account) })
		at("POST ", func(rw http.ResponseWriter, req *http.Request, _ *APIToken) { w.createAPIToken(rw, req, account) })
		at("GET /{id}", func(rw http.ResponseWriter, _ *http.Request, t *APIToken) {
			cloudflareResult(rw, http.StatusOK, t.shown(w.At))
		})
		at("PUT /{id}", w.putAPIToken)
		at("PUT /{id}/value", w.rollAPIToken)
		at("DELETE /{id}", w.deleteAPIToken)
	}
}

// verifyAPIToken: a dead token and one of the other kind are answered alike, 401
// and 1000; a disabled one tells its status (docs/vendors/cloudflare.md).
func (w *Double) verifyAPIToken(rw http.ResponseWriter, req *http.Request, account bool) {
	value := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
	t := w.Cloudflare.apiToken(value)
	switch {
	case value == "":
		cloudflareFailure(rw, http.StatusBadRequest, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
	case t == nil || t.Account != account:
		cloudflareFailure(rw, http.StatusUnauthorized, 1000, "Invalid API Token")
	case !t.allows(w.Knobs.From):
		cloudflareFailure(rw, http.StatusForbidden, 9109, "Cannot use the access token from location: "+w.Knobs.From)
	default:
		world.WriteJSON(rw, http.StatusOK, map[string]any{
			"success": true, "errors": []any{},
			"messages": []map[string]any{{"code": 10000, "message": "This API Token is valid and active", "type": nil}},
			"result":   map[string]any{"id": t.ID, "status": t.status(w.At)},
		})
	}
}

func (t *APIToken) shown(at time.Time) map[string]any {
	m := map[string]any{
		"id": t.ID, "name": t.Name, "status": t.status(at), "issued_on": t.IssuedOn.Truncate(time.Second), "modified_on": t.ModifiedOn.Truncate(time.Second),
		"policies": t.Policies,
	}
	if !t.LastUsedOn.IsZero() {
		m["last_used_on"] = t.LastUsedOn.Truncate(time.Second)
	}
	if !t.ExpiresOn.IsZero() {
		m["expires_on"] = t.ExpiresOn.Truncate(time.Second)
	}
	if len(t.Condition) > 0 {
		m["condition"] = t.Condition
	}
	return m
}

func (w *Double) listAPITokens(rw http.ResponseWriter, req *http.Request, account bool) {
	shown := []map[string]any{}
	for _, t := range w.Cloudflare.APITokens {
		switch {
		case t.Account != account, t.status(w.At) == "expired" && req.URL.Query().Get("include_expired") != "true":
		case t.Hidden > 0:
			t.Hidden--
		default:
			shown = append(shown, t.shown(w.At))
		}
	}
	w.page(rw, req, raws(shown), tokenPage)
}

func (w *Double) createAPIToken(rw http.ResponseWriter, req *http.Request, account bool) {
	var in struct {
		Name      string          `json:"name"`
		Policies  json.RawMessage `json:"policies"`
		Condition json.RawMessage `json:"condition"`
		ExpiresOn time.Time       `json:"expires_on"`
	}
	var policies []any
	if err := world.ReadJSON(req, &in); err != nil || in.Name == "" || json.Unmarshal(in.Policies, &policies) != nil || len(policies) == 0 {
		cloudflareFailure(rw, http.StatusBadRequest, 1001, "Invalid request: name and policies are required")
		return
	}
	s := w
	t := s.NewAPIToken(in.Name, account)
	t.Policies, t.Condition, t.ExpiresOn, t.Hidden = s.named(in.Policies), in.Condition, in.ExpiresOn, s.Knobs.ListLag
	out := t.shown(w.At)
	out["value"] = t.Value
	cloudflareResult(rw, http.StatusOK, out)
}

// NewAPIToken makes one. Its value does not look like a real one: Cloudflare
// revokes those that it finds in public.
func (s *Double) NewAPIToken(name string, account bool) *APIToken {
	t := &APIToken{ID: strings.ReplaceAll(s.UUID(), "-", ""), Account: account, Name: name, Value: "simulated-api-token-" + s.Random(20), Status: "active", IssuedOn: s.At, ModifiedOn: s.At}
	s.Cloudflare.APITokens = append(s.Cloudflare.APITokens, t)
	return t
}

// named gives permission groups their names again, as the vendor shows them.
func (s *Double) named(policies json.RawMessage) json.RawMessage {
	var list []map[string]any
	_ = json.Unmarshal(policies, &list)
	for _, p := range list {
		p["id"] = strings.ReplaceAll(s.UUID(), "-", "")
		groups, _ := p["permission_groups"].([]any)
		for _, g := range groups {
			if m, ok := g.(map[string]any); ok {
				m["name"] = permissionGroups[m["id"]]
			}
		}
	}
	b, _ := json.Marshal(list)
	return b
}

var permissionGroups = map[any]string{
	"00000000000000000000000000000001": mayAccess, "00000000000000000000000000000002": mayTokens, "00000000000000000000000000000003": "DNS Write",
}

func (w *Double) putAPIToken(rw http.ResponseWriter, req *http.Request, t *APIToken) {
	var in struct {
		Name      string          `json:"name"`
		Status    string          `json:"status"`
		Policies  json.RawMessage `json:"policies"`
		Condition json.RawMessage `json:"condition"`
		ExpiresOn time.Time       `json:"expires_on"`
	}
	if err := world.ReadJSON(req, &in); err != nil || in.Name == "" || len(in.Policies) == 0 {
		cloudflareFailure(rw, http.StatusBadRequest, 1001, "Invalid request: name and policies are required")
		return
	}
	t.Name, t.Policies, t.Condition, t.ExpiresOn, t.ModifiedOn = in.Name, w.named(in.Policies), in.Condition, in.ExpiresOn, w.At
	if in.Status != "" {
		t.Status = in.Status
	}
	cloudflareResult(rw, http.StatusOK, t.shown(w.At))
}

// rollAPIToken answers a bare string, the new value; the one before is dead at
// once [developers.cloudflare.com/fundamentals/api/how-to/roll-token].
func (w *Double) rollAPIToken(rw http.ResponseWriter, _ *http.Request, t *APIToken) {
	t.Value, t.ModifiedOn = "simulated-api-token-"+w.Random(20), w.At
	cloudflareResult(rw, http.StatusOK, t.Value)
}

func (w *Double) deleteAPIToken(rw http.ResponseWriter, _ *http.Request, t *APIToken) {
	c := w.Cloudflare
	c.APITokens = slices.DeleteFunc(c.APITokens, func(x *APIToken) bool { return x == t })
	t.DeletedAt = w.At
	c.DeletedAPITokens = append(c.DeletedAPITokens, t)
	cloudflareResult(rw, http.StatusOK, map[string]string{"id": t.ID})
}

// PermissionGroup is the name of a permission group, by its id.
func PermissionGroup(id string) string { return permissionGroups[id] }
