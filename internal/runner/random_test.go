package runner_test

import (
	"flag"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

var (
	seedFlag  = flag.Int64("seed", 1, "first seed of the random schedules")
	schedules = flag.Int("schedules", 150, "how many random schedules")
	endless   = flag.Bool("endless", false, "random schedules until a promise is broken")
)

// TestRandomFaults plays schedules of any number of faults in worlds of every
// kind. A broken promise is found again with -seed.
func TestRandomFaults(t *testing.T) {
	n := *schedules
	if raceEnabled || testing.Short() {
		n = min(n, 300)
		t.Logf("ONLY %d SCHEDULES (-short or -race)", n)
	}
	y := newTally(t, true)
	workers(func(work chan<- func()) {
		for i := int64(0); *endless && !t.Failed() || i < int64(n); i++ {
			seed := *seedFlag + i
			work <- func() { y.add(randomScenario(seed).Run(seed)) }
		}
	})
	y.done(0.10)
}

func randomScenario(seed int64) stage.Scenario {
	r := rand.New(rand.NewPCG(uint64(seed), 0))
	sc := variations[r.IntN(len(variations))]
	for range 1 + r.IntN(7) {
		sc.Faults = append(sc.Faults, stage.Fault{Call: 1 + r.IntN(60), Kind: stage.Kinds[r.IntN(len(stage.Kinds))]})
	}
	k := stage.Knobs
	second := func(n int) sim.Duration { return sim.Duration(time.Duration(r.IntN(n)) * time.Second) }
	some := func(f func()) {
		if r.IntN(4) == 0 {
			f()
		}
	}
	some(func() { k.EdgeDelay = second(30) })
	some(func() { k.ListLag = r.IntN(3) })
	some(func() { k.ReleaseDelay = second(60) })
	some(func() { k.Preboot = true })
	some(func() { k.BootDelay = second(40) })
	some(func() { k.Strict = true })
	switch r.IntN(12) {
	case 0:
		k.Release, k.ReleaseDelay = "failed", second(60)
	case 1:
		k.Crash = true
	}
	sc.Knobs = &k
	return sc
}

// TestLastingRefusal lets a vendor refuse one kind of call for ever, from every
// moment of the run on. Nothing may be out. Where the run cannot end by itself it
// says what is live; once the vendor gives in, resume ends it.
func TestLastingRefusal(t *testing.T) {
	y := newTally(t, true)
	early := map[string]int{}
	workers(func(work chan<- func()) {
		for _, sc := range variations {
			for call := 1; call <= sc.Run(1).Calls; call += sample(2) {
				one := sc
				one.Faults = []stage.Fault{{Call: call, Kind: stage.RefusedForEver}}
				work <- func() {
					v := one.Run(1)
					y.add(v)
					if v.Ending == "stuck" && !strings.Contains(v.Stuck.Live[0], "may already be deleted") && !strings.Contains(v.Stuck.Live[0], "is deleted") {
						y.mu.Lock()
						early[v.Stuck.Why]++
						y.mu.Unlock()
					}
				}
			}
		}
	})
	for why, n := range early {
		t.Logf("stuck before the point of no return, %d times: %s", n, why)
	}
	y.done(1)
}

// TestTheJudgeSees breaks the plan in ways that must break a promise: a judge
// that finds nothing here finds nothing anywhere.
func TestTheJudgeSees(t *testing.T) {
	judgeSees(t, variations[0], map[string]broken{
		"consumers are never switched": {drop(rotation.Propagate, rotation.Settle, rotation.Quiet), nil, "promise 1"},
		"old processes are not waited for": {func(p *rotation.Plan) {
			drop(rotation.Quiet)(p)
		}, nil, "promise 1"},
		"the old one is never deleted":     {drop(rotation.Delete, rotation.Confirm), nil, "promise 3"},
		"the store is left out":            {drop(rotation.Store), nil, "promise 3"},
		"a rollback forgets the new one":   {drop(rotation.Discard), []stage.Fault{{Call: callOf(t, "PATCH", "/secrets/batch"), Kind: stage.Refused}}, "promise 3"},
		"a rollback forgets the consumers": {drop(rotation.Return, rotation.Resettle), []stage.Fault{{Call: callOf(t, "PATCH", "/config-vars") + 1, Kind: stage.Refused}}, "promise 1"},
	})
}

// broken is a plan or a run in which a promise is broken.
type broken struct {
	damage  func(*rotation.Plan)
	faults  []stage.Fault
	promise string
}

// judgeSees: what breaks a promise in a scenario is found.
func judgeSees(t *testing.T, sc stage.Scenario, cases map[string]broken) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			sc, polite := sc, stage.Knobs
			sc.Faults, sc.Damage, sc.Knobs = c.faults, c.damage, &polite
			v := sc.Run(1)
			if !strings.Contains(strings.Join(v.Broken, "\n"), c.promise) {
				t.Errorf("ended %q, and the judge found only %v (%v)", v.Ending, v.Broken, v.Err)
			}
		})
	}
}

// drop takes steps out of a plan.
func drop(verbs ...rotation.Verb) func(*rotation.Plan) {
	return func(p *rotation.Plan) {
		gone := map[string][]string{} // with what each needs
		for _, list := range []*[]rotation.Step{&p.Steps, &p.Back} {
			var kept []rotation.Step
			for _, st := range *list {
				if contains(verbs, st.Verb) {
					gone[st.ID] = st.Needs
					continue
				}
				kept = append(kept, st)
			}
			for i := range kept {
				var needs []string
				for want := kept[i].Needs; len(want) > 0; want = want[1:] {
					if of, dropped := gone[want[0]]; dropped {
						want = append(slices.Clone(want), of...) // who needs it still needs what comes before
					} else {
						needs = append(needs, want[0])
					}
				}
				kept[i].Needs = needs
			}
			*list = kept
		}
	}
}

// callOf is the number of the first such call in a run without faults.
func callOf(t *testing.T, method, part string) int {
	t.Helper()
	sc := variations[0]
	sc.On = stage.New
	return callOn(t, sc, method, part)
}

// callOn does so on the stage of a scenario.
func callOn(t *testing.T, sc stage.Scenario, method, part string) int {
	t.Helper()
	s, n := sc.On(1, stage.Knobs), 0
	s.Before = func(call int, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if n == 0 && req.Method == method && strings.Contains(req.URL.Path, part) {
			n = call
		}
		return send()
	}
	if _, err := s.Play(sc.Credential); err != nil || n == 0 {
		t.Fatalf("no call %s %s: %v", method, part, err)
	}
	return n
}

func contains(list []rotation.Verb, v rotation.Verb) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}
