package double

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"rekey/internal/world"
)

// Process is one process of a dyno; a restarted dyno has several in its life.
type Process struct {
	ID      string            `json:"id"`
	Name    string            `json:"name"` // web.1
	Type    string            `json:"type"`
	Release int               `json:"release"`
	Env     map[string]string `json:"env"`
	Started time.Time         `json:"started"`
	Up      time.Time         `json:"up"`               // when it has booted
	Stops   time.Time         `json:"stops,omitzero"`   // when it is gone
	Hidden  bool              `json:"hidden,omitempty"` // replaced: no longer in the dyno list
	Crashed bool              `json:"crashed,omitempty"`
}

func (p *Process) alive(at time.Time) bool {
	return !p.Crashed && !p.Started.After(at) && (p.Stops.IsZero() || p.Stops.After(at))
}

// oneOff processes are not replaced by a release: what runs a command once has a
// number of four digits, whatever its type, and the formation counts from 1
// [devcenter.heroku.com/articles/one-off-dynos].
func (p *Process) oneOff() bool {
	_, after, _ := strings.Cut(p.Name, ".")
	n, _ := strconv.Atoi(after)
	return n >= 1000 || p.Type == "run" || p.Type == "scheduler" || p.Type == "release"
}

func (p *Process) state(at time.Time) string {
	switch {
	case p.Crashed:
		return "crashed"
	case p.Up.After(at):
		return "starting"
	}
	return "up"
}

// crashRestart is after how long a crashed dyno is started again; Heroku begins
// sooner and backs off further [devcenter.heroku.com/articles/dyno-crash-restart-policy].
const crashRestart = time.Minute

func (s *Double) restart(a *HerokuApp, p *Process) {
	p.Hidden, p.Stops = true, s.At
	for _, r := range a.Releases {
		if r.Version == p.Release {
			s.start(a, p.Name, p.Type, r)
		}
	}
}

func (s *Double) start(a *HerokuApp, name, kind string, r *Release) *Process {
	p := &Process{ID: s.UUID(), Name: name, Type: kind, Release: r.Version, Env: r.Vars, Started: s.At, Up: s.At.Add(s.Knobs.BootDelay.Std()), Crashed: s.Knobs.Crash}
	a.Processes = append(a.Processes, p)
	return p
}

func (w *Double) listDynos(rw http.ResponseWriter, _ *http.Request, a *HerokuApp) {
	out := []map[string]any{}
	for _, p := range a.Processes {
		if p.Hidden || !p.Crashed && !p.alive(w.At) {
			continue
		}
		id := ""
		for _, r := range a.Releases {
			if r.Version == p.Release {
				id = r.ID
			}
		}
		out = append(out, map[string]any{
			"id": p.ID, "name": p.Name, "type": p.Type, "state": p.state(w.At), "command": "bin/" + p.Type, "size": "Standard-1X", "attach_url": nil,
			"created_at": p.Started, "updated_at": p.Started, "release": map[string]any{"id": id, "version": p.Release},
			"app": map[string]string{"id": a.ID, "name": a.Name},
		})
	}
	world.WriteJSON(rw, http.StatusOK, out)
}
