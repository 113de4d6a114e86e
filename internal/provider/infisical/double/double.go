// Package double is Infisical simulated: one server with one project, as recorded and as documented.
//
// Every behaviour cites where it was recorded or documented; the tests play the
// records back. It shares nothing with the client that it is asked by.
package double

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rekey/internal/world"
)

// Double is the server in the world that it stands in.
type Double struct {
	*world.State
	Infisical *Infisical
}

// Name of the double.
func (*Double) Name() string { return "infisical" }

// Memory is the server.
func (d *Double) Memory() any { return d.Infisical }

// Hosts are those of the public service.
func (*Double) Hosts() []string { return []string{"app.infisical.com"} }

// Root is where the interface begins.
func (*Double) Root() string { return "" }

// TakesPath: its tools are given a base address.
func (*Double) TakesPath() bool { return true }

// ClientEnv: the SDKs read the identity (go-sdk v0.8.0, packages/util/constants.go),
// the CLI the address as well (github.com/Infisical/cli/issues/206).
func (*Double) ClientEnv(base string, env map[string]string) map[string]string {
	return map[string]string{
		"INFISICAL_API_URL": base + "/api", "INFISICAL_UNIVERSAL_AUTH_CLIENT_ID": env["INFISICAL_CLIENT_ID"],
		"INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET": env["INFISICAL_CLIENT_SECRET"], "INFISICAL_PROJECT_ID": env["INFISICAL_PROJECT_ID"],
	}
}

// Fail answers a status as the server does.
func (*Double) Fail(rw http.ResponseWriter, status int, id string) {
	if id == "" {
		id = map[int]string{
			400: "BadRequest", 422: "ValidationFailure", 401: "UnauthorizedError", 403: "PermissionDenied", 404: "NotFound",
			409: "Conflict", 429: "RateLimitExceeded",
		}[status]
	}
	if id == "" {
		id = "InternalServerError"
	}
	infisicalFailure(rw, status, id, "Something went wrong", false)
}

// Begin gives the server the identity that Rekey is given, if it has none.
func (d *Double) Begin() { d.Settle() }

// Denied tells by which variables a process can no longer log in.
func (d *Double) Denied(env map[string]string, tell func(name, why string)) {
	for _, name := range d.Infisical.Uses {
		if value, ok := env[name]; ok && !d.Infisical.letsIn(value, d.At) {
			tell(name, "no live client secret has this value")
		}
	}
}

// Used notes nothing: a process logs in once.
func (*Double) Used(map[string]string, time.Time) {}

// Generations are the client secrets of every identity.
func (d *Double) Generations() []world.Generation {
	var out []world.Generation
	for _, who := range d.Infisical.Identities {
		for _, c := range who.Secrets {
			out = append(out, world.Generation{Kind: "client secret", ID: c.ID, Name: c.Description, Live: !c.Revoked, On: !c.Revoked && c.spent(d.At) == "",
				Fields: map[string]string{"client_secret": c.Value}, Public: map[string]string{"id": c.ID}})
		}
	}
	return out
}

// Kept are the secrets of every folder. A key in rekey.yaml has no environment: those
// of another one than prod have it in front.
func (d *Double) Kept(yield func(world.Kept)) {
	for _, s := range d.Infisical.Secrets {
		where := strings.TrimSuffix(s.Path, "/") + "/"
		if s.Environment != "prod" {
			where = s.Environment + where
		}
		yield(world.Kept{Where: "infisical:" + where, Slot: s.Key, Value: s.Versions[len(s.Versions)-1].Value})
	}
}

// Secrets besides those of generations.
func (d *Double) Secrets() map[string]string {
	out := map[string]string{"the identity's secret": d.Infisical.ClientSecret}
	for t := range d.Infisical.Access {
		out["an access token"] = t
	}
	return out
}

// limits are calls a minute by kind of route. The recorded server limits
// itself in production mode (30-rate-limit.json); of today's, these are the free
// cloud plan's [api-reference/overview/rate-limits], one of one's own has none.
var limits = map[bool]map[string]int{
	true:  {"secret": 40, "read": 60, "write": 200},
	false: {"secret": 120, "read": 200, "write": 90},
}

// infisicalLimit counts a call by address, whoever makes it, in buckets apart from
// each other (recorded: 30-rate-limit.json), and answers 429 where one is empty.
func (d *Double) infisicalLimit(rw http.ResponseWriter, kind string) bool {
	old := d.Infisical.old()
	size := limits[old][kind]
	if size == 0 || !old && !d.Knobs.RateLimits {
		return false
	}
	b := d.Bucket("infisical "+kind, float64(size))
	if d.At.Sub(b.At) >= time.Minute {
		b.Left, b.At = float64(size), d.At // a window of a minute begins
	}
	over := b.Left < 1 && d.Knobs.RateLimits
	b.Left = math.Max(0, b.Left-1)
	header := rw.Header()
	left := int(math.Ceil((time.Minute - d.At.Sub(b.At)).Seconds()))
	header.Set("X-Ratelimit-Limit", strconv.Itoa(size))
	header.Set("X-Ratelimit-Remaining", strconv.Itoa(int(b.Left)))
	header.Set("X-Ratelimit-Reset", strconv.Itoa(left))
	if over {
		header.Set("Retry-After", strconv.Itoa(left))
		infisicalFailure(rw, http.StatusTooManyRequests, "RateLimitExceeded", "Rate limit exceeded. Please try again in 1 minute", old)
	}
	return over
}
