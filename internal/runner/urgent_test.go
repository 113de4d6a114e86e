package runner_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/sim/stage"
	"rekey/internal/vendorhttp"
)

// refused is what another process was told: nobody is to ask this account for long.
type refused struct{}

func (refused) Hold(context.Context, string, vendorhttp.Held) {}
func (refused) Held(context.Context, string) vendorhttp.Held {
	return vendorhttp.Held{Looks: 15 * time.Minute, Changes: 15 * time.Minute}
}

// TestTheWayBackWaitsForNoRateLimitOfOthers: the old one is switched off and something
// breaks, while another process was told to leave the vendor alone. What is asked on the
// way forward would wait; the old one is switched on again at once.
func TestTheWayBackWaitsForNoRateLimitOfOthers(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	client := vendorhttp.Client{Vendor: "cloudflare", Base: "http://unasked.invalid", Transport: http.DefaultTransport, Now: s.Clock.Now, Pace: &vendorhttp.Pace{Limits: refused{}}}
	waits := func(req *http.Request) bool {
		ended, cancel := context.WithCancel(req.Context())
		cancel() // nothing is sent
		_, err := client.Do(ended, vendorhttp.Request{Op: "ask", Method: http.MethodPut, Path: "/"})
		return cred.ClassOf(err) == cred.Limited
	}
	off := false
	var said []bool
	whenever(s, switches, func(_ int, req *http.Request, pass send) (*http.Response, error) {
		said, off = append(said, waits(req)), true
		return pass()
	})
	whenever(s, checks, func(_ int, req *http.Request, pass send) (*http.Response, error) {
		if off {
			return says(req, 200, "application/json", `{"sites":[]}`)
		}
		return pass()
	})
	st := play(t, s, console)
	ended(t, st, rotation.RolledBack)
	judged(t, s, st)
	if len(said) != 2 || !said[0] || said[1] {
		t.Errorf("switched off, switched on: whether each would wait is %v", said)
	}
}
