package main

import (
	"strings"
	"testing"
	"time"

	"rekey/internal/sim"
)

// TestFarDates: a vendor's date that lies further away than a length of time can say
// stops neither a look nor a plan nor a run.
func TestFarDates(t *testing.T) {
	t.Parallel()
	for _, years := range []int{300, 7000} {
		w := newTown(t)
		w.world.Look(func(s *sim.State) {
			for _, token := range s.Cloudflare.Tokens {
				token.ExpiresAt = token.ExpiresAt.AddDate(years, 0, 0)
			}
		})
		const name = "CF_ACCESS_SVC_VAULT"
		for _, args := range [][]string{{"plan", name}, {"check", name}, {"status", "--live"}, {"drift", name}, {"run", name, "--confirm", name}, {"status"}, {"evidence", "--from", "2020-01-01"}} {
			if code, out := w.rekey(args...); code != exitDone && code != exitNeeds || strings.Contains(out, "panic") || strings.Contains(out, "106751") {
				t.Errorf("%d years: %s: exit %d\n%s", years, strings.Join(args, " "), code, out)
			}
		}
	}
}

// TestOutsideItsWindow: a run does not begin where no window is open, says when
// the next one is, and begins when it is told to.
func TestOutsideItsWindow(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	later := time.Now().UTC().AddDate(0, 0, 3)
	window := later.Format("Mon") + " 09:00-10:00 UTC"
	w.rewrite(func(text string) string {
		return strings.Replace(text, "    before_expiry: 14d\n", "    before_expiry: 14d\n    windows: [\""+window+"\"]\n", 1)
	})
	const name = "CF_ACCESS_SVC_VAULT"
	code, out := w.rekey("run", name, "--confirm", name)
	if code != exitFailed || !strings.Contains(out, window) || !strings.Contains(out, later.Format(time.DateOnly)+"T09:00:00Z") || !strings.Contains(out, "--outside-window") {
		t.Errorf("exit %d: %s", code, out)
	}
	if code, out = w.rekey("log"); strings.Contains(out, name) {
		t.Errorf("exit %d: a run was opened: %s", code, out)
	}
	if code, out = w.rekey("run", name, "--confirm", name, "--outside-window"); code != exitDone {
		t.Errorf("exit %d: %s", code, out)
	}
}
