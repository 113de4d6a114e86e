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
	Err      error
	Stage    *Stage
	Stuck    *rotation.Stuck
	// Healed: stuck, then resumed without further faults, it came to an end.
	Healed bool
}

// Run plays a scenario to its end and judges it.
func (sc Scenario) Run(seed int64) Verdict {
	s := New(seed, Knobs)
	if sc.Everyone {
		s.World.Look(openToEveryone)
	}
	s.Arrange(sc.Faults...)
	v := Verdict{Scenario: sc, Stage: s}
	result, err := s.Play(sc.Credential)
	v.Calls, v.Err = s.Calls, err
	if err != nil {
		return v
	}
	v.Broken = s.Judge(result)
	switch st := result.State; {
	case st.Closed != nil:
		v.Ending = string(st.Closed.Ending)
	case st.Stuck != nil:
		v.Ending, v.Stuck = "stuck", st.Stuck
		s.Before = nil
		again, err := s.Resume()
		v.Err = err
		v.Healed = err == nil && again.State.Closed != nil
		if v.Healed {
			v.Broken = append(v.Broken, s.Judge(again)...)
		}
	}
	return v
}

// openToEveryone replaces every rule that names a token of the SOP by one that
// lets any valid token in.
func openToEveryone(w *sim.State) {
	any := json.RawMessage(`[{"any_valid_service_token":{}}]`)
	for _, list := range [][]sim.Rules{w.Cloudflare.Policies, w.Cloudflare.Groups} {
		for _, r := range list {
			r["include"] = any
		}
	}
	w.Edge.Known.Policies, w.Edge.Known.Groups = w.Cloudflare.Policies, w.Cloudflare.Groups
}
