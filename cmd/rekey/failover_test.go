//go:build !windows

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"rekey/internal/realserver"
)

// TestAFailoverThatLosesEntriesIsTold: the primary of the journal dies in the middle of a
// run, and the standby that takes its place has never got the run. The process that was at
// it stops and says so. Whoever comes later is told that the journal knows nothing of what is
// in use, and of what was in use before and lives on.
func TestAFailoverThatLosesEntriesIsTold(t *testing.T) {
	t.Parallel()
	get, stop := realserver.PostgresOnce()
	t.Cleanup(stop)
	primary := get(t)
	s := newShared(t, primary)
	standby := primary.Standby(t)
	hosts := fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/trusting?search_path=failover&target_session_attrs=read-write\n", primary.Port, standby.Port)
	if err := os.WriteFile(filepath.Join(s.dir, "db.txt"), []byte(hosts), 0o600); err != nil {
		t.Fatal(err)
	}
	s.inDatabase()
	s.do(exitDone, "run", console, wanted, "--confirm", console)
	before := inUse(s)
	standby.Follows(t, primary)
	standby.CutOff(t)
	var once sync.Once
	s.before = func(call string) {
		if strings.HasPrefix(call, "PATCH ") && strings.Contains(call, "config-vars") {
			once.Do(func() { primary.Kill(t); standby.Promote(t) })
		}
	}
	says := func(code int, words []string, args ...string) {
		t.Helper()
		got, out := s.rekey(args...)
		for _, w := range words {
			if got != code || !strings.Contains(out, w) {
				t.Errorf("rekey %v: %d and not %d, or it does not say %q:\n%s", args, got, code, w, out)
			}
		}
	}
	says(exitStuck, []string{"was set back or replaced while it was in use", "  live  ", "drift " + console}, "run", console, wanted, "--confirm", console)
	s.before = nil
	after := inUse(s)
	if after == before {
		t.Fatal("nothing was made, so nothing is lost")
	}
	says(exitDone, []string{console}, "status")
	says(exitDone, []string{"one chain"}, "verify")
	told := []string{"the journal knows nothing of " + after + ", which is in use", before + ", which was in use before, lives on"}
	says(exitDone, told, "check", console)
	says(exitDone, told, "plan", console)
	says(exitDone, []string{"rotated"}, "run", console, wanted, "--confirm", console)
	for _, o := range look(t, s.base).Outages {
		t.Errorf("outage of %s (%s): %s", o.Process, o.Var, o.Why)
	}
}

// inUse is the name of the generation that the store holds.
func inUse(s *shared) string {
	s.Helper()
	w := look(s.T, s.base)
	for _, secret := range w.Infisical.Secrets {
		for _, x := range w.Cloudflare.Tokens {
			if secret.Key == console && secret.Versions[len(secret.Versions)-1].Value == x.Secret {
				return x.Name
			}
		}
	}
	s.Fatal("the store holds none that lives")
	return ""
}
