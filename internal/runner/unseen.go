package runner

import (
	"time"

	"rekey/internal/cred"
	"rekey/internal/rotation"
)

// unseen counts who may hold what the old one gave out (an access token) and does not
// show while that lasts. It is waited for where that fits into the step, for whoever
// goes on then has to show; otherwise it is said that nobody could be seen.
func (r *Runner) unseen(o rotation.Outcome, old cred.Handle, now time.Time, within time.Duration) rotation.Outcome {
	left := old.Unseen.Sub(now)
	if left <= 0 {
		return o
	}
	if old.Unseen.Sub(old.LastSeen)+r.state.Plan.Spec.Timing.Quiet <= within {
		return failed(cred.Waiting, "an access token of its last use may be in use without showing for another %s", left.Round(time.Second))
	}
	until := "until " + old.Unseen.UTC().Format(time.RFC3339)
	if left > 50*365*24*time.Hour {
		until = "without end"
	}
	o.Evidence = append(o.Evidence, "not seen: whether somebody works on with an access token that came from it, which is possible "+until+" and ends with it")
	return o
}
