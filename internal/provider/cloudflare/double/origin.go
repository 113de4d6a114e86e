package double

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"rekey/internal/world"
)

// origin is the application behind the edge: /health answers as long as a
// process runs; /api/status/sites tells what the console's own probes found,
// made with the credentials that its processes hold (the SOP's step 6).
func (w *Double) origin(rw http.ResponseWriter, req *http.Request, site *Site, path string) {
	var app world.Backend
	served := false
	if w.Behind != nil {
		app, served = w.Behind.Backend(site.App)
	}
	switch {
	case served && !app.Up:
		// H10: no web process is up.
		rw.Header().Set("Content-Type", "text/html")
		rw.WriteHeader(http.StatusServiceUnavailable)
		_, _ = rw.Write([]byte("<html><body>Application error</body></html>"))
	case served && app.Maintenance:
		// H80 (devcenter: maintenance-mode).
		rw.Header().Set("Content-Type", "text/html")
		rw.WriteHeader(http.StatusServiceUnavailable)
		_, _ = rw.Write([]byte("<html><body>Offline for Maintenance</body></html>"))
	case path == "/api/status/sites" && site.Status != nil:
		w.statusSites(rw, req, site, app, served)
	default:
		world.WriteJSON(rw, http.StatusOK, map[string]bool{"ok": true})
	}
}

func (w *Double) statusSites(rw http.ResponseWriter, req *http.Request, site *Site, app world.Backend, served bool) {
	s := w
	if c, err := req.Cookie("ops_session"); err != nil || c.Value != s.Edge.Session {
		// An expired session gets a login page, not an error (T32).
		rw.Header().Set("Content-Type", "text/html")
		rw.WriteHeader(http.StatusOK)
		_, _ = rw.Write([]byte("<html><body><form>Sign in</form></body></html>"))
		return
	}
	type liveness struct {
		OK        bool      `json:"ok"`
		CheckedAt time.Time `json:"checked_at"`
	}
	type entry struct {
		ID       string   `json:"id"`
		Liveness liveness `json:"liveness"`
	}
	var sites []entry
	for _, id := range slices.Sorted(maps.Keys(site.Status)) {
		name, ok := site.Status[id], served
		for _, env := range app.Web {
			pair := env[name]
			ok = ok && pair != "" && s.Edge.denies(s.Edge.Uses[name], pair, s.At) == ""
			s.used(pair, s.At)
		}
		sites = append(sites, entry{ID: id, Liveness: liveness{OK: ok, CheckedAt: s.At}})
	}
	world.WriteJSON(rw, http.StatusOK, map[string]any{"sites": sites})
}

// used notes that a token was used.
func (s *Double) used(pair string, at time.Time) {
	id, secret, _ := strings.Cut(pair, ":")
	if t := s.Edge.Known.find(id, secret, at); t != nil {
		if live := s.Cloudflare.token(t.ID); live != nil && at.After(live.LastSeenAt) {
			live.LastSeenAt = at
		}
	}
}
