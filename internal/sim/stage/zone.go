package stage

import (
	"context"
	"encoding/json"

	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/sim"
)

// NewZone returns a stage on which the console's token belongs to a zone, and is
// named everywhere a rule can stand: in a reusable policy, in one that belongs
// to an application of the account, in one of the zone's, and in a group of the zone.
func NewZone(seed int64, knobs sim.Knobs) *Stage {
	state := sim.New(sim.Options{Seed: seed, Now: Start, Knobs: knobs})
	c := &state.Cloudflare
	console, app := c.Tokens[0], c.Apps[0]
	console.Zone = c.Zone
	names := func(id, name string, more map[string]any) sim.Rules {
		fields := map[string]any{
			"id": id, "name": name, "include": []any{map[string]any{"service_token": map[string]string{"token_id": console.ID}}},
			"require": []any{}, "exclude": []any{}, "created_at": Start, "updated_at": Start,
		}
		for k, v := range more {
			fields[k] = v
		}
		r := sim.Rules{}
		for k, v := range fields {
			r[k], _ = json.Marshal(v)
		}
		return r
	}
	service := map[string]any{"decision": "non_identity", "precedence": 3}
	app.Policies = append(app.Policies, names("7a0c1d2e-3f40-4a51-8b62-c3d4e5f60701", "console's own", service))
	group := names("7a0c1d2e-3f40-4a51-8b62-c3d4e5f60702", "zone probes", nil)
	c.ZoneGroups = []sim.Rules{group}
	c.ZoneApps = []*sim.App{{
		ID: "7a0c1d2e-3f40-4a51-8b62-c3d4e5f60703", Name: "Status of the zone", Domain: "status.raxx.app", AUD: "7a0c1d2e3f404a518b62c3d4e5f60704", Type: "self_hosted",
		Policies: []sim.Rules{names("7a0c1d2e-3f40-4a51-8b62-c3d4e5f60705", "zone service auth", service)},
	}}
	return in(state)
}

// Look does what `rekey check` does: it looks at everything that a run would
// need and at what the vendors know besides, and changes nothing.
func (s *Stage) Look(name string) (rotation.Observation, error) {
	spec, err := s.Config.Spec(name)
	if err != nil {
		return rotation.Observation{}, err
	}
	crew, err := s.Crew(spec)
	if err != nil {
		return rotation.Observation{}, err
	}
	r := &runner.Runner{Journal: s.Log, Roles: crew.Roles, Can: crew.Can, Keyer: s.Keyer, Clock: s.Clock, Together: InOrder}
	ctx := context.Background()
	seen, err := r.Observe(ctx, spec)
	r.Advise(ctx, spec, &seen)
	return seen, err
}
