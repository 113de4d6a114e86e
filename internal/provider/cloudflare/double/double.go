// Package double is Cloudflare simulated: Access and API tokens of one account, and the edge before the sites that it guards.
//
// Every behaviour cites where it was documented or observed. It shares nothing with
// the client that it is asked by.
package double

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rekey/internal/world"
)

// Double is the account and its edge, in the world that they stand in.
type Double struct {
	*world.State
	Cloudflare *Cloudflare
	Edge       *Edge
	// Behind tells what stands behind the edge; nil: nothing does.
	Behind world.Behind
}

// API is the double of api.cloudflare.com.
type API struct{ *Double }

// Gate is the double of the edge, before every site.
type Gate struct{ *Double }

// Name of the account's double.
func (API) Name() string { return "cloudflare" }

// Memory is the account.
func (d API) Memory() any { return d.Cloudflare }

// Hosts are those of the public service.
func (API) Hosts() []string { return []string{"api.cloudflare.com"} }

// Root is where the interface begins.
func (API) Root() string { return "/client/v4" }

// TakesPath: its tools are given a base address.
func (API) TakesPath() bool { return true }

// ClientEnv is that of the Go SDK and the Terraform provider (cloudflare-go v7.9.0,
// client.go, DefaultClientOptions).
func (API) ClientEnv(base string, env map[string]string) map[string]string {
	return map[string]string{
		"CLOUDFLARE_BASE_URL": base + "/client/v4", "CLOUDFLARE_API_TOKEN": env["CF_ACCESS_MGMT"],
		"CLOUDFLARE_ACCOUNT_ID": env["CF_ACCOUNT_ID"],
	}
}

// Fail answers a status as the API does.
func (API) Fail(rw http.ResponseWriter, status int, _ string) {
	code, message := 10001, "Internal error"
	switch status {
	case 401, 403:
		code, message = 10000, "Authentication error"
	case 404:
		code, message = 7003, "Could not route to the object, perhaps your object identifier is invalid?"
	case 400, 422:
		code, message = 12130, "access.api.error.invalid_request"
	case 409:
		code, message = 12130, "access.api.error.conflict"
	case 429:
		code, message = 971, "Please wait and consider throttling your request speed"
	}
	cloudflareFailure(rw, status, code, message)
}

// The limit of a token [fundamentals/api/reference/limits].
const (
	limit      = 1200.0
	limitEvery = 5 * time.Minute
)

// Limited counts a call and answers 429 where the limit is reached.
func (d API) Limited(rw http.ResponseWriter) bool {
	if !d.Knobs.RateLimits {
		return false
	}
	b := d.Bucket("cloudflare", limit)
	over := b.Take(limit, limitEvery, d.At)
	rate := limit / limitEvery.Seconds()
	rw.Header().Set("Ratelimit", fmt.Sprintf(`"default";r=%d;t=%d`, int(b.Left), ceil((limit-b.Left)/rate)))
	rw.Header().Set("Ratelimit-Policy", `"default";q=1200;w=300`)
	if over {
		rw.Header().Set("Retry-After", strconv.Itoa(ceil((1-b.Left)/rate)))
		d.Fail(rw, http.StatusTooManyRequests, "")
	}
	return over
}

func ceil(f float64) int {
	n := int(f)
	if float64(n) < f {
		n++
	}
	return n
}

// Generations are service tokens and API tokens.
func (d API) Generations() []world.Generation {
	c := d.Cloudflare
	var out []world.Generation
	token := func(t *Token, live bool) {
		g := world.Generation{Kind: "service token", ID: t.ID, Name: t.Name, Live: live, On: live && t.Enabled, Named: c.Named(t.ID),
			Fields: map[string]string{"client_secret": t.Secret}, Public: map[string]string{"client_id": t.ClientID}}
		if t.PrevUntil.After(d.At) {
			g.Earlier, g.Until = t.PrevSecret, t.PrevUntil
		}
		out = append(out, g)
	}
	for _, t := range c.Tokens {
		token(t, true)
	}
	for _, t := range c.Deleted {
		token(t, false)
	}
	for _, t := range c.APITokens {
		out = append(out, world.Generation{Kind: "API token", ID: t.ID, Name: t.Name, Live: true, On: t.works(d.At), Fields: map[string]string{"token": t.Value}, Public: map[string]string{"id": t.ID}})
	}
	for _, t := range c.DeletedAPITokens {
		out = append(out, world.Generation{Kind: "API token", ID: t.ID, Name: t.Name, Fields: map[string]string{"token": t.Value}})
	}
	return out
}

// Secrets besides those of generations.
func (d API) Secrets() map[string]string {
	out := map[string]string{"the Cloudflare API token": d.Cloudflare.Token}
	for _, t := range append(append([]*Token{}, d.Cloudflare.Tokens...), d.Cloudflare.Deleted...) {
		if t.PrevSecret != "" {
			out["the secret before of "+t.Name] = t.PrevSecret
		}
	}
	return out
}

// Name of the edge's double.
func (Gate) Name() string { return "edge" }

// Memory is the edge.
func (d Gate) Memory() any { return d.Edge }

// Elsewhere: every other host is a site.
func (Gate) Elsewhere() {}

// Fail answers a status as the edge does.
func (Gate) Fail(rw http.ResponseWriter, status int, _ string) {
	rw.Header().Set("Content-Type", "text/html")
	rw.WriteHeader(status)
	_, _ = fmt.Fprintf(rw, "<html><body>error code: %d</body></html>", status)
}

// Begin lets the edge know what there is; a change takes its time from then on.
func (d Gate) Begin() {
	k := d.Knobs
	if d.Edge.Known.At.IsZero() {
		d.Knobs.EdgeDelay = 0
	}
	d.Publish()
	d.Knobs = k
}

// Denied tells what of a process's environment the edge or the API refuses.
func (d Gate) Denied(env map[string]string, tell func(name, why string)) {
	for name, site := range d.Edge.Uses {
		value, ok := env[name]
		if !ok {
			continue
		}
		if why := d.denies(site, value); why != "" {
			tell(name, why)
		}
	}
}

// Used notes the use of every token in a process's environment.
func (d Gate) Used(env map[string]string, at time.Time) {
	for name, site := range d.Edge.Uses {
		value, ok := env[name]
		switch {
		case !ok:
		case site == UsesAPI:
			if t := d.Cloudflare.apiToken(value); t != nil && t.works(at) && at.After(t.LastUsedOn) {
				t.LastUsedOn = at
			}
		default:
			d.used(value, at)
		}
	}
}

// Secrets of the edge.
func (d Gate) Secrets() map[string]string {
	return map[string]string{"the session cookie": d.Edge.Session}
}

// UsesAPI stands for Cloudflare's API in Edge.Uses: the variable holds an API token.
const UsesAPI = "api.cloudflare.com"

// denies says why whoever guards a site refuses a value; "" if it does not.
func (d *Double) denies(site, value string) string {
	if site == UsesAPI {
		return d.Cloudflare.apiDenies(value, d.At)
	}
	return d.Edge.denies(site, value, d.At)
}

// Named counts the rules that name a token.
func (c *Cloudflare) Named(id string) int {
	n := 0
	lists := [][]Rules{c.Policies, c.Groups, c.ZoneGroups}
	for _, a := range c.allApps() {
		lists = append(lists, a.Policies)
	}
	for _, list := range lists {
		for _, r := range list {
			if strings.Contains(string(r["include"]), cmp.Or(id, "no id")) {
				n++
			}
		}
	}
	return n
}
