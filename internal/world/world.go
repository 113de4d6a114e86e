// Package world is a simulated world of vendors that it knows by an interface only: time, faults, delays, limits, and who was refused when.
//
// Time is a parameter: nothing happens between two requests that could not have
// been computed at the second one. Which doubles there are is a parameter as well.
package world

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// World is all doubles and the traffic between them.
type World struct {
	mu      sync.Mutex
	now     func() time.Time
	state   *State
	doubles []Double
	mux     map[string]*http.ServeMux // by name
	hosts   map[string]string         // real address -> name
	// elsewhere is the name of the double that stands for all other hosts.
	elsewhere string
	// Of each double what it is besides, found once.
	moves []Moves
	runs  []Runs
	gates []Gate
	// healthy are the knobs as they were at first: DELETE /_faults turns them back.
	healthy Knobs
	// Sleep pauses a request (latency, delays); real time by default.
	Sleep func(time.Duration)
	// Saved is called after every request that may have changed something; nil: the
	// world lives in memory.
	Saved func(*World) error
	// Trace is told of every request before it is handled; nil: nobody.
	Trace func(vendor, endpoint string)
	// Addresses are those of the doubles that are served alone, as http://host:port;
	// GET /_env/<name> tells them. They are set before the world is served.
	Addresses map[string]string
}

// Open returns a world of these doubles, whose memories and state are in order.
// They share the state.
func Open(state *State, now func() time.Time, doubles ...Double) *World {
	w := &World{now: now, state: state, doubles: doubles, Sleep: time.Sleep, healthy: state.Knobs, mux: map[string]*http.ServeMux{}, hosts: Hosts(doubles), elsewhere: elsewhere(doubles)}
	if state.Calls == nil {
		state.Calls = map[string]map[string]int{}
	}
	if state.Visits == nil {
		state.Visits = map[string]int{}
	}
	each(doubles, func(d Moves) { w.moves = append(w.moves, d) })
	each(doubles, func(d Runs) { w.runs = append(w.runs, d) })
	each(doubles, func(d Gate) { w.gates = append(w.gates, d) })
	for _, d := range doubles {
		mux := http.NewServeMux()
		d.Routes(mux)
		w.mux[d.Name()] = mux
	}
	each(doubles, func(d Begins) { d.Begin() })
	w.judge()
	return w
}

// Doubles are those of the world, in the order in which they were given.
func (w *World) Doubles() []Double { return w.doubles }

// Turn changes knobs of the world.
func (w *World) Turn(change func(*Knobs)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advance()
	change(&w.state.Knobs)
}

// See gives f the state as it is now; f must not keep it. The doubles may be looked
// at, too, for as long as f takes.
func (w *World) See(f func(*State)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advance()
	f(w.state)
}

// Do lets f happen now, as a request does that goes to a double by another way than
// HTTP; what it did to those who hold something is looked at afterwards.
func (w *World) Do(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advance()
	f()
	w.judge()
}

// Env returns what a person would have in the environment.
func (w *World) Env() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.state.Env)
}

// advance lets everything happen that was due by now, in order.
func (w *World) advance() {
	s, now := w.state, w.now().UTC()
	for {
		next, happen := w.earliest()
		if happen == nil || next.After(now) {
			break
		}
		w.use(next)
		s.At = next
		happen()
		w.judge()
	}
	w.use(now)
	if now.After(s.At) {
		s.At = now
	}
}

// earliest returns the next thing that happens by itself.
func (w *World) earliest() (time.Time, func()) {
	var at time.Time
	var what func()
	offer := func(t time.Time, f func()) {
		if !t.IsZero() && (what == nil || t.Before(at)) {
			at, what = t, f
		}
	}
	for _, d := range w.moves {
		d.Events(offer)
	}
	return at, what
}

// useEvery is how often a running process uses its credential.
const useEvery = 10 * time.Second

// use lets every process that was alive until the given time use what it holds.
func (w *World) use(until time.Time) {
	at := w.state.At
	for _, d := range w.runs {
		d.Processes(func(p Process) {
			end := until
			if !p.Stops.IsZero() && p.Stops.Before(end) {
				end = p.Stops
			}
			if !end.After(p.Started) || !end.After(at) && !at.IsZero() {
				return
			}
			last := p.Started.Add(end.Sub(p.Started) / useEvery * useEvery)
			if last.Before(at) {
				return
			}
			for _, g := range w.gates {
				g.Used(p.Env, last)
			}
		})
	}
}

// Outage is a span in which a process of a consumer held a credential that is
// refused.
type Outage struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to,omitzero"` // zero: still
	App     string    `json:"app"`
	Process string    `json:"process"`
	Var     string    `json:"var"`
	Why     string    `json:"why"`
	// Held is what the process held then, for whoever judges it; never written down.
	Held string `json:"-"`
}

// judge opens and closes outages by what every living process holds now.
func (w *World) judge() {
	type holder struct{ app, process, name string }
	type denied struct{ why, held string }
	var out map[holder]denied
	s := w.state
	for _, d := range w.runs {
		d.Processes(func(p Process) {
			if !p.Alive(s.At) {
				return
			}
			for _, g := range w.gates {
				g.Denied(p.Env, func(name, why string) {
					if out == nil {
						out = map[holder]denied{}
					}
					out[holder{p.App, p.ID, name}] = denied{why, p.Env[name]}
				})
			}
		})
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
	order := slices.SortedFunc(maps.Keys(out), func(a, b holder) int {
		return strings.Compare(a.app+a.process+a.name, b.app+b.process+b.name)
	})
	for _, h := range order {
		s.Outages = append(s.Outages, Outage{From: s.At, App: h.app, Process: h.process, Var: h.name, Why: out[h].why, Held: out[h].held})
	}
}
