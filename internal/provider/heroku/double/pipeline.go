package double

import (
	"maps"
	"net/http"
	"regexp"
	"strings"

	"rekey/internal/world"
)

// HerokuPipeline is a pipeline with the config vars of its stages and the apps
// that are coupled to them.
type HerokuPipeline struct {
	ID        string                       `json:"id"`
	Name      string                       `json:"name"` // not unique: the CLI asks which one is meant
	Vars      map[string]map[string]string `json:"vars"` // by stage
	Couplings []*Coupling                  `json:"couplings,omitempty"`
}

// Coupling ties an app to a stage.
type Coupling struct {
	App   string `json:"app"` // id
	Stage string `json:"stage"`
}

// AddReviewApp makes an app in stage review, as a pull request does: it begins
// with a copy of the stage's config vars and keeps it
// [devcenter.heroku.com/articles/github-integration-review-apps].
func (s *Double) AddReviewApp(p *HerokuPipeline, name string) *HerokuApp {
	a := &HerokuApp{ID: s.UUID(), Name: name}
	r := s.change(a, maps.Clone(p.Vars["review"]), "Initial release")
	s.start(a, "web.1", "web", r)
	s.Heroku.Apps = append(s.Heroku.Apps, a)
	p.Couplings = append(p.Couplings, &Coupling{App: a.ID, Stage: "review"})
	return a
}

// stages of a pipeline-coupling (heroku.schema.json).
var stages = map[string]bool{"test": true, "review": true, "development": true, "staging": true, "production": true}

// stageVarName is wider than that of an app's config vars (heroku.schema.json, pipeline-config-var).
var stageVarName = regexp.MustCompile(`^[\w.:\[\]]+$`)

// pipelineRoutes: config vars by id only (heroku.schema.json, pipeline-config-var);
// finding by name as Heroku's own CLI does it, ?eq[name]= in the variant
// version=3.pipelines (heroku/cli, pipelines disambiguation).
func (w *Double) pipelineRoutes(mux *http.ServeMux) {
	handle := func(pattern string, variant bool, f func(http.ResponseWriter, *http.Request, *HerokuPipeline)) {
		mux.HandleFunc(pattern, func(rw http.ResponseWriter, req *http.Request) {
			if !w.herokuLetsIn(rw, req) {
				return
			}
			if variant && !strings.HasSuffix(req.Header.Get("Accept"), ".pipelines") {
				herokuFailure(rw, http.StatusNotFound, "not_found", "The requested API endpoint was not found.")
				return
			}
			id := req.PathValue("pipeline")
			if id == "" {
				f(rw, req, nil) // all of them
				return
			}
			for _, p := range w.Heroku.Pipelines {
				if p.ID == id {
					f(rw, req, p)
					return
				}
			}
			herokuFailure(rw, http.StatusNotFound, "not_found", "Couldn't find that pipeline.")
		})
	}
	handle("GET /pipelines", true, func(rw http.ResponseWriter, req *http.Request, _ *HerokuPipeline) {
		name, out := req.URL.Query().Get("eq[name]"), []map[string]any{}
		for _, p := range w.Heroku.Pipelines {
			if name == "" || p.Name == name {
				out = append(out, p.shown())
			}
		}
		world.WriteJSON(rw, http.StatusOK, out)
	})
	handle("GET /pipelines/{pipeline}/pipeline-couplings", false, func(rw http.ResponseWriter, req *http.Request, p *HerokuPipeline) {
		out := []map[string]any{}
		for _, c := range p.Couplings {
			out = append(out, c.shown(p))
		}
		herokuPage(rw, req, out)
	})
	handle("GET /pipelines/{pipeline}/stage/{stage}/config-vars", true, stageOf(func(rw http.ResponseWriter, _ *http.Request, vars map[string]string) {
		world.WriteJSON(rw, http.StatusOK, vars)
	}))
	handle("PATCH /pipelines/{pipeline}/stage/{stage}/config-vars", true, stageOf(patchStage))
}

func stageOf(f func(http.ResponseWriter, *http.Request, map[string]string)) func(http.ResponseWriter, *http.Request, *HerokuPipeline) {
	return func(rw http.ResponseWriter, req *http.Request, p *HerokuPipeline) {
		name := req.PathValue("stage")
		if !stages[name] {
			herokuFailure(rw, http.StatusUnprocessableEntity, "invalid_params", "Stage is invalid.")
			return
		}
		if p.Vars == nil {
			p.Vars = map[string]map[string]string{}
		}
		if p.Vars[name] == nil {
			p.Vars[name] = map[string]string{}
		}
		f(rw, req, p.Vars[name])
	}
}

// patchStage merges; null deletes. No app gets a release by it: what review apps
// and test runs were made with stays (docs/vendors/heroku.md).
func patchStage(rw http.ResponseWriter, req *http.Request, vars map[string]string) {
	var in map[string]*string
	if err := world.ReadJSON(req, &in); err != nil {
		herokuFailure(rw, http.StatusBadRequest, "bad_request", "Unable to parse the JSON request.")
		return
	}
	for name := range in {
		if !stageVarName.MatchString(name) {
			herokuFailure(rw, http.StatusUnprocessableEntity, "invalid_params", "Config var key is invalid.")
			return
		}
	}
	for name, v := range in {
		if v == nil {
			delete(vars, name)
		} else {
			vars[name] = *v
		}
	}
	world.WriteJSON(rw, http.StatusOK, vars)
}
