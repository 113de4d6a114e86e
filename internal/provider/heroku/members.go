package heroku

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

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
		out.Notes = append(out.Notes, who+" holds the credential in "+strings.Join(same, ", ")+" and keeps it, dead, until it is recreated")
	case len(same) > 0:
		out.Problems = append(out.Problems, who+" holds the credential in "+strings.Join(same, ", ")+" and is not registered: it would lose access; add it as a consumer, remove it, or say existing_apps: tell")
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
	listed
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
			m = member{listed: listed{ID: c.App.ID, Name: c.App.ID}, unseen: true}
		default:
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func (s *stage) member(ctx context.Context, id string, slots []string) (m member, err error) {
	path := "/apps/" + url.PathEscape(id)
	if m.listed, err = one[listed](ctx, s.Platform, "read an app of the stage", path); err != nil {
		return m, err
	}
	m.held, err = s.configVars(ctx, "read config vars of an app of the stage", path, nil, slots)
	if err == nil && len(absent(m.held)) > 0 {
		var newest []release
		a := &app{Platform: s.Platform, path: path}
		if newest, err = a.releases(ctx); err == nil {
			err = a.confirmed(ctx, m.held, newest)
		}
	}
	return m, err
}
