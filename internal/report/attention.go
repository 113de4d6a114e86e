package report

import (
	"time"

	"rekey/internal/sop"
)

// soon is how long before it is due a credential is shown as due.
const soon = 7 * 24 * time.Hour

// attend says what the credential needs, and how urgently.
// requested is what others are asked to agree to: its run, or itself; "": nothing.
func (r *Row) attend(now time.Time, asks bool, requested string) {
	needs := func(urgency int, what, next string) { r.urgency, r.Attention, r.Next = urgency, what, next }
	plan := r.Next
	if requested != "" {
		plan = "rekey approve " + requested
	}
	switch {
	case r.Open != nil && r.Open.Stuck != "":
		needs(0, "stuck", "rekey resume "+r.Open.Run)
	case r.Open == nil && r.Due.Why == "incident":
		needs(0, "revoked", "rekey run "+r.Credential+" --after-revoke")
	case r.Problem != "":
		needs(0, "lost", "rekey drift "+r.Credential)
	case r.Open != nil && asks && r.Working: // something is done by hand, on the run's page
		needs(1, "asks", "rekey log "+r.Open.Run)
	case r.Open != nil && asks && requested != "":
		needs(1, "asks", "rekey approve "+requested)
	case r.Open != nil && asks:
		needs(1, "asks", "rekey resume "+r.Open.Run)
	case r.Open != nil && r.Working:
		needs(6, "open", "rekey log "+r.Open.Run)
	case r.Open != nil:
		needs(2, "open", "rekey resume "+r.Open.Run)
	case r.HasDrifted():
		needs(3, "drift", "rekey drift "+r.Credential)
	case !r.Due.At.IsZero() && !r.Due.At.After(now):
		needs(4, "overdue", plan)
	case r.Checked != nil && !r.Checked.OK:
		needs(4, "unready", "rekey check "+r.Credential)
	case r.Due.Why == "unknown" && r.Checked == nil:
		needs(5, "unknown", "rekey check "+r.Credential)
	case r.Due.Why == "unknown":
		needs(5, "undated", plan) // another check would tell no more: a rotation does
	case !r.Due.At.IsZero() && r.Due.At.Before(now.Add(soon)):
		needs(6, "due", plan)
	default:
		r.urgency = 7
	}
}

// Attentions are all that a row may need; "" besides.
func Attentions() []string {
	return []string{"stuck", "revoked", "lost", "asks", "open", "drift", "overdue", "unready", "unknown", "undated", "due"}
}

// longestRun is how long a run may be at work before somebody is to look.
const longestRun = 24 * time.Hour

// Against tells why a row is not shown to be in order, for those who asked whether
// it is due or has drifted; "" where it is. What is not known is not in order.
func (r Row) Against(due, drift bool, now time.Time) (why, next string) {
	switch r.Attention {
	case "stuck":
		return "its run is stuck", r.Next
	case "revoked":
		return "it is revoked, and has no successor", r.Next
	case "lost":
		return r.Problem, r.Next
	case "asks":
		return "run " + r.Open.Run + " waits for a confirmation or approval", r.Next
	case "open":
		switch {
		case !r.Working:
			return "run " + r.Open.Run + " is not over, and no process is at it", r.Next
		case now.Sub(r.Open.Opened) > longestRun:
			return "run " + r.Open.Run + " has not come to an end since " + r.Open.Opened.UTC().Format(time.DateOnly), "rekey log " + r.Open.Run
		case r.Open.Purpose == "" || r.Open.Purpose == sop.AfterRevoke:
			return "", "" // it is being rotated right now
		}
	}
	compare := "rekey drift " + r.Credential
	switch {
	case due && r.Due.Why == "unknown":
		return "when it is due is not known", r.Next
	case due && r.IsDue(now):
		return "it has been due since " + r.Due.At.UTC().Format(time.DateOnly), r.Next
	case drift && r.HasDrifted():
		return "it has drifted", compare
	case drift && r.Drift == nil:
		return "it was never compared", compare
	case drift && r.Drift.Unseen > 0:
		return "not everything could be compared", compare
	}
	return "", ""
}

// IsDue reports whether it has to be rotated now.
func (r Row) IsDue(now time.Time) bool { return !r.Due.At.IsZero() && !r.Due.At.After(now) }

// HasDrifted reports whether the last comparison found a disagreement that nobody lets be.
func (r Row) HasDrifted() bool { return r.Drift != nil && r.Drift.Findings > r.Drift.Acknowledged }

func driftAt(d *Drifted) time.Time {
	if d == nil {
		return time.Time{}
	}
	return d.At
}
