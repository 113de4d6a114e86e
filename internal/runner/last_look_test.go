package runner_test

import (
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

// What the ending says of store and consumers bears the time at which they were looked
// at: somebody may have written the store since.
func TestTheEndingDoesNotSayThatTheStoreHeldTheNewOneLaterThanItWasSeenTo(t *testing.T) {
	s := stage.New(1, stage.Knobs)
	after(s, kind{"DELETE", "/service_tokens/"}, 1, func(w *sim.State) {
		for _, x := range w.Infisical.Secrets {
			if x.Key == console {
				x.Versions[len(x.Versions)-1].Value = "somebody else's"
			}
		}
	})
	st := play(t, s, console)
	ended(t, st, rotation.Rotated)
	look := st.Step("running at the end").Last
	if look == nil {
		t.Fatal("there was no last look")
	}
	told := strings.Join(look.Evidence, "; ")
	if claims := strings.Contains(told, "held the new one"); claims && !strings.Contains(told, "right before the old one was deleted") || !claims && len(look.Held) == 0 {
		t.Errorf("the store was written after the old one had been deleted, and the ending says: %s", told)
	}
}
