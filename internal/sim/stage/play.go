package stage

import (
	"encoding/json"

	"rekey/internal/sim"
	"rekey/internal/stage"
)

// Verdict is how a scenario came out.
type Verdict struct {
	stage.Verdict
	Scenario Scenario
	Seed     int64
	Stage    *Stage
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
	return Verdict{Verdict: s.Stage.Run(sc.Credential, s.Judge, sc.Faults...), Scenario: sc, Stage: s, Seed: seed}
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
