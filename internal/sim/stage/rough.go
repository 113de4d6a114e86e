package stage

import (
	"time"

	"rekey/internal/sim"
)

// Rough is a world that is less polite than that of Knobs: the edge learns of every
// change some seconds late, in both directions, and the vendors' clocks are ten
// minutes off ours, some ahead and some behind, by turns of n.
func Rough(n int) sim.Knobs {
	k := Knobs
	k.EdgeDelay = sim.Duration(3 * time.Second)
	off := sim.Duration(10 * time.Minute)
	if n%2 == 1 {
		off = -off
	}
	k.Skew = map[string]sim.Duration{"cloudflare": off, "infisical": -off, "heroku": off}
	return k
}
