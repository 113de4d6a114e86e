package heroku

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/vendorhttp"
)

// stage is the config vars of one stage of a pipeline as a consumer: what review
// apps and test runs begin with. Nothing runs there, so there is no release to
// follow; apps that were made before keep what they were made with
// (docs/vendors/heroku.md).
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
	found, err := many[listed](resp)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, p := range found {
		if p.Name == s.settings.Pipeline {
			ids = append(ids, p.ID)
		}
	}
	switch len(ids) {
	case 1:
		return ids[0], nil
	case 0:
		return "", s.named(ctx, &cred.Error{Vendor: s.api.Vendor, Op: op, Class: cred.Absent})
	}
	return "", &cred.Error{Vendor: s.api.Vendor, Op: op, Class: cred.Refused, Why: fmt.Sprintf("%d pipelines have this name; say the id", len(ids))}
}

// named says which pipeline is not there, and which is called most like it.
func (s *stage) named(ctx context.Context, err error) error {
	if cred.ClassOf(err) != cred.Absent {
		return err
	}
	return s.absent(err, "pipeline", s.settings.Pipeline, func() ([]listed, error) {
		return listAs[listed](ctx, s.Platform, "list pipelines", "/pipelines", pipelines)
	})
}

// read reads the stage's config vars. Nothing else tells of them, so where one is not
// there they are read a second time, and both have to say so.
func (s *stage) read(ctx context.Context, id string, slots []string) (map[string]provider.Held, error) {
	const op = "read config vars of the stage"
	held, err := s.configVars(ctx, op, stagePath(id, s.settings.Stage), pipelines, slots)
	gone := absent(held)
	if err != nil || len(gone) == 0 {
		return held, err
	}
	again, err := s.configVars(ctx, "confirm what the stage does not have", stagePath(id, s.settings.Stage), pipelines, gone)
	if err != nil {
		return nil, err
	}
	for _, name := range gone {
		if again[name].Present {
			return nil, s.unsure(op, name+" was told at one look and not at another")
		}
	}
	return held, nil
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
		return provider.Snapshot{}, s.named(ctx, err)
	}
	switch s.settings.Stage {
	case "review":
		out.Notes = append(out.Notes, "review apps made from now on take the new value; those that exist keep the old one until they are recreated")
	case "test":
		out.Notes = append(out.Notes, "test runs begun from now on take the new value; those that are running keep the old one until they end")
	default:
		out.Notes = append(out.Notes, "Heroku documents config vars of a stage for review apps and test runs; an app in "+s.settings.Stage+" has its own: register it as a consumer")
	}
	for _, m := range there {
		s.tell(m, slots, &out)
	}
	return out, nil
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
