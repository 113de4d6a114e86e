package rotation

import (
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
)

// TestACleanUpThatAlwaysFindsSomethingEnds: an issuer that says that it has ended something,
// and has not, is asked a number of times and then a person is. Resumed, it is tried anew.
func TestACleanUpThatAlwaysFindsSomethingEnds(t *testing.T) {
	s, now := NewState(), time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	s.Run, s.Opened, s.Mode = "r", &Opened{Credential: "X"}, Back
	s.Plan = &Plan{Strategy: Replace, Back: []Step{{ID: "sweep", Verb: Sweep, Strays: true, Title: "clean up"}}}
	s.Uncertain = true
	tries := func() (n int) {
		for range 1000 {
			switch d := Next(s, now, false); {
			case len(d.Do) == 1:
				n++
				s.Apply(Event{At: now, Kind: KindIntent, Intent: &Intent{Steps: []string{"sweep"}}})
				s.Apply(Event{At: now, Kind: KindOutcome, Outcome: &Outcome{Step: "sweep", Class: cred.Done, Gone: []string{"7"}}})
			case d.Wait != nil:
				now = d.Wait.Until
			case d.Stuck != nil:
				if !strings.Contains(d.Stuck.Why, "clean up: ") || !strings.Contains(d.Stuck.Why, "is back, or was not revoked") {
					t.Errorf("stuck, and it does not say why: %s", d.Stuck.Why)
				}
				s.Apply(Event{At: now, Kind: KindStuck, Stuck: d.Stuck})
				return n
			default:
				t.Fatalf("after %d: %+v", n, d)
			}
		}
		t.Fatalf("%d clean-ups, and no end", n)
		return n
	}
	first := tries()
	s.Apply(Event{At: now, Kind: KindResumed, Resumed: &Resumed{}})
	s.Seeing = false // it has looked
	if again := tries(); first != mostSweeps+1 || again != first {
		t.Errorf("%d clean-ups, and %d once resumed, want %d each", first, again, mostSweeps+1)
	}
}
