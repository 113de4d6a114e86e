package runner_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
	"rekey/internal/wire"
)

// advised is what `rekey check` says: what stands against a run, and what is worth
// knowing.
func advised(t *testing.T, s *stage.Stage, name string) (refused, advice string) {
	t.Helper()
	seen, err := s.Look(name)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := s.Config.Spec(name)
	if err != nil {
		t.Fatal(err)
	}
	hands, err := wire.ByHand(spec, s.Config.Vendors)
	if err != nil {
		t.Fatal(err)
	}
	_, refusals := rotation.Compile(spec, seen, hands.Can, "check")
	for _, r := range refusals {
		refused += r.Code + ": " + r.What + "\n"
	}
	return refused, strings.Join(seen.Advice, "\n")
}

// TestARuleThatDemandsMoreIsFoundBefore: an address or a device that is demanded
// besides the token is found by asking with the credential in use, not by a rollback.
func TestARuleThatDemandsMoreIsFoundBefore(t *testing.T) {
	for field, rule := range map[string]string{
		"require": `[{"device_posture":{"integration_uid":"d"}}]`, "exclude": `[{"everyone":{}}]`,
	} {
		s := stage.New(1, stage.Knobs)
		s.World.Look(func(w *sim.State) {
			w.Cloudflare.Policies[0][field] = json.RawMessage(rule)
			known := &w.Edge.Known
			*known = sim.View{At: known.At, Tokens: known.Tokens, Apps: known.Apps, Groups: known.Groups, Policies: w.Cloudflare.Policies}
		})
		before := see(s)
		if refused, _ := advised(t, s, console); !strings.Contains(refused, "gate-denies: https://console.raxx.app/health denies the credential in use as well") {
			t.Errorf("%s: %q", field, refused)
		}
		nothingWritten(t, s, before)
	}
	s := stage.New(1, stage.Knobs)
	if refused, _ := advised(t, s, console); refused != "" {
		t.Errorf("nothing else is demanded, and it says %s", refused)
	}
	seen, err := s.Look(console)
	if err != nil || seen.Gates[0].InUse != cred.Accepted {
		t.Errorf("%+v, %v", seen.Gates, err)
	}
}

// TestAPublishedLimitIsTold and left to the vendor to enforce: some have more.
func TestAPublishedLimitIsTold(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	s.World.Look(func(w *sim.State) {
		w.Cloudflare.MaxLive = 100
		for i := len(w.Cloudflare.Tokens); i < 50; i++ {
			w.Cloudflare.Tokens = append(w.Cloudflare.Tokens, &sim.Token{ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), Name: "somebody's", ClientID: fmt.Sprint(i), Enabled: true})
		}
	})
	if refused, advice := advised(t, s, console); refused != "" || !strings.Contains(advice, "lists 50 live, and its published limit is 50") {
		t.Errorf("%q, %q", refused, advice)
	}
	ended(t, play(t, s, console), rotation.Rotated)

	s = stage.New(1, stage.Knobs)
	s.World.Look(func(w *sim.State) { w.Cloudflare.MaxLive = 3 })
	ended(t, play(t, s, console), rotation.RolledBack, "as many of these as it may have")
}

// TestTheSkewOfClocksIsTold, of every vendor whose clock is another than ours.
func TestTheSkewOfClocksIsTold(t *testing.T) {
	for ahead, want := range map[time.Duration]string{
		10 * time.Minute: "the clock of cloudflare is 10m0s ahead of ours", -10 * time.Minute: "the clock of cloudflare is 10m0s behind ours", time.Second: "",
	} {
		s := stage.New(1, stage.Knobs)
		s.Around = func(next http.RoundTripper) http.RoundTripper { return dated{next, s, ahead} }
		_, advice := advised(t, s, console)
		if want == "" && strings.Contains(advice, "the clock of") || !strings.Contains(advice, want) {
			t.Errorf("%s: %q", ahead, advice)
		}
	}
}

// dated is a network whose vendors have a clock of their own.
type dated struct {
	next  http.RoundTripper
	s     *stage.Stage
	ahead time.Duration
}

func (d dated) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.next.RoundTrip(r)
	if err == nil {
		resp.Header.Set("Date", d.s.Clock.Now().Add(d.ahead).UTC().Format(http.TimeFormat))
	}
	return resp, err
}

// TestAGraceRunsByTheVendorsClock: that an earlier grace is over by ours ends nothing
// that still works by theirs.
func TestAGraceRunsByTheVendorsClock(t *testing.T) {
	for ahead, refuse := range map[time.Duration]bool{0: false, -10 * time.Minute: true} {
		s := stage.New(1, stage.Knobs)
		s.Around = func(next http.RoundTripper) http.RoundTripper { return dated{next, s, ahead} }
		s.World.Look(func(w *sim.State) {
			w.Cloudflare.Tokens[0].PrevSecret, w.Cloudflare.Tokens[0].PrevUntil = "an earlier one", w.At.Add(-5*time.Minute)
		})
		seen, err := s.Look(console)
		if err != nil {
			t.Fatal(err)
		}
		spec, _ := s.Config.Spec(console)
		spec.Issuer.Strategy = "roll"
		_, refusals := rotation.Compile(spec, seen, rotation.Capabilities{Create: true, Roll: rotation.RollWithGrace}, "check")
		if got := len(refusals) > 0 && refusals[0].Code == rotation.GraceRunning; got != refuse {
			t.Errorf("%s ahead: %+v", ahead, refusals)
		}
	}
}
