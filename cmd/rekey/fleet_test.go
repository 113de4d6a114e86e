package main

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rekey/internal/sim"
	"rekey/internal/sop"
)

// fleetTiming lets a rotation of the fleet take no longer than it has to.
const fleetTiming = "poll: 20ms, quiet: 60ms, watch: 20ms"

// TestManyRunsAtOnceOnSharedPolicies: sixteen runs at a time rotate credentials of which
// ten share a policy. None fails, nobody is ever without access, and every policy names
// just the tokens that are in use. With -args -whole there are 200.
func TestManyRunsAtOnceOnSharedPolicies(t *testing.T) {
	n := 24
	if *whole {
		n = 200
	} else {
		fmt.Fprintf(os.Stderr, "%s: A SAMPLE: %d credentials; -args -whole takes 200\n", t.Name(), n)
	}
	knobs := demoKnobs(0)
	knobs.Shutdown = sim.Duration(50 * time.Millisecond)
	world := sim.Open(sim.New(sim.Options{Seed: 7, Now: time.Now(), Knobs: knobs}), time.Now)
	world.Look(func(s *sim.State) { s.Fleet(n, 10) })
	server := httptest.NewServer(world)
	t.Cleanup(server.Close)
	base := server.URL
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rekey.yaml"), []byte(sim.FleetConfig(n, base, fleetTiming)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sop.Load(filepath.Join(dir, "rekey.yaml")); err != nil {
		t.Fatal(err)
	}
	names := make(chan string)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for name := range names {
				var out strings.Builder
				if code := execute(t.Context(), []string{"-C", dir, "run", name, "--confirm", name}, streams{in: strings.NewReader(""), out: &out, err: &out}); code != exitDone {
					t.Errorf("%s: exit %d\n%s", name, code, out.String())
				}
			}
		})
	}
	for i := range n {
		names <- fmt.Sprintf("FLEET_%d", i)
	}
	close(names)
	all.Wait()
	world.Look(func(s *sim.State) {
		for _, o := range s.Outages {
			t.Errorf("outage of %s in %s from %s: %s", o.App, o.Var, o.From.Format(time.TimeOnly), o.Why)
		}
		live := map[string]bool{}
		ours := 0
		for _, x := range s.Cloudflare.Tokens {
			live[x.ID] = true
			if strings.HasPrefix(x.Name, "fleet-") {
				ours++
			}
		}
		if ours != n {
			t.Errorf("%d tokens are live, want %d", ours, n)
		}
		for _, x := range s.Cloudflare.Deleted {
			for _, p := range s.Cloudflare.Policies {
				if strings.Contains(string(p["include"]), x.ID) {
					t.Errorf("a policy still names %s, which is deleted", x.Name)
				}
			}
		}
	})
}
