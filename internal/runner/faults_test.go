package runner_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/stage"
)

// variations are the SOP's two credentials (one admitted by a policy, one
// through a group), each with and without rules to edit, and one rolled in place.
var variations = []stage.Scenario{
	{Credential: "CF_ACCESS_SVC_CONSOLE"},
	{Credential: "CF_ACCESS_SVC_CONSOLE", Everyone: true},
	{Credential: "CF_ACCESS_SVC_VAULT"},
	{Credential: "CF_ACCESS_SVC_VAULT", Everyone: true},
	{Credential: "CF_ACCESS_SVC_VAULT", Strategy: "roll"},
}

// pairKinds leaves out what differs from another kind only in its words.
var pairKinds = []stage.Kind{stage.CrashBefore, stage.CrashAfter, stage.Lost, stage.Applied, stage.Refused}

// tally collects verdicts from several goroutines.
type tally struct {
	t      *testing.T
	mu     sync.Mutex
	n      int
	ends   map[string]int
	healed int
	broken int
	shown  map[string]bool
	// stuckOK: stuck is allowed, if it says everything and can be mended.
	stuckOK bool
}

func newTally(t *testing.T, stuckOK bool) *tally {
	debug.SetGCPercent(400)
	t.Cleanup(func() { debug.SetGCPercent(100) })
	return &tally{t: t, ends: map[string]int{}, stuckOK: stuckOK, shown: map[string]bool{}}
}

func (y *tally) add(v stage.Verdict) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.n++
	y.ends[v.Ending]++
	bad := slices.Clone(v.Broken)
	if v.Err != nil {
		bad = append(bad, v.Err.Error())
	}
	if v.Ending == "stuck" {
		if !y.stuckOK {
			bad = append(bad, "stuck: "+v.Stuck.Why)
		}
		if v.Healed {
			y.healed++
		} else {
			bad = append(bad, "resumed without further faults it still does not end")
		}
		if !y.shown[v.Stuck.Why] && len(y.shown) < 5 {
			y.shown[v.Stuck.Why] = true
			y.t.Logf("stuck, for example: %s\n  failed %s\n  live   %v\n  next   %s", v.Scenario, v.Stuck.Why, v.Stuck.Live, v.Stuck.Next)
		}
	}
	if len(bad) > 0 {
		if y.broken++; y.broken <= 10 {
			y.t.Errorf("%s (seed %d): %q\n  %v", v.Scenario, v.Seed, v.Ending, bad)
		}
	}
}

// done logs the figures; the share of stuck runs is a bar of the project.
func (y *tally) done(limit float64) {
	share := float64(y.ends["stuck"]) / float64(max(y.n, 1))
	line := fmt.Sprintf("%s: %d scenarios, %v, stuck %.2f %% (%d mended by resume), promises broken %d", y.t.Name(), y.n, y.ends, share*100, y.healed, y.broken)
	y.t.Log(line)
	fmt.Fprintln(os.Stderr, line)
	if share > limit {
		y.t.Errorf("%.2f %% of scenarios end stuck, want at most %.2f %%", share*100, limit*100)
	}
	if y.broken > 10 {
		y.t.Errorf("and %d more", y.broken-10)
	}
	if y.n == 0 {
		y.t.Error("nothing was tried")
	}
}

// workers runs scenarios on all processors.
func workers(feed func(chan<- func())) {
	work := make(chan func(), 64)
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() {
			for f := range work {
				f()
			}
		})
	}
	feed(work)
	close(work)
	wg.Wait()
}

// singles gives every call of every scenario every kind of fault; without any it has
// to end as wanted. The race detector needs no more than a sample.
func singles(t *testing.T, y *tally, scenarios []stage.Scenario, want func(stage.Scenario) rotation.Ending) {
	t.Helper()
	workers(func(work chan<- func()) {
		for _, sc := range scenarios {
			clean := sc.Run(1)
			y.add(clean)
			if clean.Ending != string(want(sc)) {
				t.Errorf("%s without any fault: %q %v %v", sc, clean.Ending, clean.Err, clean.Broken)
				continue
			}
			for call := 1; call <= clean.Calls; call++ {
				for i, k := range slices.Concat(stage.Kinds, stage.Rude) {
					if raceEnabled && (call+i)%4 != 0 {
						continue
					}
					one := sc
					one.Faults = []stage.Fault{{Call: call, Kind: k}}
					work <- func() { y.add(one.Run(1)) }
				}
			}
		}
	})
}

