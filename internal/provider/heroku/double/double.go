// Package double is Heroku simulated: apps, releases, processes, pipelines and OAuth authorizations of one account.
//
// Every behaviour cites where it was documented. It shares nothing with the client
// that it is asked by.
package double

import (
	"net/http"
	"strconv"
	"time"

	"rekey/internal/world"
)

// Double is the account in the world that it stands in.
type Double struct {
	*world.State
	Heroku *Heroku
}

// Name of the double.
func (*Double) Name() string { return "heroku" }

// Memory is the account.
func (d *Double) Memory() any { return d.Heroku }

// Hosts are those of the public service.
func (*Double) Hosts() []string { return []string{"api.heroku.com"} }

// Root is where the interface begins.
func (*Double) Root() string { return "" }

// TakesPath: Heroku's own CLI takes a host alone.
func (*Double) TakesPath() bool { return false }

// ClientEnv is that of the CLI (docs/vendors/heroku.md). It takes a loopback address
// as it is; with any other it would go to the real Heroku, and so it must never be
// given one. The others keep it from calling home; the last one stands in
// @oclif/plugin-update, dist/hooks/init.js.
func (*Double) ClientEnv(base string, env map[string]string) map[string]string {
	return map[string]string{
		"HEROKU_HOST": base, "HEROKU_API_KEY": env["HEROKU_API_KEY"],
		"HEROKU_PARTICLEBOARD_URL": base, "HEROKU_SKIP_NEW_VERSION_CHECK": "1", "DISABLE_TELEMETRY": "true",
		"HEROKU_DISABLE_AUTOUPDATE": "1",
	}
}

// Fail answers a status as the Platform API does.
func (*Double) Fail(rw http.ResponseWriter, status int, id string) {
	if id == "" {
		id = map[int]string{
			400: "bad_request", 401: "unauthorized", 402: "delinquent", 403: "forbidden", 404: "not_found", 406: "not_acceptable",
			409: "conflict", 410: "gone", 416: "requested_range_not_satisfiable", 422: "invalid_params", 429: "rate_limit",
		}[status]
	}
	if id == "" {
		id = "internal_server_error"
	}
	herokuFailure(rw, status, id, says(id))
}

// says is the message of an error, where it is known (platform-api-reference, Errors).
func says(id string) string {
	if id == "rate_limit" {
		return "Your account reached the API rate limit\nPlease wait a few minutes before making new requests"
	}
	return "simulated"
}

// The pool of the account: 75 calls a minute come back [platform-api rate limits].
const (
	limit      = 4500
	limitEvery = time.Hour
)

// Limited counts a call and answers 429 where the limit is reached, without a
// Retry-After: none is documented.
func (d *Double) Limited(rw http.ResponseWriter) bool {
	if !d.Knobs.RateLimits {
		return false
	}
	b := d.Bucket("heroku", limit)
	over := b.Take(limit, limitEvery, d.At)
	rw.Header().Set("RateLimit-Remaining", strconv.Itoa(int(b.Left)))
	if over {
		d.Fail(rw, http.StatusTooManyRequests, "")
	}
	return over
}

// Processes are those of every app, living and ended.
func (d *Double) Processes(yield func(world.Process)) {
	for _, a := range d.Heroku.Apps {
		for _, p := range a.Processes {
			yield(world.Process{App: a.Name, ID: p.ID, Env: p.Env, Started: p.Started, Stops: p.Stops, Dead: p.Crashed})
		}
	}
}

// Denied tells by which variables a process can no longer work on Heroku.
func (d *Double) Denied(env map[string]string, tell func(name, why string)) {
	for _, name := range d.Heroku.Uses {
		if token, ok := env[name]; ok && d.Heroku.bearer(token, d.At) == nil {
			tell(name, "no live authorization has this token")
		}
	}
}

// Used notes nothing: Heroku does not tell when a token was used.
func (*Double) Used(map[string]string, time.Time) {}

// Generations are the authorizations.
func (d *Double) Generations() []world.Generation {
	var out []world.Generation
	add := func(a *Authorization, live bool) {
		out = append(out, world.Generation{Kind: "authorization", ID: a.ID, Name: a.Description, Live: live, On: live && a.live(d.At),
			Fields: map[string]string{"token": a.Token}, Public: map[string]string{"id": a.ID}})
	}
	for _, a := range d.Heroku.Authorizations {
		add(a, true)
	}
	for _, a := range d.Heroku.Revoked {
		add(a, false)
	}
	return out
}

// Kept are the config vars that are in force.
func (d *Double) Kept(yield func(world.Kept)) {
	for _, a := range d.Heroku.Apps {
		if r := a.Current(); r != nil {
			for name, value := range r.Vars {
				yield(world.Kept{Where: "heroku:" + a.Name, Slot: name, Value: value})
			}
		}
	}
}

// Secrets besides those of generations.
func (d *Double) Secrets() map[string]string {
	return map[string]string{"the Heroku token": d.Heroku.Token}
}

// Backend tells how an app is that serves a site.
func (d *Double) Backend(app string) (world.Backend, bool) {
	a := d.Heroku.app(app)
	if a == nil {
		return world.Backend{}, false
	}
	b := world.Backend{Up: a.serves(), Maintenance: a.Maintenance}
	for _, p := range a.Processes {
		if p.alive(d.At) && p.Type == "web" && !p.Hidden {
			b.Web = append(b.Web, p.Env)
		}
	}
	return b, true
}
