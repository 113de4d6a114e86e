package double

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"sort"
	"strconv"
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

// Release is one release with the config vars that it carries.
type Release struct {
	ID          string            `json:"id"`
	Version     int               `json:"version"`
	Status      string            `json:"status"` // pending, succeeded, failed, expired
	Description string            `json:"description"`
	CreatedAt   time.Time         `json:"created_at"`
	Ends        time.Time         `json:"ends,omitzero"` // when the release command is over
	Becomes     string            `json:"becomes,omitempty"`
	Vars        map[string]string `json:"vars"`
}

// Process is one process of a dyno; a restarted dyno has several in its life.
type Process struct {
	ID      string            `json:"id"`
	Name    string            `json:"name"` // web.1
	Type    string            `json:"type"`
	Release int               `json:"release"`
	Env     map[string]string `json:"env"`
	Started time.Time         `json:"started"`
	Up      time.Time         `json:"up"`               // when it has booted
	Stops   time.Time         `json:"stops,omitzero"`   // when it is gone
	Hidden  bool              `json:"hidden,omitempty"` // replaced: no longer in the dyno list
	Crashed bool              `json:"crashed,omitempty"`
}

func (p *Process) alive(at time.Time) bool {
	return !p.Crashed && !p.Started.After(at) && (p.Stops.IsZero() || p.Stops.After(at))
}

// oneOff processes are not replaced by a release: what runs a command once has a
// number of four digits, whatever its type, and the formation counts from 1
// [devcenter.heroku.com/articles/one-off-dynos].
func (p *Process) oneOff() bool {
	_, after, _ := strings.Cut(p.Name, ".")
	n, _ := strconv.Atoi(after)
	return n >= 1000 || p.Type == "run" || p.Type == "scheduler" || p.Type == "release"
}

