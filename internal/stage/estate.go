package stage

import (
	"context"
	"slices"

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
	out := map[string][]drift.Finding{}
	for _, spec := range s.Config.Specs {
		crew, err := estate.Crew(spec)
		if err != nil {
			return nil, 0, err
		}
		r := runner.Runner{Roles: crew.Roles, Can: crew.Can, Keyer: s.Keyer, Clock: s.Clock, Together: InOrder}
		past, err := s.past(spec.Name)
		if err != nil {
			return nil, 0, err
		}
		out[spec.Name] = drift.Compare(spec, r.Compare(context.Background(), spec), past)
	}
	return out, s.Calls - before, nil
}

// past is what the events of a credential's runs tell of its generations.
func (s *Stage) past(credential string) ([]rotation.Generation, error) {
	events, err := s.Log.Events()
	var own []rotation.Event
	of := map[string]bool{}
	for _, e := range append(slices.Clone(s.Earlier), events...) {
		if e.Opened != nil && e.Opened.Credential == credential {
			of[e.Run] = true
		}
		if of[e.Run] {
			own = append(own, e)
		}
	}
	return rotation.Generations(own), err
}
