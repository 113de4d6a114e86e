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
