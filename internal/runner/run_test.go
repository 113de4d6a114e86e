package runner_test

import (
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sim/stage"
)

func TestCleanRun(t *testing.T) {
	for _, name := range []string{"CF_ACCESS_SVC_CONSOLE", "CF_ACCESS_SVC_VAULT"} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(1, stage.Knobs)
			result, err := s.Play(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range s.Judge(result) {
				t.Error(b)
			}
			if c := result.State.Closed; c == nil || c.Ending != rotation.Rotated {
				t.Fatalf("ending %+v\n%s", c, s.Log.Text())
			}
			t.Logf("%d calls\n", s.Calls)
		})
	}
}
