package runner_test

import (
	"context"
	"strings"
	"testing"

	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sim/stage"
)

var byHand = stage.Scenario{Credential: stage.PortalKey, On: stage.NewByHand}

// TestByHand: a person makes and ends, everything between is automatic, and the
// person's word is proven at the place that the key opens.
func TestByHand(t *testing.T) {
	s := stage.NewByHand(1, stage.Knobs)
	st := play(t, s, stage.PortalKey)
	ended(t, st, rotation.Rotated)
	judged(t, s, st)
	if n := count(s, "portal", "POST"); n != 1 {
		t.Errorf("%d keys made", n)
	}
}

// TestByHandUnderEverySingleFault: whatever a person could not do, see or finish,
// and wherever the process dies, the promises hold.
func TestByHandUnderEverySingleFault(t *testing.T) {
	y := newTally(t, false)
	workers(func(work chan<- func()) {
		clean := byHand.Run(1)
		y.add(clean)
		if clean.Ending != string(rotation.Rotated) {
			t.Errorf("without any fault: %q %v", clean.Ending, clean.Err)
		}
		for call := 1; call <= clean.Calls; call++ {
			for i, k := range stage.Kinds {
				if (call+i+turn())%sample(6) != 0 {
					y.sampled = "EVERY 6th"
					continue
				}
				one := byHand
				one.Faults = []stage.Fault{{Call: call, Kind: k}}
				work <- func() { y.add(one.Run(1)) }
			}
		}
	})
	y.done(0)
}

// TestPersonWhoDoesNot: what a person says is not taken for what is.
func TestPersonWhoDoesNot(t *testing.T) {
	for name, c := range map[string]struct {
		do     func(t provider.Task, real provider.Person) (provider.Answer, error)
		ending rotation.Ending
		stuck  string
	}{
		"gives up": {func(t provider.Task, real provider.Person) (provider.Answer, error) {
			if t.Want == provider.WantMake {
				return provider.Answer{}, nil
			}
			return real(context.Background(), t)
		}, rotation.RolledBack, ""},
		"says that it is gone, and it is not": {func(t provider.Task, real provider.Person) (provider.Answer, error) {
			switch t.Want {
			case provider.WantEnd:
				return provider.Answer{Yes: true}, nil
			case provider.WantListed:
				return provider.Answer{}, nil
			}
			return real(context.Background(), t)
		}, "", "still"},
		"hands over the one in use": {func(t provider.Task, real provider.Person) (provider.Answer, error) {
			a, err := real(context.Background(), t)
			if t.Want == provider.WantMake {
				a.Bundle = nil
			}
			return a, err
		}, rotation.RolledBack, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := stage.NewByHand(1, stage.Knobs)
			real := sim.Person(s, s.Clock.Now, nil)
			s.Person = func(_ context.Context, task provider.Task) (provider.Answer, error) { return c.do(task, real) }
			st := play(t, s, stage.PortalKey)
			if c.stuck != "" {
				if st.Stuck == nil || !strings.Contains(st.Stuck.Why, c.stuck) {
					t.Errorf("%+v", st.Stuck)
				}
				return
			}
			ended(t, st, c.ending)
			judged(t, s, st)
		})
	}
}
