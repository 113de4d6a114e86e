// Package sim is the world of the written procedure: its vendors' doubles put together, with what they hold at the beginning.
//
// What a vendor's double does stands in the vendor's folder; how a world of doubles
// works stands in internal/world.
package sim

import (
	"net/http"
	"net/url"
	"time"

	assisted "rekey/internal/provider/assisted/double"
	cloudflare "rekey/internal/provider/cloudflare/double"
	heroku "rekey/internal/provider/heroku/double"
	infisical "rekey/internal/provider/infisical/double"
	webhook "rekey/internal/provider/webhook/double"
	"rekey/internal/world"
)

// State is the world as data; it can be written down and read again. Its keys are
// those of the doubles' names.
type State struct {
	world.State
	Cloudflare Cloudflare `json:"cloudflare"`
	Edge       Edge       `json:"edge"`
	Infisical  Infisical  `json:"infisical"`
	Heroku     Heroku     `json:"heroku"`
	Portal     Portal     `json:"portal,omitzero"`
	Hooks      []Hook     `json:"hooks,omitempty"` // what was posted to the webhook
}

func (s *State) cloudflare() *cloudflare.Double {
	return &cloudflare.Double{State: &s.State, Cloudflare: &s.Cloudflare, Edge: &s.Edge, Behind: s.heroku()}
}

func (s *State) heroku() *heroku.Double {
	return &heroku.Double{State: &s.State, Heroku: &s.Heroku}
}

func (s *State) infisical() *infisical.Double {
	return &infisical.Double{State: &s.State, Infisical: &s.Infisical}
}

func (s *State) portal() *assisted.Double {
	return &assisted.Double{State: &s.State, Portal: &s.Portal}
}

// Doubles are those of this world.
func (s *State) Doubles() []world.Double {
	c := s.cloudflare()
	return []world.Double{
		cloudflare.API{Double: c}, s.infisical(), s.heroku(), s.portal(), &webhook.Double{State: &s.State, Hooks: &s.Hooks}, cloudflare.Gate{Double: c},
	}
}

// World is the doubles and the traffic between them.
type World struct {
	*world.World
	state *State
}

// Open returns a world with this state.
func Open(state State, now func() time.Time) *World {
	s := &state
	return &World{World: world.Open(&s.State, now, s.Doubles()...), state: s}
}

// Look gives f the state as it is now; f must not keep it.
func (w *World) Look(f func(*State)) {
	w.See(func(*world.State) { f(w.state) })
}

// Save writes a state, so that it is either the old one or the new one.
func Save(path string, s *State) error { return world.Save(path, &s.State, s.Doubles()) }

// Load opens the world in a file; see world.Load.
func Load(path string, now func() time.Time) (w *World, unlock func(), err error) {
	s := &State{}
	inner, unlock, err := world.Load(path, now, &s.State, s.Doubles()...)
	if err != nil {
		return nil, nil, err
	}
	return &World{World: inner, state: s}, unlock, nil
}

// Remote leads requests to a world that is served elsewhere.
type Remote struct {
	Base      *url.URL // http://127.0.0.1:7777
	Transport http.RoundTripper
}

func (r Remote) world() world.Remote {
	return world.Remote{Base: r.Base, Transport: r.Transport, Doubles: (&State{}).Doubles()}
}

// RoundTrip sends the request to the world.
func (r Remote) RoundTrip(req *http.Request) (*http.Response, error) { return r.world().RoundTrip(req) }

// Env asks the world what a person would have in the environment.
func (r Remote) Env() (map[string]string, error) { return r.world().Env() }

// Hosts are the real addresses that a simulated run is led away from, with the names
// of those who stand for them.
var Hosts = world.Hosts((&State{}).Doubles())

// Apart are the doubles that can be served at an address of their own.
var Apart = apart()

func apart() (out []string) {
	for _, d := range (&State{}).Doubles() {
		if _, ok := d.(world.Apart); ok {
			out = append(out, d.Name())
		}
	}
	return out
}

// ClientEnv returns the environment in which a vendor's own tools work on the
// simulated one at base; see world.Apart.
func ClientEnv(vendor, base string, env map[string]string) map[string]string {
	for _, d := range (&State{}).Doubles() {
		if a, ok := d.(world.Apart); ok && d.Name() == vendor {
			return a.ClientEnv(base, env)
		}
	}
	return nil
}
