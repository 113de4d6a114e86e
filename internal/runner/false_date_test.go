package runner_test

import (
	"net/http"
	"testing"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

// A proxy that puts its own time on answers makes the vendor's clock look ten minutes
// ahead of what the vendor stamps: the last use of somebody who uses the old one all
// the time looks ten minutes old. The time at which the new one was made tells, and
// then only a last use that stands still counts.
func TestADateThatIsNotTheIssuersDoesNotMakeTheOldOneLookUnused(t *testing.T) {
	for _, off := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		s := stage.New(1, stage.Knobs)
		var old *sim.Token
		s.World.Look(func(w *sim.State) { old = w.Cloudflare.Tokens[0] })
		s.Before = func(_ int, req *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			s.World.Look(func(w *sim.State) {
				if old.Enabled {
					old.LastSeenAt = w.At // somebody uses it between any two calls
				}
			})
			resp, err := send()
			if err == nil && req.URL.Host == "api.cloudflare.com" {
				resp.Header.Set("Date", s.Clock.Now().Add(off).UTC().Format(http.TimeFormat))
			}
			return resp, err
		}
		st := play(t, s, console)
		ended(t, st, rotation.RolledBack, "until the old one is unused")
		judged(t, s, st)
		if n := count(s, "cloudflare", "PUT /client/v4/accounts/{account}/access/service_tokens/"); n != 0 {
			t.Errorf("a credential that is in use was switched off")
		}
	}
}
