// Package double is a portal simulated in which a person makes and ends keys by hand, and that person.
package double

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"rekey/internal/world"
)

// Double is the portal in the world that it stands in.
type Double struct {
	*world.State
	Portal *Portal
}

// Name of the double.
func (*Double) Name() string { return "portal" }

// Memory is the portal.
func (d *Double) Memory() any { return d.Portal }

// Hosts are its own.
func (*Double) Hosts() []string { return []string{PortalHost} }

// Denied tells which variables of a process hold a key that is none.
func (d *Double) Denied(env map[string]string, tell func(name, why string)) {
	for _, name := range d.Portal.Uses {
		if value, ok := env[name]; ok && d.Portal.find(value) == nil {
			tell(name, "no live key of the portal has this value")
		}
	}
}

// Used notes nothing: such a portal does not tell.
func (*Double) Used(map[string]string, time.Time) {}

// Generations are the keys. Their ids are their names: nothing else of them is known.
func (d *Double) Generations() []world.Generation {
	var out []world.Generation
	add := func(k *PortalKey, live bool) {
		out = append(out, world.Generation{Kind: "key", ID: k.Name, Name: k.Name, Live: live, On: live, Fields: map[string]string{"value": k.Value}})
	}
	for _, k := range d.Portal.Keys {
		add(k, true)
	}
	for _, k := range d.Portal.Ended {
		add(k, false)
	}
	return out
}

// Portal is a vendor whose credentials a person makes and ends by hand, and the
// interface that they open. It imitates no vendor: it has no more behaviour than
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

// NewKey makes one; names are not unique.
func (s *Double) NewKey(name string) *PortalKey {
	k := &PortalKey{Name: name, Value: "pk_simulated_" + s.Random(12), Made: s.At}
	s.Portal.Keys = append(s.Portal.Keys, k)
	return k
}

// Routes are what a person's browser does, and /v1/me behind the keys.
func (w *Double) Routes(mux *http.ServeMux) {
	list := func(rw http.ResponseWriter, _ *http.Request) {
		names := []string{}
		for _, k := range w.Portal.Keys {
			names = append(names, k.Name)
		}
		world.WriteJSON(rw, http.StatusOK, names)
	}
	w.pages(mux)
	mux.HandleFunc("GET /keys", list)
	mux.HandleFunc("POST /keys", func(rw http.ResponseWriter, req *http.Request) {
		var in struct {
			Name string `json:"name"`
		}
		if err := world.ReadJSON(req, &in); err != nil || in.Name == "" {
			world.WriteJSON(rw, http.StatusBadRequest, map[string]string{"error": "a key needs a name"})
			return
		}
		k := w.NewKey(in.Name)
		world.WriteJSON(rw, http.StatusCreated, map[string]string{"name": k.Name, "value": k.Value})
	})
	mux.HandleFunc("DELETE /keys/{name}", func(rw http.ResponseWriter, req *http.Request) {
		p := w.Portal
		at := slices.IndexFunc(p.Keys, func(k *PortalKey) bool { return k.Name == req.PathValue("name") })
		if at < 0 {
			world.WriteJSON(rw, http.StatusNotFound, map[string]string{"error": "there is no such key"})
			return
		}
		p.Ended = append(p.Ended, p.Keys[at])
		p.Keys = slices.Delete(slices.Clone(p.Keys), at, at+1)
		list(rw, req) // the page without it
	})
	mux.HandleFunc("GET /v1/me", func(rw http.ResponseWriter, req *http.Request) {
		value, _ := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
		if w.Portal.find(value) == nil {
			world.WriteJSON(rw, http.StatusUnauthorized, map[string]string{"error": "unauthorized"})
			return
		}
		world.WriteJSON(rw, http.StatusOK, map[string]string{"account": "raxx"})
	})
}
