// Package simulated gives the conformance suite the small world of simulated vendors as a double; tests only.
package simulated

import (
	"strings"
	"time"

	"rekey/internal/providertest"
	"rekey/internal/sim"
)

// World returns what makes a fresh world for each case; change adds to it what is
// there besides, and may be nil. Its time is virtual.
func World(change func(*sim.State)) func(providertest.T) *providertest.Double {
	return func(providertest.T) *providertest.Double {
		now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
		world := sim.Open(sim.New(sim.Options{Seed: 7, Now: now}), func() time.Time { return now })
		if change != nil {
			world.Look(change)
		}
		wait := func(d time.Duration) { now = now.Add(d) }
		world.Sleep = wait
		d := &providertest.Double{
			Transport: world, Env: world.Env(), Person: sim.Person,
			Now: func() time.Time { return now }, Wait: wait,
		}
		for name := range d.Env {
			// Ids of accounts and projects are printable; those of clients are half of a pair.
			if strings.HasSuffix(name, "_ID") && !strings.Contains(name, "CLIENT") {
				d.Printable = append(d.Printable, name)
			}
		}
		return d
	}
}
