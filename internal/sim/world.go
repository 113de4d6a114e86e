// Package sim is a small world of simulated vendors with faults, delays and rate limits, for the demo, the tests and the benchmarks.
//
// Every behaviour cites where it was recorded or documented. Time is a
// parameter: nothing happens between two requests that could not have been
// computed at the second one.
package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// World is all vendors and the traffic between them.
type World struct {
	mu    sync.Mutex
	now   func() time.Time
	state State
	mux   map[string]*http.ServeMux // by vendor
	// healthy are the knobs as they were at first: DELETE /_faults turns them back.
	healthy Knobs
	// Sleep pauses a request (latency, delays); real time by default.
	Sleep func(time.Duration)
	// Saved is called with the state after every request that changed it; nil:
	// the world lives in memory.
	Saved func(*State) error
	// Trace is told of every request before it is handled; nil: nobody.
	Trace func(vendor, endpoint string)
	// Addresses are those of the vendors that are served alone, as http://host:port;
	// GET /_env/<vendor> tells them. They are set before the world is served.
	Addresses map[string]string
}

// State is the world as data; it can be written down and read again.
type State struct {
	Seed       int64                     `json:"seed"`
	Counter    uint64                    `json:"counter"`
	At         time.Time                 `json:"at"` // up to here everything has happened
	Knobs      Knobs                     `json:"knobs"`
	Env        map[string]string         `json:"env"` // what a person would have in the environment
	Cloudflare Cloudflare                `json:"cloudflare"`
	Edge       Edge                      `json:"edge"`
	Infisical  Infisical                 `json:"infisical"`
	Heroku     Heroku                    `json:"heroku"`
	Portal     Portal                    `json:"portal,omitzero"`
	Hooks      []Hook                    `json:"hooks,omitempty"` // what was posted to the webhook
	Faults     []*Fault                  `json:"faults,omitempty"`
	Outages    []Outage                  `json:"outages,omitempty"`
	Calls      map[string]map[string]int `json:"calls"`  // to vendors, by endpoint
	Visits     map[string]int            `json:"visits"` // to the sites behind the edge, by host
	Buckets    map[string]*Bucket        `json:"buckets,omitempty"`
}

// Knobs are properties of the world that last.
type Knobs struct {
	Latency      Duration `json:"latency,omitempty"`       // of every request
	RateLimits   bool     `json:"rate_limits,omitempty"`   // enforce the vendors' documented limits
	EdgeDelay    Duration `json:"edge_delay,omitempty"`    // until the edge learns of a change
	ListLag      int      `json:"list_lag,omitempty"`      // lists that do not show a new token yet
	PageSize     int      `json:"page_size,omitempty"`     // entries of a page of a Cloudflare list, at most; 0: as Cloudflare has it
	ListShift    int      `json:"list_shift,omitempty"`    // Cloudflare lists of several pages that lose their first entry between two pages
	From         string   `json:"from,omitempty"`          // address from which Rekey asks; "": one that everybody allows
	Strict       bool     `json:"strict,omitempty"`        // strict_service_token_auth of the organisation
	BootDelay    Duration `json:"boot_delay,omitempty"`    // of a dyno
	Shutdown     Duration `json:"shutdown,omitempty"`      // how long old processes live on
	Preboot      bool     `json:"preboot,omitempty"`       // old web dynos serve on, out of sight
	PrebootDelay Duration `json:"preboot_delay,omitempty"` // for so long
	Release      string   `json:"release,omitempty"`       // "", "pending", "failed": what a release command does
	ReleaseDelay Duration `json:"release_delay,omitempty"` // how long it takes
	Crash        bool     `json:"crash,omitempty"`         // new dynos crash
	// Skew is how far a vendor's clock is ahead of the world's; negative: behind.
	Skew map[string]Duration `json:"skew,omitempty"`
}

// Duration is written as 1s in JSON.
type Duration time.Duration

// MarshalText writes 1s.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads 1s.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// Open returns a world with this state.
func Open(state State, now func() time.Time) *World {
	w := &World{now: now, state: state, Sleep: time.Sleep, healthy: state.Knobs}
	if w.state.Calls == nil {
		w.state.Calls = map[string]map[string]int{}
	}
	if w.state.Visits == nil {
		w.state.Visits = map[string]int{}
	}
	w.state.settle()
	w.routes()
	w.begin()
	return w
}

// begin lets the edge know what there is; a change takes its time from then on.
func (w *World) begin() {
	k := w.state.Knobs
	if w.state.Edge.Known.At.IsZero() {
		w.state.Knobs.EdgeDelay = 0
	}
	w.publish()
	w.state.Knobs = k
}

