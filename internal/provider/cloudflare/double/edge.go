package double

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Edge is what stands in front of the sites. It knows the account's rules as
// they were published to it, which may be later than they were changed.
type Edge struct {
	Team    string            `json:"team"` // <team>.cloudflareaccess.com
	Session string            `json:"session"`
	Known   View              `json:"known"`
	Coming  []View            `json:"coming,omitempty"`
	Sites   map[string]*Site  `json:"sites"` // by host
	Uses    map[string]string `json:"uses"`  // config var -> host that it opens
}

// View is the account as the edge knows it.
type View struct {
	At       time.Time `json:"at"`
	Tokens   []Token   `json:"tokens"`
	Policies []Rules   `json:"policies"`
	Groups   []Rules   `json:"groups"`
	Apps     []App     `json:"apps"`

	admitted map[[2]string]bool // by app and token; a view never changes
}

// Site is an origin behind the edge.
type Site struct {
	Public bool              `json:"public,omitempty"` // no Access application stands before it
	App    string            `json:"app,omitempty"`    // Heroku app that serves it
	Status map[string]string `json:"status,omitempty"` // site id in /api/status/sites -> config var that proves it
}

// Publish lets the edge learn of a change, at once or after its delay.
func (s *Double) Publish() {
	c := s.Cloudflare
	v := View{At: s.At.Add(s.Knobs.EdgeDelay.Std())}
	for _, t := range c.Tokens {
		v.Tokens = append(v.Tokens, *t)
	}
	v.Policies, v.Groups = cloneRules(c.Policies), cloneRules(slices.Concat(c.Groups, c.ZoneGroups))
	for _, a := range c.allApps() {
		b := *a
		b.Policies = cloneRules(a.Policies)
		v.Apps = append(v.Apps, b)
	}
	if s.Knobs.EdgeDelay <= 0 {
		s.Edge.Known, s.Edge.Coming = v, nil
		return
	}
	s.Edge.Coming = append(s.Edge.Coming, v)
}

func cloneRules(in []Rules) []Rules {
	out := make([]Rules, len(in))
	for i, r := range in {
		out[i] = maps.Clone(r)
	}
	return out
}

// Events are changes that the edge learns of, and ends of tokens.
func (s Gate) Events(offer func(time.Time, func())) {
	if len(s.Edge.Coming) > 0 {
		v := s.Edge.Coming[0]
		offer(v.At, func() { s.Edge.Known, s.Edge.Coming = v, s.Edge.Coming[1:] })
	}
	for _, t := range s.Edge.Known.Tokens {
		for _, end := range []time.Time{t.ExpiresAt, t.PrevUntil} {
			if end.After(s.At) {
				offer(end, func() {})
			}
		}
	}
}

// find returns the live token with this pair, as the edge knows it.
func (v *View) find(id, secret string, at time.Time) *Token {
	for i := range v.Tokens {
		t := &v.Tokens[i]
		known := t.Secret == secret || t.PrevSecret == secret && t.PrevSecret != "" && t.PrevUntil.After(at)
		if t.ClientID == id && known && t.Enabled && (t.ExpiresAt.IsZero() || t.ExpiresAt.After(at)) {
			return t
		}
	}
	return nil
}

// app returns the application that guards a host, by its domain.
func (v *View) app(host, path string) *App {
	for i := range v.Apps {
		if h, p := splitDomain(v.Apps[i].Domain); h == host && strings.HasPrefix(path, p) {
			return &v.Apps[i]
		}
	}
	return nil
}

func (v *View) policiesOf(a *App) []Rules {
	var out []Rules
	for _, id := range a.Reusable {
		if r := byID(v.Policies, id); r != nil {
			out = append(out, r)
		}
	}
	return append(out, a.Policies...)
}

// admits: include is OR, require AND, exclude NOT; a service token counts only
// in a non_identity or bypass policy (docs/vendors/cloudflare.md).
func (v *View) admits(a *App, t *Token) bool {
	key := [2]string{a.ID, t.ID}
	known, ok := v.admitted[key]
	if !ok {
		if v.admitted == nil {
			v.admitted = map[[2]string]bool{}
		}
		known = v.evaluate(a, t)
		v.admitted[key] = known
	}
	return known
}

func (v *View) evaluate(a *App, t *Token) bool {
	for _, p := range v.policiesOf(a) {
		switch p.Text("decision") {
		case "non_identity", "bypass":
		default:
			continue
		}
		if v.matches(p, t, 0) {
			return true
		}
	}
	return false
}

func (v *View) matches(r Rules, t *Token, depth int) bool {
	some := func(raws []json.RawMessage) bool {
		return slices.ContainsFunc(raws, func(raw json.RawMessage) bool { return v.matchesRule(readRule(raw), t, depth) })
	}
	if !some(r.array("include")) || some(r.array("exclude")) {
		return false
	}
	for _, raw := range r.array("require") {
		if !v.matchesRule(readRule(raw), t, depth) {
			return false
		}
	}
	return true
}

