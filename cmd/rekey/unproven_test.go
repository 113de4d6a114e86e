package main

import (
	"strings"
	"testing"

	"rekey/internal/sim"
)

// TestARepairThatTheGateDeniesLeavesWhatIsKnownAsItWas: somebody writes rubbish into the
// store, and a repair that wants to give it to everybody is denied by the gate. The
// journal still knows what the app holds, and says so.
func TestARepairThatTheGateDeniesLeavesWhatIsKnownAsItWas(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.rewrite(func(text string) string {
		return strings.Replace(text, "poll: 20ms", "poll: 20ms\n      validate: 200ms", 1)
	})
	if code, out := w.rekey("run", console, "--confirm", console); code != exitDone {
		t.Fatalf("exit %d\n%s", code, out)
	}
	w.world.Look(func(s *sim.State) {
		for _, x := range s.Infisical.Secrets {
			if x.Key == console {
				x.Versions[len(x.Versions)-1].Value = "rubbish"
			}
		}
	})
	if code, out := w.rekey("repair", console, "--confirm", console); code != exitRolledBack {
		t.Fatalf("the repair: exit %d\n%s", code, out)
	}
	const says = "heroku:raxx-console-prod still holds raxx-console-svc-"
	code, out := w.rekey("drift", console)
	if strings.Contains(out, "neither the store nor the journal knows") || !strings.Contains(out, says) {
		t.Errorf("what the app holds is no longer known: exit %d\n%s", code, out)
	}
	if code, out := w.rekey("repair", console, "--from", "heroku:raxx-console-prod", "--confirm", console); code != exitDone {
		t.Errorf("the other way round: exit %d\n%s", code, out)
	}
	if code, out := w.rekey("drift", console); code != exitDone {
		t.Errorf("after that: exit %d\n%s", code, out)
	}
}
