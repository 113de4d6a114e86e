package runner_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

// older are runs on an Infisical without v4: the store is written in two halves,
// each of them atomic, and the pair is not.
var older = []stage.Scenario{
	{Credential: console, On: stage.NewOlder},
	{Credential: vault, Everyone: true, On: stage.NewOlder},
}

// TestOlderStoreIsWrittenInHalves: one request makes what is missing, another
// updates the rest, and nothing else is written.
func TestOlderStoreIsWrittenInHalves(t *testing.T) {
	s := stage.NewOlder(1, stage.Knobs)
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	if post, patch := count(s, "infisical", "POST /api/v3/secrets/batch/raw"), count(s, "infisical", "PATCH /api/v3/secrets/batch/raw"); post != 1 || patch != 1 {
		t.Errorf("%d creations, %d updates", post, patch)
	}
	if n := count(s, "infisical", "PATCH /api/v4"); n != 0 {
		t.Errorf("%d writes in a dialect that the server does not speak", n)
	}
}

// TestEverySingleFaultOnAnOlderStore gives every call every kind of fault, those
// between the halves included.
func TestEverySingleFaultOnAnOlderStore(t *testing.T) {
	y := newTally(t, false)
	singles(t, y, older, toRotate)
	y.done(0)
}

// TestPairsOfFaultsAroundTheHalves puts one fault at each call of the store's
// write, and a second one anywhere after.
func TestPairsOfFaultsAroundTheHalves(t *testing.T) {
	y := newTally(t, true)
	every := 40
	if *whole {
		every = 1
	} else {
		y.sampled = fmt.Sprintf("EVERY %dth SECOND FAULT", every)
	}
	kinds := slices.Concat(stage.Kinds, stage.Rude)
	workers(func(work chan<- func()) {
		for _, sc := range older {
			for _, method := range []string{"POST", "PATCH"} {
				call, n := callOn(t, sc, method, "/batch/raw"), 0
				for i, k := range kinds {
					if raceEnabled && (call+i)%6 != 0 {
						continue // the race detector needs no more; without it all are tried
					}
					for next := call + 1; next < call+30; next++ {
						for _, k2 := range pairKinds {
							if n++; n%every != 0 {
								continue
							}
							two := sc
							two.Faults = []stage.Fault{{Call: call, Kind: k}, {Call: next, Kind: k2}}
							work <- func() { y.add(two.Run(1)) }
						}
					}
				}
			}
		}
	})
	y.done(0.02)
}

// TestStoreThatLiesAboutVersions: the recorded server answers every version with
// the present one, also where each secret is in its first; a run would have no
// way back, so none begins.
func TestStoreThatLiesAboutVersions(t *testing.T) {
	for _, first := range []bool{false, true} {
		s := stage.New(1, stage.Knobs)
		s.World.Look(func(w *sim.State) {
			w.Infisical.Server = sim.Server2024
			for _, x := range w.Infisical.Secrets {
				if n := len(x.Versions); first && strings.HasPrefix(x.Key, "CF_ACCESS_S") {
					x.Versions = x.Versions[n-1:]
				}
			}
		})
		before := see(s)
		st := play(t, s, console)
		ended(t, st, rotation.RefusedRun, rotation.NoHistory, "before April 2025: upgrade it")
		judged(t, s, st)
		nothingWritten(t, s, before)
	}
}
