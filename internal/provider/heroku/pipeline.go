package heroku

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
)

// stage is the config vars of one stage of a pipeline as a consumer: what review
// apps and test runs begin with. Nothing runs there, so there is no release to
// follow; apps that were made before keep what they were made with
// (heroku-and-consumers.md §1, "Pipelines and review apps").
type stage struct {
	*Platform
	settings Settings
}

// pipelines is the variant of the API in which Heroku's own CLI speaks of
// pipelines, by name and of their config vars.
var pipelines = map[string]string{"Accept": acceptV3 + ".pipelines"}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// Calls tells the request that changes something.
func (s *stage) Calls() map[string]string {
	return map[string]string{"write": "PATCH " + stagePath(s.settings.Pipeline, s.settings.Stage) + "/config-vars"}
}

func stagePath(id, stage string) string {
	return "/pipelines/" + url.PathEscape(id) + "/stage/" + url.PathEscape(stage)
}

// find returns the pipeline's id: only by id it has config vars. Names are not
// unique, so one that several pipelines have is refused.
func (s *stage) find(ctx context.Context) (string, error) {
	if uuid.MatchString(s.settings.Pipeline) {
		return s.settings.Pipeline, nil
	}
	const op = "find the pipeline by its name"
	resp, err := s.api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodGet, Path: "/pipelines", Header: pipelines,
		Query: url.Values{"eq[name]": {s.settings.Pipeline}}})
	if err != nil {
		return "", err
	}
	var found []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	if err := resp.Decode(&found); err != nil {
		return "", err
	}
	var ids []string
	for _, p := range found {
		if p.Name == s.settings.Pipeline && p.ID != "" {
			ids = append(ids, p.ID)
		}
	}
	switch len(ids) {
	case 1:
		return ids[0], nil
	case 0:
		return "", &cred.Error{Vendor: s.api.Vendor, Op: op, Class: cred.Absent, Why: "there is no such pipeline, or the token may not see it"}
	}
	return "", &cred.Error{Vendor: s.api.Vendor, Op: op, Class: cred.Refused, Why: fmt.Sprintf("%d pipelines have this name; say the id", len(ids))}
}

func (s *stage) read(ctx context.Context, id string, slots []string) (map[string]provider.Held, error) {
	return s.configVars(ctx, "read config vars of the stage", stagePath(id, s.settings.Stage), pipelines, slots)
}

// Snapshot reads the stage's config vars and looks at every app of the stage.
func (s *stage) Snapshot(ctx context.Context, slots []string) (provider.Snapshot, error) {
	id, err := s.find(ctx)
	if err != nil {
		return provider.Snapshot{}, err
	}
	out := provider.Snapshot{Grace: s.settings.Grace.Or(0)}
	var there []member
	err = s.env.Together(
		func() (err error) { out.Slots, err = s.read(ctx, id, slots); return err },
		func() (err error) { there, err = s.members(ctx, id, slots); return err },
	)
	if err != nil {
		return provider.Snapshot{}, err
	}
	switch s.settings.Stage {
	case "review":
		out.Notes = append(out.Notes, "review apps made from now on take the new value; those that exist keep the old one until they are made anew")
	case "test":
		out.Notes = append(out.Notes, "test runs begun from now on take the new value; those under way keep the old one until they end")
	default:
		out.Notes = append(out.Notes, "Heroku documents config vars of a stage for review apps and test runs; an app in "+s.settings.Stage+" has its own: register it as a consumer")
	}
	for _, m := range there {
		s.tell(m, slots, &out)
	}
	return out, nil
}

