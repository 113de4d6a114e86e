package stage

import (
	"encoding/json"

	"rekey/internal/rotation"
	"rekey/internal/sim"
)

// Verdict is how a scenario came out.
type Verdict struct {
	Scenario Scenario
	Ending   string   // rotated, rolled back, refused, stuck
	Broken   []string // promises
	Calls    int
	Looked   int // calls made before the first plan
	Seed     int64
	Late     bool // a late fault was among them
	Made     bool // and it met a creation
	Err      error
	Stage    *Stage
	Stuck    *rotation.Stuck
	// Healed: stuck, then resumed without further faults, it came to an end.
	Healed bool
}

// Run plays a scenario to its end and judges it.
func (sc Scenario) Run(seed int64) Verdict {
	knobs := Rough(sc.turn())
	if sc.Knobs != nil {
		knobs = *sc.Knobs
	}
	on := sc.On
	if on == nil {
		on = New
	}
	s := on(seed, knobs)
	if sc.On == nil {
		s.Config = configFor(sc.Credential)
	}
	s.Around = sc.Around
	s.Damage = sc.Damage
	s.Strategy(sc.Strategy)
	s.Purpose(sc.Purpose)
	if sc.Everyone {
		s.World.Look(openToEveryone)
	}
	s.Arrange(sc.Faults...)
	s.Log.Watch = func(e rotation.Event) {
		if e.Planned != nil && s.Looked == 0 {
			s.Looked = s.Calls
		}
	}
	v := Verdict{Scenario: sc, Stage: s, Seed: seed}
	result, err := s.Play(sc.Credential)
	v.Calls, v.Err, v.Late, v.Made = s.Calls, err, s.Late, s.LateMade
	v.Looked = s.Looked
	if err != nil {
		return v
	}
	v.Broken = s.Judge(result)
	switch st := result.State; {
	case st.Closed != nil:
		v.Ending = string(st.Closed.Ending)
	case st.Stuck != nil:
		v.Ending, v.Stuck = "stuck", st.Stuck
		s.Calm()
		s.World.Turn(func(k *sim.Knobs) { k.Crash, k.Release = false, "" })
		again, err := s.Resume()
		v.Err = err
		v.Healed = err == nil && again.State.Closed != nil
		if v.Healed {
			v.Broken = append(v.Broken, s.Judge(again)...)
		}
	}
	return v
}

// turn makes scenarios that differ in their faults play in worlds that differ.
func (sc Scenario) turn() int {
	n := 0
	for _, f := range sc.Faults {
		n += f.Call + len(f.Kind)
	}
	return n
}

// openToEveryone replaces every rule that names a token of the SOP by one that
// accepts any valid token.
func openToEveryone(w *sim.State) {
	any := json.RawMessage(`[{"any_valid_service_token":{}}]`)
	for _, list := range [][]sim.Rules{w.Cloudflare.Policies, w.Cloudflare.Groups} {
		for _, r := range list {
			r["include"] = any
		}
	}
	w.Edge.Known.Policies, w.Edge.Known.Groups = w.Cloudflare.Policies, w.Cloudflare.Groups
}
