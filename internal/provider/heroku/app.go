package heroku

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
)

// app is one consumer.
type app struct {
	*Platform
	settings Settings
	path     string
}

// Calls tells the request that changes something.
func (a *app) Calls() map[string]string {
	return map[string]string{"write": "PATCH " + a.path + "/config-vars"}
}

// release is one release; four states, not three (schema.json).
type release struct {
	Version     int       `json:"version"`
	Status      string    `json:"status"` // failed, pending, succeeded, expired
	Current     bool      `json:"current"`
	Description string    `json:"description"`
	CreatedAt   time.Time `json:"created_at"`
	User        struct {
		Email string `json:"email"`
	} `json:"user"`
}

// recent is how many releases are looked at: enough for a rollback of these days.
const recent = 20

// dyno is one process.
type dyno struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	State   string `json:"state"` // crashed, down, idle, starting, up
	Release struct {
		Version int `json:"version"`
	} `json:"release"`
}

// oneOff dynos (heroku run, schedulers) are not replaced by a release.
func (d dyno) oneOff() bool { return d.Type == "run" || d.Type == "scheduler" }

func (p *Platform) get(ctx context.Context, op, path string, header map[string]string, out any) error {
	resp, err := p.api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodGet, Path: path, Header: header})
	if err != nil {
		return err
	}
	return resp.Decode(out)
}

func (a *app) get(ctx context.Context, op, path string, header map[string]string, out any) error {
	return a.Platform.get(ctx, op, a.path+path, header, out)
}

func (a *app) configVars(ctx context.Context, slots []string) (map[string]provider.Held, error) {
	return a.Platform.configVars(ctx, "read config vars", a.path, nil, slots)
}

// configVars returns the named values of an app, a release or a stage only: the
// answer holds every secret there is, so the rest is dropped at once.
func (p *Platform) configVars(ctx context.Context, op, path string, header map[string]string, slots []string) (map[string]provider.Held, error) {
	var all map[string]secret.Value
	if err := p.get(ctx, op, path+"/config-vars", header, &all); err != nil {
		return nil, err
	}
	held := make(map[string]provider.Held, len(slots))
	for _, name := range slots {
		v, present := all[name]
		held[name] = provider.Held{Present: present, Value: v}
	}
	return held, nil
}

// releases returns the newest n, newest first.
func (a *app) releases(ctx context.Context, n int) ([]release, error) {
	var out []release
	err := a.get(ctx, "list releases", "/releases", map[string]string{"Range": fmt.Sprintf("version ..; order=desc,max=%d", n)}, &out)
	return out, err
}

func (a *app) dynos(ctx context.Context) ([]dyno, error) {
	var out []dyno
	err := a.get(ctx, "list dynos", "/dynos", nil, &out)
	return out, err
}

// preboot reads the app feature; an app without it has it off.
func (a *app) preboot(ctx context.Context) (bool, error) {
	var f struct {
		Enabled bool `json:"enabled"`
	}
	err := a.get(ctx, "read preboot", "/features/preboot", nil, &f)
	if cred.ClassOf(err) == cred.Absent {
		return false, nil
	}
	return f.Enabled, err
}

// Snapshot reads config vars, the newest releases, the dynos and preboot side by side.
func (a *app) Snapshot(ctx context.Context, slots []string) (provider.Snapshot, error) {
	var s provider.Snapshot
	var newest []release
	var running []dyno
	var preboot bool
	err := a.env.Together(
		func() (err error) { s.Slots, err = a.configVars(ctx, slots); return err },
		func() (err error) { newest, err = a.releases(ctx, recent); return err },
		func() (err error) { running, err = a.dynos(ctx); return err },
		func() (err error) { preboot, err = a.preboot(ctx); return err },
	)
	if err != nil {
		return provider.Snapshot{}, err
	}
	s.Notes = a.origins(ctx, newest, s.Slots)
	s.Mark = "0"
	if len(newest) > 0 {
		s.Mark = strconv.Itoa(newest[0].Version)
		s.Pending = newest[0].Status == "pending"
	}
	s.Grace = shutdownGrace
	if preboot {
		s.Grace = prebootGrace
		s.Notes = append(s.Notes, "preboot is on: old web dynos serve on for up to 3m, out of sight")
	}
	s.Grace = a.settings.Grace.Or(s.Grace)
	if s.Pending {
		s.Problems = append(s.Problems, "release v"+s.Mark+" is still pending")
	}
	for _, d := range running {
		switch {
		case d.oneOff():
			s.Notes = append(s.Notes, "one-off dyno "+d.Name+" keeps the old values until it ends")
		case d.State == "crashed":
			s.Problems = append(s.Problems, "dyno "+d.Name+" has crashed")
			s.Units++
		default:
			s.Units++
		}
	}
	if s.Units == 0 {
		s.Notes = append(s.Notes, "no dynos run: nothing will restart, and nothing can prove that the app works")
	}
	return s, nil
}

// Write sends one PATCH for all names: one release and one restart, however
// many names (heroku-and-consumers.md §5). A zero value removes the name. The
// answer, which holds every secret of the app, is not read.
func (a *app) Write(ctx context.Context, values []provider.SlotValue) error {
	return a.patch(ctx, "set config vars", a.path, nil, values)
}

func (p *Platform) patch(ctx context.Context, op, path string, header map[string]string, values []provider.SlotValue) error {
	body := make(map[string]*string, len(values))
	for _, v := range values {
		body[v.Slot] = nil
		if v.Value.Present() {
			s := v.Value.Reveal()
			body[v.Slot] = &s
		}
	}
	resp, err := p.api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodPatch, Path: path + "/config-vars", Header: header, Body: body})
	if err != nil {
		return err
	}
	var ignored map[string]json.RawMessage
	return resp.Decode(&ignored)
}

// describes reports whether a release's description names one of the slots:
// "Set X config vars", "Remove X config vars".
func (r release) describes(slots []string) bool {
	if !strings.Contains(r.Description, "config var") {
		return false
	}
	for _, s := range slots {
		if strings.Contains(r.Description, s) {
			return true
		}
	}
	return false
}
