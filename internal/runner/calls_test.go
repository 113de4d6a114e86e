package runner_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

// TestARotationTakesFewCalls: at most thirty calls to vendors, with the waits and the
// world of the demo. It is counted in virtual time, since how often something is asked
// again depends on time.
func TestARotationTakesFewCalls(t *testing.T) {
	s := stage.New(1, sim.Knobs{Shutdown: sim.Duration(time.Second)})
	c := *s.Config
	c.Specs, s.Config = slices.Clone(c.Specs), &c // the example is parsed once, for all tests
	for i := range c.Specs {
		c.Specs[i].Consumers = slices.Clone(c.Specs[i].Consumers)
		w := &c.Specs[i].Timing
		w.Poll, w.Quiet, w.Watch = 200*time.Millisecond, time.Second, time.Second
		c.Specs[i].Consumers[0].Settings = json.RawMessage(`{"app":"raxx-console-prod","grace":"1s"}`)
	}
	vendors := map[string]int{}
	s.Before = func(_ int, req *http.Request, pass func() (*http.Response, error)) (*http.Response, error) {
		if v := sim.Hosts[req.URL.Host]; v != "" {
			vendors[v]++
		}
		return pass()
	}
	ended(t, play(t, s, console), rotation.Rotated)
	total := 0
	for _, n := range vendors {
		total += n
	}
	t.Logf("%d calls: %v", total, vendors)
	if total > 30 {
		t.Errorf("%d calls to vendors: %v", total, vendors)
	}
}
