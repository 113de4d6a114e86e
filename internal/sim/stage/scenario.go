package stage

import (
	"net/http"
	"strings"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

// Scenario is one way to play the SOP.
type Scenario struct {
	Credential string
	// On makes the stage; nil: New.
	On func(seed int64, knobs sim.Knobs) *Stage
	// Around as of the stage.
	Around func(http.RoundTripper) http.RoundTripper
	// Everyone: a rule accepts any valid token, so no rule has to be edited.
	Everyone bool
	Faults   []Fault
	// Strategy of the issuer; "": replace.
	Strategy string
	// Purpose of the run; "": to rotate.
	Purpose sop.Purpose
	// Knobs of the world; nil: those of a realistic Heroku.
	Knobs *sim.Knobs
	// Damage breaks the plan, to see whether the judge sees it.
	Damage func(*rotation.Plan)
}

func (sc Scenario) String() string {
	parts := []string{sc.Credential}
	if sc.Strategy != "" {
		parts = append(parts, sc.Strategy)
	}
	if sc.Purpose != "" {
		parts = append(parts, "to "+string(sc.Purpose))
	}
	if sc.Everyone {
		parts = append(parts, "without admission")
	}
	for _, f := range sc.Faults {
		parts = append(parts, f.String())
	}
	return strings.Join(parts, ", ")
}