// pairsOf gives every call of every scenario a fault of these kinds and, after each,
// every so-many-th second one.
func pairsOf(y *tally, scenarios []stage.Scenario, kinds []stage.Kind, every int) {
	y.t.Helper()
	y.t.Logf("ONLY EVERY %dth SECOND FAULT IS TRIED; -args -whole tries all", every)
	workers(func(work chan<- func()) {
		n := 0
		for _, sc := range scenarios {
			calls := sc.Run(1).Calls
			for call := 1; call <= calls; call++ {
				for _, k := range kinds {
					if n++; sampled(1, 0) == 0 && n%5 != 0 {
						continue // fewer first faults as well
					}
					one := sc
					one.Faults = []stage.Fault{{Call: call, Kind: k}}
					work <- func() { pairsWith(one, every, y) }
				}
			}
		}
	})
}

// sampled is every so-many-th: fewer with -short and with the race detector.
func sampled(usual, fewer int) int {
	if testing.Short() || raceEnabled {
		return fewer
	}
	return usual
}

// toRotate is what a rotation ends as.
func toRotate(stage.Scenario) rotation.Ending { return rotation.Rotated }

// TestEverySingleFault gives every outside call of the SOP's plan every kind of
// fault, resumes from the journal, and judges the promises.
func TestEverySingleFault(t *testing.T) {
	y := newTally(t, false)
	singles(t, y, variations, toRotate)
	y.done(0)
}

// TestEveryPairOfFaults gives every two calls two kinds of faults: every second
// pair there is, so that the whole stays a matter of minutes, and all with -whole.
func TestEveryPairOfFaults(t *testing.T) {
	every, sampled := 2, testing.Short() || raceEnabled
	if sampled {
		every = 23
		t.Logf("ONLY EVERY %dth PAIR IS TRIED (-short or -race)", every)
	}
	y := newTally(t, true)
	workers(func(work chan<- func()) {
		n := 0
		for i, sc := range variations {
			calls, every := sc.Run(1).Calls, every
			if i > 0 && sc.Strategy == "" {
				every *= likeTheFirst
			}
			for call := 1; call <= calls; call++ {
				for _, k := range append(slices.Clone(pairKinds), stage.Limited, stage.Late) {
					if n++; sampled && n%7 != 0 {
						continue
					}
					one := sc
					one.Faults = []stage.Fault{{Call: call, Kind: k}}
					work <- func() { pairsWith(one, every, y) }
				}
			}
		}
	})
	y.done(0.02)
}

// whole gives the fault simulation every pair there is, also those that begin
// while a run only looks: they end in another look, and are most of all pairs.
var whole = flag.Bool("whole", false, "try every pair of faults; go test ./internal/runner -run Pairs -timeout 0 -args -whole")

// likeTheFirst: the variations that are replaced as the first is, and differ from it
// in the rules alone, are given every so-many-th pair, without -whole.
const likeTheFirst = 3

// whileLooking: so many of the pairs whose first fault meets a run before its first
// write are left out for each one that is tried, without -whole.
const whileLooking = 7

// pairsWith adds every second fault after the first.
func pairsWith(one stage.Scenario, every int, y *tally) {
	first := one.Run(1)
	switch {
	case *whole:
		every = 1
	case one.Faults[0].Call <= first.Looked:
		every *= whileLooking
	}
	if first.Late && !first.Made {
		return // late listing means something only at a creation
	}
	n := 0
	for call := one.Faults[0].Call + 1; call <= first.Calls; call++ {
		for _, k := range pairKinds {
			if n++; n%every != 0 {
				continue
			}
			two := one
			two.Faults = []stage.Fault{one.Faults[0], {Call: call, Kind: k}}
			y.add(two.Run(1))
		}
	}
}