func (p *Process) state(at time.Time) string {
	switch {
	case p.Crashed:
		return "crashed"
	case p.Up.After(at):
		return "starting"
	}
	return "up"
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

// change makes a release with these config vars. With a release command it is
// pending, and the old values stay in force, until the command is over
// (docs/vendors/heroku.md).
func (s *Double) change(a *HerokuApp, vars map[string]string, description string) *Release {
	version := 1
	if n := len(a.Releases); n > 0 {
		version = a.Releases[n-1].Version + 1
	}
	r := &Release{ID: s.UUID(), Version: version, Status: "pending", Description: description, CreatedAt: s.At, Vars: vars, Becomes: "succeeded"}
	a.Releases = append(a.Releases, r)
	switch s.Knobs.Release {
	case "pending":
		return r
	case "failed":
		r.Becomes = "failed"
	}
	if d := s.Knobs.ReleaseDelay.Std(); d > 0 {
		r.Ends = s.At.Add(d)
		return r
	}
	s.finish(a, r)
	return r
}

// finish ends a release command; if it succeeded every dyno is restarted. New
// processes start while old ones have their time to shut down; with preboot old
// web processes serve on, out of sight.
func (s *Double) finish(a *HerokuApp, r *Release) {
	r.Status, r.Ends = r.Becomes, time.Time{}
	if r.Status != "succeeded" || a.Current() != r {
		return
	}
	k := s.Knobs
	for _, p := range slices.Clone(a.Processes) {
		if p.Hidden || p.oneOff() {
			continue
		}
		p.Hidden, p.Stops = true, s.At.Add(k.Shutdown.Std())
		if k.Preboot && p.Type == "web" {
			p.Stops = s.At.Add(k.PrebootDelay.Std())
		}
		if p.Crashed {
			p.Stops = s.At
		}
		s.start(a, p.Name, p.Type, r)
	}
}

// crashRestart is after how long a crashed dyno is started again; Heroku begins
// sooner and backs off further [devcenter.heroku.com/articles/dyno-crash-restart-policy].
const crashRestart = time.Minute

func (s *Double) restart(a *HerokuApp, p *Process) {
	p.Hidden, p.Stops = true, s.At
	for _, r := range a.Releases {
		if r.Version == p.Release {
			s.start(a, p.Name, p.Type, r)
		}
	}
}

func (s *Double) start(a *HerokuApp, name, kind string, r *Release) *Process {
	p := &Process{ID: s.UUID(), Name: name, Type: kind, Release: r.Version, Env: r.Vars, Started: s.At, Up: s.At.Add(s.Knobs.BootDelay.Std()), Crashed: s.Knobs.Crash}
	a.Processes = append(a.Processes, p)
	return p
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

// patchConfigVars merges; null deletes. One PATCH is one release. The answer is
// the whole map as it is in force, so with a release command the old one.
func (w *Double) patchConfigVars(rw http.ResponseWriter, req *http.Request, a *HerokuApp) {
	var in map[string]*string
	if err := world.ReadJSON(req, &in); err != nil {
		herokuFailure(rw, http.StatusBadRequest, "bad_request", "Unable to parse the JSON request.")
		return
	}
	base := a.Current()
	if newest := a.Releases[len(a.Releases)-1]; newest.Status == "pending" {
		base = newest
	}
	vars := maps.Clone(base.Vars)
	var set, removed []string
	for name, v := range in {
		switch {
		case !configVarName.MatchString(name):
			herokuFailure(rw, http.StatusUnprocessableEntity, "invalid_params", "Config var key is invalid.")
			return
		case v == nil:
			delete(vars, name)
			removed = append(removed, name)
		default:
			vars[name] = *v
			set = append(set, name)
		}
	}
	sort.Strings(set)
	sort.Strings(removed)
	var words []string
	if len(set) > 0 {
		words = append(words, fmt.Sprintf("Set %s config vars", strings.Join(set, ", ")))
	}
	if len(removed) > 0 {
		words = append(words, fmt.Sprintf("Remove %s config vars", strings.Join(removed, ", ")))
	}
	if r := w.change(a, vars, strings.Join(words, " and ")); r.Status == "pending" {
		rw.Header().Set("X-Heroku-Warning", "The release command is running; this config change will not be available until the command succeeds.")
	}
	world.WriteJSON(rw, http.StatusOK, a.Current().Vars)
}

var configVarName = regexp.MustCompile(`^\w+$`)

// releaseRange reads the three spellings that real clients use:
// "version ..; order=desc,max=1", "; max=1,order=desc", "; max=15, order=desc".
var releaseMax = regexp.MustCompile(`max=(\d+)`)

func (w *Double) listReleases(rw http.ResponseWriter, req *http.Request, a *HerokuApp) {
	list := slices.Clone(a.Releases)
	spec := req.Header.Get("Range")
	if strings.Contains(spec, "order=desc") {
		slices.Reverse(list)
	}
	limit := 200
	if m := releaseMax.FindStringSubmatch(spec); m != nil {
		limit, _ = strconv.Atoi(m[1])
	}
	status := http.StatusOK
	if limit < len(list) {
		status = http.StatusPartialContent
		rw.Header().Set("Next-Range", fmt.Sprintf("version %d..; max=%d", list[limit].Version, limit))
		list = list[:limit]
	}
	out := []map[string]any{}
	for _, r := range list {
		out = append(out, r.shown(a))
	}
	world.WriteJSON(rw, status, out)
}

func (r *Release) shown(a *HerokuApp) map[string]any {
	return map[string]any{
		"id": r.ID, "version": r.Version, "status": r.Status, "current": a.Current() == r, "description": r.Description,
		"created_at": r.CreatedAt, "updated_at": r.CreatedAt, "eligible_for_rollback": r.Status == "succeeded",
		"app": map[string]string{"id": a.ID, "name": a.Name}, "slug": nil, "artifacts": []any{}, "addon_plan_names": []string{},
		"output_stream_url": nil, "user": map[string]string{"id": operatorID, "email": operatorEmail},
	}
}

// oneRelease finds a release by id or version (heroku.schema.json, release); the
// CLI asks so for the one that it is told to go back to (heroku 11.10.0,
// lib/releases/releases.js).
func oneRelease(f func(http.ResponseWriter, *HerokuApp, *Release)) func(http.ResponseWriter, *http.Request, *HerokuApp) {
	return func(rw http.ResponseWriter, req *http.Request, a *HerokuApp) {
		for _, r := range a.Releases {
			if id := req.PathValue("release"); r.ID == id || strconv.Itoa(r.Version) == id {
				f(rw, a, r)
				return
			}
		}
		herokuFailure(rw, http.StatusNotFound, "not_found", "Couldn't find that release.")
	}
}

// rollbackRelease makes a new release with code and config vars of an old one
// (docs/vendors/heroku.md). The id must be a UUID.
func (w *Double) rollbackRelease(rw http.ResponseWriter, req *http.Request, a *HerokuApp) {
	var in struct {
		Release string `json:"release"`
	}
	_ = world.ReadJSON(req, &in)
	for _, r := range a.Releases {
		if r.ID == in.Release {
			made := w.change(a, maps.Clone(r.Vars), fmt.Sprintf("Rollback to v%d", r.Version))
			world.WriteJSON(rw, http.StatusCreated, made.shown(a))
			return
		}
	}
	herokuFailure(rw, http.StatusNotFound, "not_found", "Couldn't find that release.")
}

func (w *Double) listDynos(rw http.ResponseWriter, _ *http.Request, a *HerokuApp) {
	out := []map[string]any{}
	for _, p := range a.Processes {
		if p.Hidden || !p.Crashed && !p.alive(w.At) {
			continue
		}
		id := ""
		for _, r := range a.Releases {
			if r.Version == p.Release {
				id = r.ID
			}
		}
		out = append(out, map[string]any{
			"id": p.ID, "name": p.Name, "type": p.Type, "state": p.state(w.At), "command": "bin/" + p.Type, "size": "Standard-1X", "attach_url": nil,
			"created_at": p.Started, "updated_at": p.Started, "release": map[string]any{"id": id, "version": p.Release},
			"app": map[string]string{"id": a.ID, "name": a.Name},
		})
	}
	world.WriteJSON(rw, http.StatusOK, out)
}
