package rotation

import (
	"fmt"
	"time"

	"rekey/internal/cred"
	"rekey/internal/sop"
)

// Outline lays a rotation out as far as configuration alone tells: the steps that
// Compile would make, by the same code, with one place standing for every rule
// that names the old generation. It is for the written procedure and cannot be
// run. The error says which strategy is impossible.
func Outline(spec sop.Spec, can Capabilities) (Plan, error) {
	old := cred.Handle{ID: "OLD", Name: "the old one"}
	strategy, refusals := choose(spec, can, old, false, time.Time{})
	if len(refusals) > 0 {
		return Plan{}, fmt.Errorf("%s: %s", refusals[0].What, refusals[0].Then)
	}
	p := Plan{Version: PlanVersion, Strategy: strategy, Run: "RUN", Spec: spec, Old: old, NewName: spec.Issuer.Name}
	if can.Admits {
		p.Seen.Admission.Places = []cred.Place{{Kind: "rule", ID: "each", Name: "that names the old one", Admits: true}}
	}
	for _, s := range spec.Further {
		p.Seen.Further = append(p.Seen.Further, StoreSeen{Key: s.Key})
	}
	for _, c := range spec.Consumers {
		p.Seen.Consumers = append(p.Seen.Consumers, ConsumerSeen{Key: c.Key})
	}
	p.layOut(can)
	return p, nil
}