// Turn changes knobs of the world.
func (w *World) Turn(change func(*Knobs)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advance()
	change(&w.state.Knobs)
}

// Look gives f the state as it is now; f must not keep it.
func (w *World) Look(f func(*State)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advance()
	f(&w.state)
}

// Env returns what a person would have in the environment.
func (w *World) Env() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.state.Env)
}

// random returns n bytes as hex. It is a function of seed and counter, so the
// same requests give the same world, after a restart as well.
func (s *State) random(n int) string {
	var out []byte
	for len(out) < n {
		var b [16]byte
		binary.BigEndian.PutUint64(b[:8], uint64(s.Seed))
		binary.BigEndian.PutUint64(b[8:], s.Counter)
		s.Counter++
		sum := sha256.Sum256(b[:])
		out = append(out, sum[:]...)
	}
	return hex.EncodeToString(out[:n])
}

func (s *State) uuid() string {
	h := s.random(16)
	return fmt.Sprintf("%s-%s-4%s-8%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:32])
}

// advance lets everything happen that was due by now, in order.
func (w *World) advance() {
	s, now := &w.state, w.now().UTC()
	for {
		next, happen := s.earliest()
		if happen == nil || next.After(now) {
			break
		}
		s.use(next)
		s.At = next
		happen()
		s.judge()
	}
	s.use(now)
	if now.After(s.At) {
		s.At = now
	}
}

// earliest returns the next thing that happens by itself.
func (s *State) earliest() (time.Time, func()) {
	var at time.Time
	var what func()
	offer := func(t time.Time, f func()) {
		if !t.IsZero() && (what == nil || t.Before(at)) {
			at, what = t, f
		}
	}
	s.edgeEvents(offer)
	s.herokuEvents(offer)
	return at, what
}

// publish makes the edge learn of the present rules, at once or after its delay.
func (w *World) publish() { w.state.publish(); w.state.judge() }

// Outage is a span in which a process of a consumer held a credential that is
// turned away: by the edge, or by Heroku.
type Outage struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to,omitzero"` // zero: still
	App     string    `json:"app"`
	Process string    `json:"process"`
	Var     string    `json:"var"`
	Why     string    `json:"why"`
}

// judge opens and closes outages by what every living process holds now.
func (s *State) judge() {
	type holder struct{ app, process, name string }
	out := map[holder]string{}
	for _, a := range s.Heroku.Apps {
		for _, p := range a.Processes {
			if !p.alive(s.At) {
				continue
			}
			for name, site := range s.Edge.Uses {
				value, ok := p.Env[name]
				if !ok {
					continue
				}
				if why := s.denies(site, value); why != "" {
					out[holder{a.Name, p.ID, name}] = why
				}
			}
			for _, name := range s.Heroku.Uses {
				if token, ok := p.Env[name]; ok && s.Heroku.bearer(token, s.At) == nil {
					out[holder{a.Name, p.ID, name}] = "no live authorization has this token"
				}
			}
			for _, name := range s.Infisical.Uses {
				if value, ok := p.Env[name]; ok && !s.Infisical.letsIn(value, s.At) {
					out[holder{a.Name, p.ID, name}] = "no live client secret has this value"
				}
			}
			for _, name := range s.Portal.Uses {
				if value, ok := p.Env[name]; ok && s.Portal.find(value) == nil {
					out[holder{a.Name, p.ID, name}] = "no live key of the portal has this value"
				}
			}
		}
	}
	for i := range s.Outages {
		o := &s.Outages[i]
		h := holder{o.App, o.Process, o.Var}
		if o.To.IsZero() {
			if _, still := out[h]; still {
				delete(out, h)
			} else {
				o.To = s.At
			}
		}
	}
	for _, h := range sortedKeys(out, func(h holder) string { return h.app + h.process + h.name }) {
		s.Outages = append(s.Outages, Outage{From: s.At, App: h.app, Process: h.process, Var: h.name, Why: out[h]})
	}
}

// denies says why whoever guards a site turns a value away; "" if it does not.
func (s *State) denies(site, value string) string {
	if site == UsesAPI {
		return s.Cloudflare.apiDenies(value, s.At)
	}
	return s.Edge.denies(site, value, s.At)
}

// UsesAPI stands for Cloudflare's API in Edge.Uses: the variable holds an API token.
const UsesAPI = "api.cloudflare.com"

func sortedKeys[K comparable, V any](m map[K]V, by func(K) string) []K {
	keys := slices.Collect(maps.Keys(m))
	slices.SortFunc(keys, func(a, b K) int {
		switch x, y := by(a), by(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return keys
}
