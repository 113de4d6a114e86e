package stage

import (
	"context"

	"rekey/internal/drift"
	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/wire"
)

// Compared looks at all credentials of the stage together and returns what
// disagrees, by credential, and how many requests that took.
func (s *Stage) Compared() (map[string][]drift.Finding, int, error) {
	before := s.Calls
	estate := wire.OpenEstate(s.Config.Specs, s.Config.Vendors, s.env())
	defer estate.Close(context.Background())
	events, err := s.Log.Events()
	if err != nil {
		return nil, 0, err
	}
	out := map[string][]drift.Finding{}
	for _, spec := range s.Config.Specs {
		crew, err := estate.Crew(spec)
		if err != nil {
			return nil, 0, err
		}
		r := runner.Runner{Roles: crew.Roles, Can: crew.Can, Keyer: s.Keyer, Clock: s.Clock, Together: InOrder}
		var own []rotation.Event
		of := map[string]bool{}
		for _, e := range events {
			if e.Opened != nil && e.Opened.Credential == spec.Name {
				of[e.Run] = true
			}
			if of[e.Run] {
				own = append(own, e)
			}
		}
		out[spec.Name] = drift.Compare(spec, r.Compare(context.Background(), spec), rotation.Generations(own))
	}
	return out, s.Calls - before, nil
}
