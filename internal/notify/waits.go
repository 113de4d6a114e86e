package notify

import (
	"slices"

	"rekey/internal/approvals"
	"rekey/internal/history"
)

// waits tells of an open run that does not go on by itself. Where it waits for others to
// agree, their request tells of it.
func waits(k Known, s history.Summary, n *Notice) bool {
	w, there := k.Waiting[s.Run]
	if !there || slices.ContainsFunc(k.Approvals, func(a approvals.State) bool { return a.Request.Run == s.Run }) {
		return false
	}
	n.At, n.Kind, n.Text = s.Opened, Awaits, w.For
	switch {
	case w.Trouble != "":
		n.ID, n.Kind, n.Next = "trouble/"+s.Run, Stuck, "rekey log "+s.Run
		n.Title, n.Text = "a run of "+s.Credential+" cannot be carried out", "it is tried again each minute: "+w.Trouble
	case w.Left:
		n.ID, n.Next = "waits/"+s.Run+"/left", "rekey resume "+s.Run
		n.Title, n.Text = "a run of "+s.Credential+" was interrupted, and nobody has resumed it", "the old credential and a new one may both be live until somebody does"
	case w.ByHand:
		n.ID, n.Next = "waits/"+s.Run+"/"+digest(w.For), "rekey log "+s.Run
		n.Title = s.Credential + " waits for a manual step"
		if w.Unserved {
			n.Title, n.Next = n.Title+", and nobody can answer", "rekey serve --role api"
		}
	default:
		n.ID, n.Next = "waits/"+s.Run+"/"+digest(w.For), "rekey resume "+s.Run
		n.Title = s.Credential + " waits for a confirmation or approval"
	}
	return true
}
