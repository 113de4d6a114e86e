package heroku

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
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
	App         struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"app"`
	User struct {
		Email string `json:"email"`
	} `json:"user"`
}

// recent is how many releases are looked at: enough for a rollback of these days.
const recent = 20

// ask asks for something of the app.
func (a *app) ask(ctx context.Context, op, path string) (*vendorhttp.Response, error) {
	return a.api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodGet, Path: a.path + path})
}

// releases returns the newest ones, newest first. Every app has one from its
// beginning, so a list of none is not the app's.
func (a *app) releases(ctx context.Context) ([]release, error) {
	header := map[string]string{"Range": fmt.Sprintf("version ..; order=desc,max=%d", recent)}
	resp, err := a.api.Do(ctx, vendorhttp.Request{Op: "list releases", Method: http.MethodGet, Path: a.path + "/releases", Header: header})
	if err != nil {
		return nil, err
	}
	newest, err := many[release](resp)
	if err == nil && len(newest) == 0 {
		return nil, resp.Nonsense("the list is empty, and an app has a release from its beginning")
	}
	return newest, err
}

// inForce is the release whose config vars the app has now; 0 if it is not among these.
func inForce(newest []release) int {
	for _, r := range newest {
		if r.Current {
			return r.Version
		}
	}
	for _, r := range newest {
		if r.Status == "succeeded" {
			return r.Version
		}
	}
	return 0
}

// feature is one that an app can have on or off.
type feature struct {
	Name    string `json:"name"`
	Enabled *bool  `json:"enabled"`
}

// preboot reads the app feature. That an app has no such feature counts only once
// the list of its features says so too.
func (a *app) preboot(ctx context.Context) (bool, error) {
	f, err := one[feature](ctx, a.Platform, "read preboot", a.path+"/features/preboot")
	if cred.ClassOf(err) != cred.Absent {
		return err == nil && *f.Enabled, err
	}
	all, err := list[feature](ctx, a.Platform, "list features", a.path+"/features")
	if err != nil {
		return false, err
	}
	for _, f := range all {
		if f.Name == "preboot" {
			return *f.Enabled, nil
		}
	}
	return false, nil
}

// Snapshot reads config vars, the newest releases, the dynos and preboot side by side.
func (a *app) Snapshot(ctx context.Context, slots []string) (provider.Snapshot, error) {
	var s provider.Snapshot
	var newest []release
	var running dynos
	var preboot bool
	err := a.env.Together(
		func() (err error) { s.Slots, err = a.configVars(ctx, slots); return err },
		func() (err error) { newest, err = a.releases(ctx); return err },
		func() (err error) { running, err = a.dynos(ctx); return err },
		func() (err error) { preboot, err = a.preboot(ctx); return err },
	)
	if err == nil {
		err = a.confirmed(ctx, s.Slots, newest)
	}
	if err == nil {
		running, err = a.told(ctx, running, inForce(newest))
	}
	if err != nil {
		return provider.Snapshot{}, a.named(ctx, err)
	}
	if running.missing != "" {
		return provider.Snapshot{}, a.unsure("list dynos", "none of the formation is listed, which wants "+running.missing)
	}
	s.Notes = a.origins(ctx, newest, s.Slots)
	s.Mark = strconv.Itoa(newest[0].Version)
	for _, name := range []string{newest[0].App.ID, newest[0].App.Name} {
		if name != "" {
			s.Names = append(s.Names, "heroku:"+strings.ToLower(name))
		}
	}
	s.Pending = newest[0].Status == "pending"
	s.Grace = shutdownGrace
	if preboot {
		s.Grace = prebootGrace
		s.Notes = append(s.Notes, "preboot is on: old web dynos keep serving for up to 3m without being listed")
	}
	s.Grace = a.settings.Grace.Or(s.Grace)
	if s.Pending {
		s.Problems = append(s.Problems, "release v"+s.Mark+" is still pending")
	}
	for _, d := range running.all {
		switch {
		case d.oneOff:
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