// tell says of an app in the stage what a rotation means for it. One that holds
// the credential and is not registered would be left with a dead one.
func (s *stage) tell(m member, slots []string, out *provider.Snapshot) {
	var same, other []string
	for _, slot := range slots {
		switch held := m.held[slot].Value; {
		case !held.Present():
		case holds(out.Slots, held):
			same = append(same, slot)
		default:
			other = append(other, slot)
		}
	}
	who := fmt.Sprintf("app %s in stage %s", m.Name, s.settings.Stage)
	switch {
	case m.unseen && s.settings.ExistingApps == "tell":
		out.Notes = append(out.Notes, who+" cannot be seen, so what it holds is not known")
	case m.unseen:
		out.Problems = append(out.Problems, who+" cannot be seen, so it may hold the credential: it has just been removed, or the token lacks access to it; or say existing_apps: tell")
	case len(same) > 0 && m.registered(s.apps):
		out.Notes = append(out.Notes, who+" holds the credential and is a consumer of its own")
	case len(same) > 0 && s.settings.ExistingApps == "tell":
		out.Notes = append(out.Notes, who+" holds the credential in "+strings.Join(same, ", ")+" and keeps it, dead, until it is made anew")
	case len(same) > 0:
		out.Problems = append(out.Problems, who+" holds the credential in "+strings.Join(same, ", ")+" and is not registered: it would be left with a dead one; add it as a consumer, remove it, or say existing_apps: tell")
	case len(other) > 0:
		out.Notes = append(out.Notes, who+" holds something else in "+strings.Join(other, ", "))
	default:
		out.Notes = append(out.Notes, who+" does not hold the credential")
	}
}

func holds(slots map[string]provider.Held, v secret.Value) bool {
	for _, h := range slots {
		if h.Value.Present() && h.Value.Equal(v) {
			return true
		}
	}
	return false
}

// member is an app in the stage.
type member struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	held map[string]provider.Held
	// unseen: the token may not see it, or it has just been removed.
	unseen bool
}

// coupling ties an app to a stage.
type coupling struct {
	App struct {
		ID string `json:"id"`
	} `json:"app"`
	Stage string `json:"stage"`
}

func (m member) registered(apps []string) bool {
	return slices.Contains(apps, m.ID) || slices.Contains(apps, m.Name)
}

// members are the apps coupled to the stage, review apps included: each is a
// complete app with config vars of its own.
func (s *stage) members(ctx context.Context, id string, slots []string) ([]member, error) {
	couplings, err := list[coupling](ctx, s.Platform, "list apps of the pipeline", "/pipelines/"+url.PathEscape(id)+"/pipeline-couplings")
	if err != nil {
		return nil, err
	}
	var out []member
	for _, c := range couplings {
		if c.Stage != s.settings.Stage {
			continue
		}
		m, err := s.member(ctx, c.App.ID, slots)
		switch cred.ClassOf(err) {
		case cred.Done:
		case cred.Absent, cred.Denied:
			// Whatever it holds: told, and no reason why others could not be looked at.
			m = member{ID: c.App.ID, Name: c.App.ID, unseen: true}
		default:
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func (s *stage) member(ctx context.Context, id string, slots []string) (m member, err error) {
	path := "/apps/" + url.PathEscape(id)
	if err := s.get(ctx, "read an app of the stage", path, nil, &m); err != nil {
		return m, err
	}
	m.held, err = s.configVars(ctx, "read config vars of an app of the stage", path, nil, slots)
	return m, err
}

// Write sends one PATCH for all names. No app is restarted by it.
func (s *stage) Write(ctx context.Context, values []provider.SlotValue) error {
	id, err := s.find(ctx)
	if err != nil {
		return err
	}
	return s.patch(ctx, "set config vars of the stage", stagePath(id, s.settings.Stage), pipelines, values)
}

// Progress reads the config vars back: there is no release, so the read is all
// that tells.
func (s *stage) Progress(ctx context.Context, _ provider.Followed, slots []string) (provider.Progress, error) {
	id, err := s.find(ctx)
	if err != nil {
		return provider.Progress{}, err
	}
	held, err := s.read(ctx, id, slots)
	if err != nil {
		return provider.Progress{}, err
	}
	return provider.Progress{Class: cred.Done, Slots: held, Evidence: []string{"the config vars of stage " + s.settings.Stage + " read back as written"}}, nil
}
