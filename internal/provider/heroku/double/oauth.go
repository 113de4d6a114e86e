package double

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"rekey/internal/world"
)

// Authorization is a direct OAuth authorization with its one access token.
type Authorization struct {
	ID          string    `json:"id"`
	Description string    `json:"description"`
	Scope       []string  `json:"scope"`
	Token       string    `json:"token"`
	CreatedAt   time.Time `json:"created_at"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
	Hidden      int       `json:"hidden,omitempty"` // lists that do not show it yet
}

func (a *Authorization) live(at time.Time) bool { return a.ExpiresAt.IsZero() || a.ExpiresAt.After(at) }

// allows: global is everything; every other scope is only what it says, and none
// but identity includes account information [devcenter.heroku.com/articles/oauth, Scopes].
func (a *Authorization) allows(need string) bool {
	return slices.Contains(a.Scope, "global") || slices.Contains(a.Scope, need)
}

// bearer is the live authorization with this token, nil if there is none.
func (h *Heroku) bearer(token string, at time.Time) *Authorization {
	for _, a := range h.Authorizations {
		if a.Token == token && a.live(at) {
			return a
		}
	}
	return nil
}

// scopeFor is what an endpoint needs. Only the protected scopes reach config vars.
func scopeFor(req *http.Request) string {
	switch path := req.URL.Path; {
	case path == "/account":
		return "identity"
	case strings.HasPrefix(path, "/oauth/"):
		return "global" // whether less is enough is not known (docs/vendors/heroku.md)
	case req.Method != http.MethodGet:
		return "write-protected"
	}
	return "read-protected"
}

// newAuthorization makes one. Its token has no real one's shape but the prefix
// [devcenter.heroku.com/articles/oauth, Prefixed OAuth Tokens].
func (s *Double) newAuthorization(description string, scope []string, life time.Duration) *Authorization {
	a := &Authorization{ID: s.UUID(), Description: description, Scope: scope, Token: "HRKU-" + s.Random(8) + "-simulated-" + s.Random(8), CreatedAt: s.At}
	if life > 0 {
		a.ExpiresAt = s.At.Add(life)
	}
	s.Heroku.Authorizations = append(s.Heroku.Authorizations, a)
	return a
}

// SeedAuthorizations makes the authorizations that every account has: the one that Rekey works with and one that an app uses,
// from a chain of random values of their own: nothing else in the world changes.
func (s *Double) SeedAuthorizations(born time.Time) {
	sum := sha256.Sum256([]byte{byte(s.Seed), byte(s.Seed >> 8), 'o', 'a', 'u', 't', 'h'})
	h := hex.EncodeToString(sum[:])
	s.Heroku.Authorizations = []*Authorization{
		{ID: "9a1f2b3c-0d4e-4f50-8a61-72b3c4d5e601", Description: "rekey", Scope: []string{"global"}, Token: s.Heroku.Token, CreatedAt: born},
		{ID: "9a1f2b3c-0d4e-4f50-8a61-72b3c4d5e602", Description: "raxx-deploy-" + born.Format(time.DateOnly),
			Scope: []string{"identity", "read-protected", "write-protected"}, Token: "HRKU-" + h[:16] + "-simulated-" + h[16:32], CreatedAt: born},
	}
}

// Give returns the authorization of this name, made 92 days ago if there was none.
func (s *Double) Give(name string, scope []string) *Authorization {
	a := s.Heroku.named(name)
	if a == nil {
		a = s.newAuthorization(name+"-"+s.At.AddDate(0, 0, -92).Format(time.DateOnly), scope, 0)
		a.CreatedAt = s.At.AddDate(0, 0, -92)
	}
	return a
}

func (h *Heroku) named(prefix string) *Authorization {
	for _, a := range h.Authorizations {
		if strings.HasPrefix(a.Description, prefix+"-") {
			return a
		}
	}
	return nil
}

// shown is as listed: the token's middle is ten asterisks, or all of it but the
// prefix, or nothing is hidden; Heroku's own CLI knows the three (heroku/cli,
// @heroku-cli/command 13.2.0 login).
func (a *Authorization) shown(s *Double, token string) map[string]any {
	var ends any
	if !a.ExpiresAt.IsZero() {
		ends = int64(a.ExpiresAt.Sub(s.At) / time.Second)
	}
	return map[string]any{
		"id": a.ID, "description": a.Description, "scope": a.Scope, "created_at": a.CreatedAt, "updated_at": a.CreatedAt,
		"access_token": map[string]any{"id": a.ID, "token": token, "expires_in": ends},
		"client":       nil, "grant": nil, "refresh_token": nil, "session": nil,
		"user": map[string]string{"id": operatorID, "email": operatorEmail, "full_name": operatorName},
	}
}

func (h *Heroku) redacted(token string) string {
	const hidden = "**********"
	switch {
	case h.ShowsTokens == "whole":
		return token
	case h.ShowsTokens == "prefix" || len(token) < 20:
		return "HRKU-" + hidden
	}
	return token[:13] + hidden + token[len(token)-4:]
}

// oauthRoutes: heroku.schema.json, oauth-authorization; /account is what shows
// whether a token works.
func (w *Double) oauthRoutes(mux *http.ServeMux) {
	handle := func(pattern string, f func(http.ResponseWriter, *http.Request)) {
		mux.HandleFunc(pattern, func(rw http.ResponseWriter, req *http.Request) {
			if w.herokuLetsIn(rw, req) {
				f(rw, req)
			}
		})
	}
	handle("GET /account", func(rw http.ResponseWriter, _ *http.Request) {
		world.WriteJSON(rw, http.StatusOK, account())
	})
	handle("GET /oauth/authorizations", func(rw http.ResponseWriter, req *http.Request) {
		out := []map[string]any{}
		for _, a := range w.Heroku.Authorizations {
			if a.Hidden > 0 {
				a.Hidden--
			} else if a.live(w.At) {
				out = append(out, a.shown(w, w.Heroku.redacted(a.Token)))
			}
		}
		herokuPage(rw, req, out)
	})
	handle("POST /oauth/authorizations", w.createAuthorization)
	handle("DELETE /oauth/authorizations/{id}", func(rw http.ResponseWriter, req *http.Request) {
		h := w.Heroku
		for i, a := range h.Authorizations {
			if a.ID == req.PathValue("id") {
				h.Authorizations = slices.Delete(slices.Clone(h.Authorizations), i, i+1)
				h.Revoked = append(h.Revoked, a)
				world.WriteJSON(rw, http.StatusOK, a.shown(w, h.redacted(a.Token)))
				return
			}
		}
		herokuFailure(rw, http.StatusNotFound, "not_found", "Couldn't find that authorization.")
	})
}

// createAuthorization: scope is required; the token is shown in full, once.
// Descriptions are not unique.
func (w *Double) createAuthorization(rw http.ResponseWriter, req *http.Request) {
	var in struct {
		Description string   `json:"description"`
		Scope       []string `json:"scope"`
		ExpiresIn   *int64   `json:"expires_in"`
	}
	if err := world.ReadJSON(req, &in); err != nil {
		herokuFailure(rw, http.StatusBadRequest, "bad_request", "Unable to parse the JSON request.")
		return
	}
	life := time.Duration(0)
	if in.ExpiresIn != nil {
		life = time.Duration(*in.ExpiresIn) * time.Second
	}
	switch {
	case len(in.Scope) == 0, life < 0:
		herokuFailure(rw, http.StatusUnprocessableEntity, "invalid_params", "Scope is invalid.")
		return
	case life == 0 && w.Heroku.SSO:
		// An account under single sign-on has none without an end ([APIKEY]).
		herokuFailure(rw, http.StatusUnprocessableEntity, "invalid_params", "Expiration is required.")
		return
	}
	a := w.newAuthorization(in.Description, in.Scope, life)
	a.Hidden = w.Knobs.ListLag
	world.WriteJSON(rw, http.StatusCreated, a.shown(w, a.Token))
}
