package runner_test

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"rekey/internal/stage"
)

var variations = []stage.Scenario{
	{Credential: "CF_ACCESS_SVC_CONSOLE"},
	{Credential: "CF_ACCESS_SVC_CONSOLE", Everyone: true},
	{Credential: "CF_ACCESS_SVC_VAULT"},
	{Credential: "CF_ACCESS_SVC_VAULT", Everyone: true},
}

func TestPairs(t *testing.T) {
	debug.SetGCPercent(400)
	start := time.Now()
	var mu sync.Mutex
	endings := map[string]int{}
	healed, n := 0, 0
	shown := 0
	work := make(chan stage.Scenario, 100)
	var wg sync.WaitGroup
	report := func(v stage.Verdict) {
		mu.Lock()
		defer mu.Unlock()
		n++
		endings[v.Ending]++
		if v.Ending == "stuck" {
			if v.Healed {
				healed++
			}
			if endings["stuck"]%300 == 1 {
				fmt.Println("STUCK", v.Scenario, v.Stuck.Why)
			}
		}
		if v.Err != nil || len(v.Broken) > 0 {
			if shown++; shown < 15 {
				t.Errorf("%s: %s %v %v %+v", v.Scenario, v.Ending, v.Err, v.Broken, v.Stuck)
			} else {
				t.Fail()
			}
		}
	}
	for range runtime.NumCPU() {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for sc := range work {
				first := sc.Run(1)
				report(first)
				for call := sc.Faults[0].Call + 1; call <= first.Calls; call++ {
					for _, k := range stage.Kinds[:6] {
						if k == stage.Page {
							continue
						}
						two := sc
						two.Faults = append(append([]stage.Fault{}, sc.Faults...), stage.Fault{Call: call, Kind: k})
						report(two.Run(1))
					}
				}
			}
		}()
	}
	for _, sc := range variations {
		clean := sc.Run(1)
		for call := 1; call <= clean.Calls; call++ {
			for _, k := range stage.Kinds {
				if k == stage.Page || k == stage.Limited || k == stage.Late && call != 15 && call != 17 {
					continue
				}
				sc.Faults = []stage.Fault{{Call: call, Kind: k}}
				work <- sc
			}
		}
	}
	close(work)
	wg.Wait()
	fmt.Println(endings, n, "shown", shown, "healed", healed, time.Since(start))
}
