package sim_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"rekey/internal/sim"
)

// start is when the world of the file was made.
var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// oldFile was written by the version in which one struct named every vendor.
const oldFile = "testdata/before-doubles.json"

// parsed is JSON without its order.
func parsed(t *testing.T, name string) map[string]any {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// made is the world that the old file holds.
func made() *sim.World {
	s := sim.New(sim.Options{Seed: 1, Now: start})
	s.GivePortalKey("console-2026-08-23", "PORTAL_KEY_CONSOLE")
	s.GiveAuthorization("raxx-metrics", []string{"identity"}, "X__ID", "X")
	s.GiveClientSecret("raxx-app", "", "APP_LOGIN")
	w := sim.Open(s, func() time.Time { return start })
	w.Inject(sim.Fault{Vendor: "heroku", Endpoint: "PATCH", Status: 503, After: 2})
	return w
}

// TestTheSameSeedGivesTheSameWorld as it did before the doubles stood apart, to the
// last identifier: what a person practised on goes on.
func TestTheSameSeedGivesTheSameWorld(t *testing.T) {
	name := filepath.Join(t.TempDir(), "world.json")
	made().Look(func(s *sim.State) {
		if err := sim.Save(name, s); err != nil {
			t.Fatal(err)
		}
	})
	got, want := parsed(t, name), parsed(t, oldFile)
	for _, empty := range []string{"hooks", "portal"} { // written always now
		if v, ok := got[empty]; ok && want[empty] == nil && v == nil {
			delete(got, empty)
		}
	}
	for key := range want {
		if !reflect.DeepEqual(got[key], want[key]) {
			t.Errorf("%s is not what it was", key)
		}
		delete(got, key)
	}
	if len(got) > 0 {
		t.Errorf("besides: %v", got)
	}
}

// TestAnOldFileIsOpened, and written as it was read.
func TestAnOldFileIsOpened(t *testing.T) {
	name := filepath.Join(t.TempDir(), "world.json")
	b, err := os.ReadFile(oldFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	w, unlock, err := sim.Load(name, func() time.Time { return start })
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	w.Look(func(s *sim.State) {
		if len(s.Cloudflare.Tokens) != 3 || len(s.Heroku.Apps) != 1 || len(s.Portal.Keys) != 1 || len(s.Infisical.Identities) != 2 || len(s.Faults) != 1 {
			t.Errorf("read %d tokens, %d apps, %d keys, %d identities, %d faults",
				len(s.Cloudflare.Tokens), len(s.Heroku.Apps), len(s.Portal.Keys), len(s.Infisical.Identities), len(s.Faults))
		}
		if err := sim.Save(name, s); err != nil {
			t.Fatal(err)
		}
	})
	again := parsed(t, name)
	for key, want := range parsed(t, oldFile) {
		if !reflect.DeepEqual(again[key], want) {
			t.Errorf("%s was read and is written otherwise", key)
		}
	}
}
