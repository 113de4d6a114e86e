package heroku

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"time"

	"rekey/internal/provider"
	"rekey/internal/secret"
)

// surveyed are the stages whose config vars Heroku hands out: to review apps and
// to test runs (docs/vendors/heroku.md).
var surveyed = []string{"review", "test"}

// listed is an app or a pipeline in a list.
type listed struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	UpdatedAt  time.Time `json:"updated_at"`
	ReleasedAt time.Time `json:"released_at"` // null before its first release
}

// paths are those by which an app can be asked: by its name and by its id.
func (l listed) paths() []string {
	return []string{"/apps/" + url.PathEscape(l.Name), "/apps/" + url.PathEscape(l.ID)}
}

// Survey lists every app that the token's account may see (heroku.schema.json,
// app, List), and the stages of every pipeline. Apps of teams are among them only
// where the account may see them: Heroku does not tell what it leaves out.
func (p *Platform) Survey(ctx context.Context, living bool) ([]provider.Surveyed, error) {
	var apps, lines []listed
	var kept []string
	calls := []func() error{
		func() (err error) { apps, err = list[listed](ctx, p, "list apps", "/apps"); return err },
		func() (err error) { kept, err = p.keeping(ctx); return err },
	}
	if !living {
		calls = append(calls, func() (err error) {
			lines, err = listAs[listed](ctx, p, "list pipelines", "/pipelines", pipelines)
			return err
		})
	}
	if err := p.env.Together(calls...); err != nil {
		return nil, err
	}
	var out []provider.Surveyed
	believed := p.looks.listed(apps, p.env.Now())
	for _, a := range apps {
		out = append(out, p.surveyApp(a, slices.Contains(kept, a.ID), believed))
	}
	for _, l := range lines {
		named := l.Name
		if slices.ContainsFunc(lines, func(o listed) bool { return o.Name == l.Name && o.ID != l.ID }) {
			named = l.ID // names are not unique
		}
		for _, stage := range surveyed {
			out = append(out, p.surveyStage(l, named, stage))
		}
	}
	return out, nil
}

// surveyApp prepares the read of an app, or remembers it: where the list is believed
// what has not changed since it was read is not read again.
func (p *Platform) surveyApp(a listed, kept, believed bool) provider.Surveyed {
	settings, _ := json.Marshal(Settings{App: a.Name})
	path := p.opened(a)
	if path == "" {
		path = "/apps/" + url.PathEscape(a.ID)
	}
	o := unread{Platform: p, op: "read config vars of an app", path: path, spot: provider.Spot{
		Key: p.api.Vendor + ":" + a.Name, Settings: settings, Consumer: true, Kept: kept,
		Is: means(func(o Settings) bool { return o.App != "" && (o.App == a.Name || o.App == a.ID) }),
	}}
	return provider.Surveyed{Key: o.spot.Key, Read: anApp{o, a, believed}.read}
}

// anApp is an app that was listed, and whether that list is believed.
type anApp struct {
	unread
	listed   listed
	believed bool
}

func (o anApp) read(ctx context.Context) ([]provider.Spot, error) {
	if s, ok := o.looks.unchanged(o.listed, o.env.Now()); ok && o.believed {
		o.spot.Slots, o.spot.Since = s.vars, s.at
		return []provider.Spot{o.spot}, nil
	}
	return o.readApp(ctx, o.listed)
}

func (p *Platform) surveyStage(l listed, named, stage string) provider.Surveyed {
	settings, _ := json.Marshal(Settings{Pipeline: named, Stage: stage})
	o := unread{Platform: p, op: "read config vars of a stage", path: stagePath(l.ID, stage), header: pipelines, spot: provider.Spot{
		Key: p.api.Vendor + ":" + named + "/" + stage, Settings: settings, Consumer: true,
		Is: means(func(o Settings) bool { return o.Stage == stage && (o.Pipeline == l.Name || o.Pipeline == l.ID) }),
	}}
	return provider.Surveyed{Key: o.spot.Key, Read: o.readOut}
}

// unread is a place that was listed and not read yet.
type unread struct {
	*Platform
	op, path string
	header   map[string]string
	spot     provider.Spot
}

// readApp reads an app, unless it was just read as a consumer, and remembers what it
// held for the next look.
func (o unread) readApp(ctx context.Context, a listed) ([]provider.Spot, error) {
	if vars, ok := o.recall.take(o.path, o.env.Now()); ok && len(vars) > 0 {
		o.spot.Slots = vars // read before the list, so its dates say nothing of it
		return []provider.Spot{o.spot}, nil
	}
	settled := o.settled(ctx, a)
	at := o.env.Now()
	spots, err := o.readOut(ctx)
	if err == nil && settled {
		o.looks.keep(a, sight{at: at, dates: a.dates(), vars: spots[0].Slots})
	}
	return spots, err
}

// readOut reads all config vars of the place: there is no other way.
func (o unread) readOut(ctx context.Context) ([]provider.Spot, error) {
	vars, err := o.vars(ctx, o.op, o.path, o.header)
	if err != nil {
		return nil, err
	}
	if len(vars) == 0 {
		if vars, err = o.empty(ctx); err != nil {
			return nil, err
		}
	}
	o.spot.Slots = vars
	return []provider.Spot{o.spot}, nil
}

// empty looks a second time at a place that was told to have no config vars: at the
// release in force of an app, at the same place where there is none. Only if that has
// none either nothing is there.
func (o unread) empty(ctx context.Context) (map[string]secret.Value, error) {
	const op = "confirm that it has no config vars"
	path := o.path
	if o.header == nil {
		newest, err := (&app{Platform: o.Platform, path: o.path}).releases(ctx)
		if err != nil {
			return nil, err
		}
		version := inForce(newest)
		if version == 0 {
			return nil, o.unsure(op, "none of its newest releases is in force")
		}
		path = fmt.Sprintf("%s/releases/%d", o.path, version)
	}
	vars, err := o.vars(ctx, op, path, o.header)
	if err == nil && len(vars) > 0 {
		return nil, o.unsure(op, "it has some, and the answer showed none")
	}
	return vars, err
}

// keeping are the ids of the apps of which rekey.yaml says that they keep what
// they hold (existing_apps: tell of a registered stage).
func (p *Platform) keeping(ctx context.Context) ([]string, error) {
	var out []string
	for _, s := range p.telling {
		id, err := s.find(ctx)
		if err != nil {
			return nil, err
		}
		couplings, err := list[coupling](ctx, p, "list apps of the pipeline", "/pipelines/"+url.PathEscape(id)+"/pipeline-couplings")
		if err != nil {
			return nil, err
		}
		for _, c := range couplings {
			if c.Stage == s.settings.Stage {
				out = append(out, c.App.ID)
			}
		}
	}
	return out, nil
}

// means reads settings and compares.
func means(same func(Settings) bool) func(json.RawMessage) bool {
	return func(raw json.RawMessage) bool {
		var s Settings
		return json.Unmarshal(raw, &s) == nil && same(s)
	}
}
