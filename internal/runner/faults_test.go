package runner_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sim/stage"
	basis "rekey/internal/stage"
)

// TestMain lets the whole process collect memory less often, unless GOGC says otherwise:
// much is made and dropped, and little is kept. It belongs to the process, not to a test:
// one that sets it back when it ends does so for those that run beside it.
func TestMain(m *testing.M) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(800)
	}
	os.Exit(m.Run())
}

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
	t       *testing.T
	mu      sync.Mutex
	n       int
	ends    map[string]int
	healed  int
	broken  int
	shown   map[string]bool
	sampled string // what of all there is was tried; "": everything
	// stuckOK: stuck is allowed, if it says everything and can be mended.
	stuckOK bool
}

func newTally(t *testing.T, stuckOK bool) *tally {
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
	if y.sampled != "" {
		line += "; " + y.sampled + " (-args -whole tries all)"
	}
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

// singles gives calls of every scenario every kind of fault; without any it has to end
// as wanted. With -whole every call gets every kind. Without, it gets one in 33 of them,
// by turns from call to call and from scenario to scenario, so that a call that several
// scenarios have gets others in each, and by turns from one nightly run to the next; the race
// detector gets fewer.
func singles(t *testing.T, y *tally, scenarios []stage.Scenario, want func(stage.Scenario) rotation.Ending) {
	t.Helper()
	kinds := slices.Concat(stage.Kinds, stage.Rude)
	workers(func(work chan<- func()) {
		for n, sc := range scenarios {
			clean := sc.Run(1)
			y.add(clean)
			if clean.Ending != string(want(sc)) {
				t.Errorf("%s without any fault: %q %v %v", sc, clean.Ending, clean.Err, clean.Broken)
				continue
			}
			every := 33
			switch {
			case *whole:
				every = 1
			case raceEnabled || testing.Short():
				every = 88
			}
			for call := 1; call <= clean.Calls; call++ {
				for i, k := range kinds {
					if (call+i+n+turn())%every != 0 {
						continue
					}
					one := sc
					one.Faults = []stage.Fault{{Call: call, Kind: k}}
					work <- func() { y.add(one.Run(1)) }
				}
			}
			if every > 1 {
				y.sampled = fmt.Sprintf("EVERY %dth FROM %d ON", every, turn()%every)
			}
		}
	})
}

// turn is which of a sample have their turn.
func turn() int { return basis.Turn() }

// sample is every so-many-th: all with -whole, and a fifth with the race detector, which
// needs no more.
func sample(every int) int {
	switch {
	case *whole:
		return 1
	case raceEnabled:
		return 5 * every
	}
	return every
}

// pairsOf gives every scenario pairs of faults: so many drawn ones, the same each
// time; with -pairs another number, and with -whole every pair of these kinds there is.
func pairsOf(y *tally, scenarios []stage.Scenario, kinds []stage.Kind, drawn int) {
	y.t.Helper()
	if *whole {
		y.everyPair(scenarios, slices.Concat(kinds, stage.Rude))
		return
	}
	switch {
	case *pairs > 0:
		drawn = *pairs
	case raceEnabled || testing.Short():
		drawn = max(drawn/8, 10)
	}
	y.sampled = fmt.Sprintf("%d DRAWN PAIRS EACH", drawn)
	all := slices.Concat(stage.Kinds, stage.Rude)
	workers(func(work chan<- func()) {
		for n, sc := range scenarios {
			calls := sc.Run(1).Calls
			r := rand.New(rand.NewPCG(uint64(*seedFlag), uint64(n)))
			for range drawn {
				first := stage.Fault{Call: 1 + r.IntN(calls), Kind: all[r.IntN(len(all))]}
				second := stage.Fault{Call: first.Call + 1 + r.IntN(calls), Kind: all[r.IntN(len(all))]}
				two := sc
				two.Faults = []stage.Fault{first, second}
				work <- func() { y.add(two.Run(1)) }
			}
		}
	})
}

// everyPair gives every call of every scenario a fault of these kinds and, after each,
// every second one.
func (y *tally) everyPair(scenarios []stage.Scenario, kinds []stage.Kind) {
	workers(func(work chan<- func()) {
		for _, sc := range scenarios {
			calls := sc.Run(1).Calls
			for call := 1; call <= calls; call++ {
				for _, k := range kinds {
					one := sc
					one.Faults = []stage.Fault{{Call: call, Kind: k}}
					work <- func() {
						first := one.Run(1)
						if first.Late && !first.Made {
							return // late listing means something only at a creation
						}
						for next := call + 1; next <= first.Calls; next++ {
							for _, k2 := range kinds {
								two := one
								two.Faults = []stage.Fault{one.Faults[0], {Call: next, Kind: k2}}
								y.add(two.Run(1))
							}
						}
					}
				}
			}
		}
	})
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

// TestEveryPairOfFaults gives the SOP's plan pairs of faults of all kinds.
func TestEveryPairOfFaults(t *testing.T) {
	y := newTally(t, true)
	pairsOf(y, variations, append(slices.Clone(pairKinds), stage.Limited, stage.Late), 70)
	y.done(0.02)
}

var (
	// whole gives the fault simulation every fault and every pair that there is.
	whole = flag.Bool("whole", false, "try every fault and every pair; go test ./internal/runner -run 'Fault|Pair' -timeout 0 -args -whole")
	// pairs is how many pairs of faults are drawn for each scenario.
	pairs = flag.Int("pairs", 0, "how many pairs of faults are drawn for each scenario; 0: as each test says")
)
