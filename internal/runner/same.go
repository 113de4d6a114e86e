package runner

import (
	"slices"

	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// consumerSeen is what a plan and a comparison tell of a consumer.
func (r *Runner) consumerSeen(c sop.Place, s provider.Snapshot, b secret.Bundle) rotation.ConsumerSeen {
	return rotation.ConsumerSeen{
		Key: c.Key, Slots: r.slotsSeen(c, s.Slots, b), Mark: s.Mark, Grace: s.Grace, Units: s.Units,
		Notes: s.Notes, Problems: s.Problems, Names: s.Names, Restarts: s.Restarts,
	}
}

// twice keeps a run from starting that would write one thing by two names at once: what it
// had before the one write is no longer so after the other.
func twice(all []rotation.ConsumerSeen) {
	for i := range all {
		for j := range i {
			if slices.ContainsFunc(all[i].Names, func(n string) bool { return slices.Contains(all[j].Names, n) }) {
				all[i].Problems = append(slices.Clone(all[i].Problems), "it is the same as "+all[j].Key+": put all its slots into one entry of rekey.yaml")
				break
			}
		}
	}
}
