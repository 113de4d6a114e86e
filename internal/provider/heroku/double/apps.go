package double

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"rekey/internal/world"
)

// Heroku is the Platform API for the apps of one account.
type Heroku struct {
	Token     string            `json:"token"`
	Apps      []*HerokuApp      `json:"apps"`
	Pipelines []*HerokuPipeline `json:"pipelines,omitempty"`

	Authorizations []*Authorization `json:"authorizations"`
	Revoked        []*Authorization `json:"revoked,omitempty"`
	ShowsTokens    string           `json:"shows_tokens,omitempty"` // in lists: "" both ends, "prefix", "whole"
	SSO            bool             `json:"sso,omitempty"`          // the account is under single sign-on
	Uses           []string         `json:"uses,omitempty"`         // config vars by which processes work on Heroku
}

// HerokuApp is one app.
type HerokuApp struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	Maintenance bool       `json:"maintenance,omitempty"`
	Closed      bool       `json:"closed,omitempty"` // listed, and its config vars are not for our token
	Releases    []*Release `json:"releases"`         // oldest first
	Processes   []*Process `json:"processes"`        // living and ended
}

func (h *Heroku) app(name string) *HerokuApp {
	for _, a := range h.Apps {
		if a.Name == name || a.ID == name {
			return a
		}
	}
	return nil
}

// Current is the newest release that has succeeded: what runs.
func (a *HerokuApp) Current() *Release {
	for _, r := range slices.Backward(a.Releases) {
		if r.Status == "succeeded" {
			return r
		}
	}
	return nil
}

func (a *HerokuApp) serves() bool {
	for _, p := range a.Processes {
		if p.Type == "web" && !p.Crashed && p.Stops.IsZero() {
			return true
		}
	}
	return false
}

// Events are ends of release commands, processes and authorizations.
func (s *Double) Events(offer func(time.Time, func())) {
	for _, a := range s.Heroku.Authorizations {
		if a.ExpiresAt.After(s.At) {
			offer(a.ExpiresAt, func() {})
		}
	}
	for _, a := range s.Heroku.Apps {
		for _, r := range a.Releases {
			if r.Status == "pending" && !r.Ends.IsZero() {
				offer(r.Ends, func() { s.finish(a, r) })
			}
		}
		for _, p := range a.Processes {
			if p.Stops.After(s.At) {
				offer(p.Stops, func() {})
			}
			if p.Up.After(s.At) {
				offer(p.Up, func() {})
			}
			if p.Crashed && !p.Hidden && !p.Started.Add(crashRestart).Before(s.At) {
				offer(p.Started.Add(crashRestart), func() { s.restart(a, p) })
			}
		}
	}
}

// Routes: contracts/heroku.schema.json.
func (w *Double) Routes(mux *http.ServeMux) {
	handle := func(pattern string, f func(http.ResponseWriter, *http.Request, *HerokuApp)) {
		mux.HandleFunc(pattern, func(rw http.ResponseWriter, req *http.Request) {
			if !w.herokuLetsIn(rw, req) {
				return
			}
			a := w.Heroku.app(req.PathValue("app"))
			if a == nil {
				herokuFailure(rw, http.StatusNotFound, "not_found", "Couldn't find that app.")
				return
			}
			f(rw, req, a)
		})
	}
	handle("GET /apps/{app}", func(rw http.ResponseWriter, _ *http.Request, a *HerokuApp) {
		world.WriteJSON(rw, http.StatusOK, a.shown())
	})
	mux.HandleFunc("GET /apps", func(rw http.ResponseWriter, req *http.Request) {
		if !w.herokuLetsIn(rw, req) {
			return
		}
		out := []map[string]any{} // those that the account may see (heroku.schema.json, app, List)
		for _, a := range w.Heroku.Apps {
			out = append(out, a.shown())
		}
		herokuPage(rw, req, out)
	})
	handle("GET /apps/{app}/config-vars", func(rw http.ResponseWriter, _ *http.Request, a *HerokuApp) {
		if a.Closed { // a member of a team without the permission "operate"
			herokuFailure(rw, http.StatusForbidden, "forbidden", "You do not have access to the app.")
			return
		}
		world.WriteJSON(rw, http.StatusOK, a.Current().Vars)
	})
	handle("PATCH /apps/{app}/config-vars", w.patchConfigVars)
	handle("GET /apps/{app}/releases", w.listReleases)
	handle("POST /apps/{app}/releases", w.rollbackRelease)
	handle("GET /apps/{app}/releases/{release}", oneRelease(func(rw http.ResponseWriter, a *HerokuApp, r *Release) {
		world.WriteJSON(rw, http.StatusOK, r.shown(a))
	}))
	handle("GET /apps/{app}/releases/{release}/config-vars", oneRelease(func(rw http.ResponseWriter, _ *HerokuApp, r *Release) {
		world.WriteJSON(rw, http.StatusOK, r.Vars)
	}))
	handle("GET /apps/{app}/dynos", w.listDynos)
	handle("GET /apps/{app}/formation", func(rw http.ResponseWriter, req *http.Request, a *HerokuApp) {
		herokuPage(rw, req, a.formation())
	})
	handle("GET /apps/{app}/features", func(rw http.ResponseWriter, req *http.Request, a *HerokuApp) {
		herokuPage(rw, req, []map[string]any{feature(a, "preboot", w.Knobs.Preboot)})
	})
	handle("GET /apps/{app}/features/preboot", func(rw http.ResponseWriter, _ *http.Request, a *HerokuApp) {
		world.WriteJSON(rw, http.StatusOK, feature(a, "preboot", w.Knobs.Preboot))
	})
	w.pipelineRoutes(mux)
	w.oauthRoutes(mux)
	mux.HandleFunc("/", func(rw http.ResponseWriter, _ *http.Request) {
		herokuFailure(rw, http.StatusNotFound, "not_found", "The requested API endpoint was not found.")
	})
}

// herokuLetsIn answers whoever may not in.
func (w *Double) herokuLetsIn(rw http.ResponseWriter, req *http.Request) bool {
	rw.Header().Set("Request-Id", w.UUID())
	token, _ := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	a := w.Heroku.bearer(token, w.At)
	switch {
	case token == "" || a == nil:
		herokuFailure(rw, http.StatusUnauthorized, "unauthorized", "Invalid credentials provided.")
	case !a.allows(scopeFor(req)):
		herokuFailure(rw, http.StatusForbidden, "forbidden", "The scope of this OAuth authorization does not allow access to this resource.")
	case !strings.HasPrefix(req.Header.Get("Accept"), "application/vnd.heroku+json; version=3"):
		herokuFailure(rw, http.StatusNotAcceptable, "not_acceptable", "Unsupported version")
	default:
		return true
	}
	return false
}

func herokuFailure(rw http.ResponseWriter, status int, id, message string) {
	world.WriteJSON(rw, status, map[string]string{"id": id, "message": message, "url": "https://devcenter.heroku.com/articles/platform-api-reference"})
}