func (v *View) matchesRule(r oneRule, t *Token, depth int) bool {
	switch {
	case r.Everyone != nil:
		return true
	case t == nil || depth > 8:
		return false
	case r.ServiceToken != nil:
		return r.ServiceToken.TokenID == t.ID
	case r.AnyValid != nil:
		return true
	case r.Group != nil:
		g := byID(v.Groups, r.Group.ID)
		return g != nil && v.matches(g, t, depth+1)
	}
	return false
}

// denies says why a host refuses "id:secret"; "" if it accepts it.
func (e *Edge) denies(host, pair string, at time.Time) string {
	id, secret, _ := strings.Cut(pair, ":")
	a := e.Known.app(host, "/health")
	if a == nil {
		return ""
	}
	t := e.Known.find(id, secret, at)
	switch {
	case t == nil:
		return "no live token has this id and secret"
	case !e.Known.admits(a, t):
		return "no policy accepts " + t.Name
	}
	return ""
}

// Routes serves the sites under /<host>/<path>.
func (w Gate) Routes(mux *http.ServeMux) {
	mux.HandleFunc("/{host}/{path...}", func(rw http.ResponseWriter, req *http.Request) {
		host, path := req.PathValue("host"), "/"+req.PathValue("path")
		if req.Header.Get("cf-access-metadata-request") == "true" {
			w.metadata(rw, host, path)
			return
		}
		site := w.Edge.Sites[host]
		if site == nil {
			// 530: nothing answers behind the edge (docs/vendors/cloudflare.md).
			w.Fail(rw, 530, "")
			return
		}
		if app := w.Edge.Known.app(host, path); app != nil && !w.letIn(rw, req, app, host) {
			return
		}
		w.origin(rw, req, site, path)
	})
}

// metadata tells which application guards a place, as a token signed by the
// team; without one there is no application (docs/vendors/cloudflare.md).
func (w *Double) metadata(rw http.ResponseWriter, host, path string) {
	app := w.Edge.Known.app(host, path)
	if app == nil {
		return
	}
	claims, _ := json.Marshal(map[string]any{
		"auth_domain": w.Edge.Team + ".cloudflareaccess.com", "aud": app.AUD, "hostname": host, "app_hostname": host,
		"type": "match", "iat": w.At.Unix(),
	})
	part := base64.RawURLEncoding.EncodeToString
	rw.Header().Set("Cf-Access-Metadata", part([]byte(`{"alg":"RS256","kid":"simulated"}`))+"."+part(claims)+"."+part([]byte("simulated")))
}

// letIn grades a request as the edge does (docs/vendors/cloudflare.md).
func (w *Double) letIn(rw http.ResponseWriter, req *http.Request, app *App, host string) bool {
	s := w
	id, secret := req.Header.Get("CF-Access-Client-Id"), req.Header.Get("CF-Access-Client-Secret")
	t := s.Edge.Known.find(id, secret, s.At)
	if t != nil {
		if live := s.Cloudflare.token(t.ID); live != nil {
			live.LastSeenAt = s.At
		}
		if s.Edge.Known.admits(app, t) {
			return true
		}
	}
	if !s.Knobs.Strict || id == "" {
		if c, err := req.Cookie("CF_Authorization"); err == nil && c.Value == s.Edge.Session {
			return true
		}
	}
	status := app.Refuse
	if status == 0 {
		status = http.StatusForbidden
	}
	if id != "" && s.Knobs.Strict {
		// Strict: 401 for a bad token, 403 for one that no rule names; never a redirect.
		status = http.StatusUnauthorized
		if t != nil {
			status = http.StatusForbidden
		}
	}
	rw.Header().Set("Content-Type", "text/html")
	if own := cmp.Or(app.DenyNonIdentity, app.Deny); own != "" && (id == "" || !s.Knobs.Strict) {
		rw.Header().Set("Location", own)
		rw.WriteHeader(http.StatusFound)
		return false
	}
	if status == http.StatusFound {
		rw.Header().Set("Location", fmt.Sprintf("https://%s.cloudflareaccess.com/cdn-cgi/access/login/%s?kid=%s", s.Edge.Team, host, app.AUD))
		rw.WriteHeader(status)
		return false
	}
	rw.Header().Set("Cf-Access-Aud", app.AUD)
	rw.Header().Set("Cf-Access-Domain", app.Domain)
	rw.WriteHeader(status)
	_, _ = fmt.Fprint(rw, "<!DOCTYPE html><html><body>Forbidden. You don't have permission to view this.</body></html>")
	return false
}
