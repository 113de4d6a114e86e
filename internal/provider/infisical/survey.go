package infisical

import (
	"context"
	"encoding/json"
	"net/http"

	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
)

// Survey lists the project's environments; each is read whole in one request.
// Nothing runs in a store.
func (s *Server) Survey(ctx context.Context, living bool) ([]provider.Surveyed, error) {
	if living {
		return nil, nil
	}
	p, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	var out []provider.Surveyed
	for _, env := range p.Environments {
		slug := env.Slug
		out = append(out, provider.Surveyed{Key: s.api.Vendor + ":" + slug + "/", Read: func(ctx context.Context) ([]provider.Spot, error) { return s.readAll(ctx, slug) }})
	}
	return out, nil
}

// readAll reads every folder of an environment at once: recursive from the root,
// each secret with its path (recorded: 21-list.json, "list recursive from /").
// Folders that the machine identity may not read are left out without a word.
func (s *Server) readAll(ctx context.Context, environment string) ([]provider.Spot, error) {
	f := &folder{Server: s, at: Settings{Path: "/", Environment: environment}}
	var out struct {
		Secrets *[]item `json:"secrets"`
	}
	op := "read all folders of " + environment
	err := f.do(ctx, func(d dialect) vendorhttp.Request {
		return vendorhttp.Request{Op: op, Method: http.MethodGet, Path: d.secrets,
			Query: f.query(d, "recursive", "true", "includeImports", "false", "include_imports", "false")}
	}, &out)
	if err != nil {
		return nil, err
	}
	if out.Secrets == nil {
		return nil, f.nonsense(op, "the answer lacks the list of secrets")
	}
	var spots []provider.Spot
	at := map[string]int{}
	for _, it := range *out.Secrets {
		if !it.whole() {
			return nil, f.nonsense(op, "the answer lacks the name, the version or the value of a secret")
		}
		path := clean(it.Path)
		i, known := at[path]
		if !known {
			i, at[path] = len(spots), len(spots)
			spots = append(spots, s.spot(environment, path))
		}
		if it.Hidden {
			spots[i].Hidden = append(spots[i].Hidden, it.Key)
			continue
		}
		name := it.Key
		if _, twice := spots[i].Slots[name]; twice {
			name += " (" + it.Type + ")" // somebody's personal override
		}
		spots[i].Slots[name] = it.value()
	}
	return spots, nil
}

func (s *Server) spot(environment, path string) provider.Spot {
	settings, _ := json.Marshal(Settings{Path: path, Environment: environment})
	return provider.Spot{Key: s.api.Vendor + ":" + environment + path, Settings: settings, Slots: map[string]secret.Value{},
		Is: func(raw json.RawMessage) bool {
			var o Settings
			return json.Unmarshal(raw, &o) == nil && clean(o.Path) == path && o.Environment == environment
		}}
}
