package runner_test

import (
	"net/http"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sim/stage"
)

// TestAPanicInAVendorEndsNothing: a mistake in a driver, after its call was applied,
// is an unknown outcome: the run looks, goes on or goes back, and nobody is without.
func TestAPanicInAVendorEndsNothing(t *testing.T) {
	for name, k := range map[string]kind{"a create": creates, "a write to an app": appWrites, "a delete": deletes} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(1, stage.Knobs)
			broken := false
			whenever(s, k, func(n int, _ *http.Request, pass send) (*http.Response, error) {
				resp, err := pass()
				if n == 1 {
					_ = resp.Body.Close()
					broken = true
					panic("a mistake in a driver")
				}
				return resp, err
			})
			st := play(t, s, console)
			if !broken {
				t.Fatal("nothing broke")
			}
			if st.Closed == nil || st.Closed.Ending != rotation.Rotated {
				t.Errorf("it ended as %+v", st.Closed)
			}
			judged(t, s, st)
		})
	}
}
