package sim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Portal is a vendor whose credentials a person makes and ends by hand, and the
// interface that they open. It is nobody's double: it has no more behaviour than
// what every such portal has in common (several keys with names, shown once).
type Portal struct {
	Keys  []*PortalKey `json:"keys,omitempty"`
	Ended []*PortalKey `json:"ended,omitempty"`
	Uses  []string     `json:"uses,omitempty"` // config vars that hold one
}

// PortalKey is one key.
type PortalKey struct {
	Name  string    `json:"name"`
	Value string    `json:"value"`
	Made  time.Time `json:"made"`
}

func (p *Portal) find(value string) *PortalKey {
	for _, k := range p.Keys {
		if k.Value == value {
			return k
		}
	}
	return nil
}

// newKey makes one; names are not unique.
func (s *State) newKey(name string) *PortalKey {
	k := &PortalKey{Name: name, Value: "pk_simulated_" + s.random(12), Made: s.At}
	s.Portal.Keys = append(s.Portal.Keys, k)
	return k
}

// GivePortalKey lets the first app work with a key of the portal, which Infisical
// keeps under the same name.
func (s *State) GivePortalKey(name, slot string) {
	const path = "/MooseQuest/portal"
	k := s.newKey(name)
	if !slices.Contains(s.Infisical.Folders, path) {
		s.Infisical.Folders = append(s.Infisical.Folders, path)
	}
	s.put("prod", path, slot, "retired-long-ago")
	s.put("prod", path, slot, k.Value)
	s.Heroku.Apps[0].current().Vars[slot] = k.Value // its processes hold the same map
	s.Portal.Uses = append(s.Portal.Uses, slot)
}

// portalRoutes are what a person's browser does, and /v1/me behind the keys.
func (w *World) portalRoutes(mux *http.ServeMux) {
	list := func(rw http.ResponseWriter, _ *http.Request) {
		names := []string{}
		for _, k := range w.state.Portal.Keys {
			names = append(names, k.Name)
		}
		writeJSON(rw, http.StatusOK, names)
	}
	mux.HandleFunc("GET /keys", list)
	mux.HandleFunc("POST /keys", func(rw http.ResponseWriter, req *http.Request) {
		var in struct {
			Name string `json:"name"`
		}
		if err := readJSON(req, &in); err != nil || in.Name == "" {
			writeJSON(rw, http.StatusBadRequest, map[string]string{"error": "a key needs a name"})
			return
		}
		k := w.state.newKey(in.Name)
		writeJSON(rw, http.StatusCreated, map[string]string{"name": k.Name, "value": k.Value})
	})
	mux.HandleFunc("DELETE /keys/{name}", func(rw http.ResponseWriter, req *http.Request) {
		p := &w.state.Portal
		at := slices.IndexFunc(p.Keys, func(k *PortalKey) bool { return k.Name == req.PathValue("name") })
		if at < 0 {
			writeJSON(rw, http.StatusNotFound, map[string]string{"error": "there is no such key"})
			return
		}
		p.Ended = append(p.Ended, p.Keys[at])
		p.Keys = slices.Delete(slices.Clone(p.Keys), at, at+1)
		list(rw, req) // the page without it
	})
	mux.HandleFunc("GET /v1/me", func(rw http.ResponseWriter, req *http.Request) {
		value, _ := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
		if w.state.Portal.find(value) == nil {
			writeJSON(rw, http.StatusUnauthorized, map[string]string{"error": "unauthorized"})
			return
		}
		writeJSON(rw, http.StatusOK, map[string]string{"account": "raxx"})
	})
}
