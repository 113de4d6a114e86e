package sim

import (
	"net/http"
	"strings"
	"time"
)

// origin is the application behind the edge: /health answers as long as a
// process runs; /api/status/sites tells what the console's own probes found,
// made with the credentials that its processes hold (the SOP's step 6).
func (w *World) origin(rw http.ResponseWriter, req *http.Request, site *Site, path string) {
	s := &w.state
	app := s.Heroku.app(site.App)
	switch {
	case app != nil && !app.serves():
		// H10: no web process is up.
		rw.Header().Set("Content-Type", "text/html")
		rw.WriteHeader(http.StatusServiceUnavailable)
		_, _ = rw.Write([]byte("<html><body>Application error</body></html>"))
	case app != nil && app.Maintenance:
		// H80 (devcenter: maintenance-mode).
		rw.Header().Set("Content-Type", "text/html")
		rw.WriteHeader(http.StatusServiceUnavailable)
		_, _ = rw.Write([]byte("<html><body>Offline for Maintenance</body></html>"))
	case path == "/api/status/sites" && site.Status != nil:
		w.statusSites(rw, req, site, app)
	default:
		writeJSON(rw, http.StatusOK, map[string]bool{"ok": true})
	}
}

func (w *World) statusSites(rw http.ResponseWriter, req *http.Request, site *Site, app *HerokuApp) {
	s := &w.state
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
	for _, id := range sortedKeys(site.Status, func(k string) string { return k }) {
		name, ok := site.Status[id], app != nil
		if app != nil {
			for _, p := range app.Processes {
				if !p.alive(s.At) || p.Type != "web" || p.Hidden {
					continue
				}
				pair := p.Env[name]
				ok = ok && pair != "" && s.Edge.denies(s.Edge.Uses[name], pair, s.At) == ""
				s.used(pair, s.At)
			}
		}
		sites = append(sites, entry{ID: id, Liveness: liveness{OK: ok, CheckedAt: s.At}})
	}
	writeJSON(rw, http.StatusOK, map[string]any{"sites": sites})
}

// used notes that a token was used.
func (s *State) used(pair string, at time.Time) {
	id, secret, _ := strings.Cut(pair, ":")
	if t := s.Edge.Known.find(id, secret, at); t != nil {
		if live := s.Cloudflare.token(t.ID); live != nil && at.After(live.LastSeenAt) {
			live.LastSeenAt = at
		}
	}
}

// useEvery is how often a running process uses its credential.
const useEvery = 10 * time.Second

// use lets every process that was alive until the given time use what it holds.
func (s *State) use(until time.Time) {
	for _, a := range s.Heroku.Apps {
		for _, p := range a.Processes {
			end := until
			if !p.Stops.IsZero() && p.Stops.Before(end) {
				end = p.Stops
			}
			if !end.After(p.Started) || !end.After(s.At) && !s.At.IsZero() {
				continue
			}
			last := p.Started.Add(end.Sub(p.Started) / useEvery * useEvery)
			if last.Before(s.At) {
				continue
			}
			for name, site := range s.Edge.Uses {
				pair, ok := p.Env[name]
				switch {
				case !ok:
				case site == UsesAPI:
					if t := s.Cloudflare.apiToken(pair); t != nil && t.works(last) && last.After(t.LastUsedOn) {
						t.LastUsedOn = last
					}
				default:
					s.used(pair, last)
				}
			}
		}
	}
}
