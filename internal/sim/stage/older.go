package stage

import (
	"slices"
	"strings"

	"rekey/internal/sim"
)

// NewOlder returns a stage whose Infisical has v3 alone, and holds nothing yet
// under the former names: what is written has to be made in one request and
// updated in another.
func NewOlder(seed int64, knobs sim.Knobs) *Stage {
	s := New(seed, knobs)
	s.World.Look(func(w *sim.State) {
		i := &w.Infisical
		i.Server = sim.Server2025
		i.Secrets = slices.DeleteFunc(i.Secrets, func(x *sim.StoredSecret) bool {
			return strings.HasPrefix(x.Key, "CF_ACCESS_SERVICE_TOKEN_")
		})
	})
	return s
}
