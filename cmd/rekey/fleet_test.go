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

// fleet is a rekey.yaml for so many credentials of sim.Fleet.
func fleet(n int) string {
	var b strings.Builder
	b.WriteString(`rekey: 1
simulate: ADDRESS
vendors:
  cloudflare: {token: env:CF_ACCESS_MGMT, account: env:CF_ACCOUNT_ID}
  infisical: {client_id: env:INFISICAL_CLIENT_ID, client_secret: env:INFISICAL_CLIENT_SECRET, project: env:INFISICAL_PROJECT_ID}
  heroku: {token: env:HEROKU_API_KEY}
procedures:
  fleet:
    applies_to: FLEET_<SCOPE>
    discover: "off"
    timing: {poll: 20ms, quiet: 60ms, watch: 20ms}
    issuer: {vendor: cloudflare, kind: access-service-token, name: fleet-<scope>-<date>, duration: 8760h}
    store:
      vendor: infisical
      path: /MooseQuest/cloudflare/
      environment: prod
      slots: {<name>: "{client_secret}", <name>__CLIENT_ID: "{client_id}"}
    consumer:
      vendor: heroku
      grace: 80ms
      slots: {<name>: "{client_id}:{client_secret}"}
    validate:
      - url: https://fleet-<scope>.raxx.app/health
credentials:
`)
	for i := range n {
		fmt.Fprintf(&b, "  FLEET_%d:\n    consumers:\n      - app: fleet-%d\n", i, i)
	}
	return b.String()
}

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
	if err := os.WriteFile(filepath.Join(dir, "rekey.yaml"), []byte(strings.Replace(fleet(n), "ADDRESS", base, 1)), 0o600); err != nil {
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
