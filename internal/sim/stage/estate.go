package stage

import (
	"context"

	"rekey/internal/drift"
	"rekey/internal/runner"
	"rekey/internal/wire"
)

// Compared looks at all credentials of the stage together and returns what
// disagrees, by credential, and how many requests that took.
func (s *Stage) Compared() (map[string][]drift.Finding, int, error) {
	before := s.Calls
	estate := wire.OpenEstate(s.Config.Specs, s.Config.Vendors, s.Driver())
	defer estate.Close(context.Background())
	out := map[string][]drift.Finding{}
	for _, spec := range s.Config.Specs {
		crew, err := estate.Crew(spec)
		if err != nil {
			return nil, 0, err
		}
		r := runner.Runner{Roles: crew.Roles, Can: crew.Can, Keyer: s.Keyer, Clock: s.Clock, Together: InOrder}
		past, err := s.Past(spec.Name)
		if err != nil {
			return nil, 0, err
		}
		out[spec.Name] = drift.Compare(spec, r.Compare(context.Background(), spec), past)
	}
	return out, s.Calls - before, nil
}
