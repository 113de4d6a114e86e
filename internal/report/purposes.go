package report

import (
	"fmt"
	"strings"

	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// revokedText tells what an emergency did, who has lost access, and how to go on.
func revokedText(st *rotation.State, s Style) string {
	p := st.Plan
	out := []string{
		fmt.Sprintf("%s  %s in %s", s.Mind("revoked"), s.Bold(st.Opened.Credential), Span(st.ClosedAt.Sub(st.OpenedAt))), "",
		"  was     " + p.Old.Name + "  " + s.Dim(p.Old.ID),
		"  why     " + st.Opened.Reason,
		"  who     " + st.Opened.Actor,
	}
	for i, n := range p.Notes {
		head := "  now     "
		if i > 0 {
			head = "          "
		}
		out = append(out, head+n)
	}
	out = append(out, shown(st, s, false)...)
	next := "give its consumers a new one: rekey run " + st.Opened.Credential + " --after-revoke"
	if deleted(p) {
		next = "make a new one by hand, name it in the rules that named this one, put it into the store and the consumers; then rekey check " + st.Opened.Credential
		if len(p.Seen.Admission.Places) > 0 {
			next = "make a new one, and name it where this one was: rekey run " + st.Opened.Credential + " --after-revoke"
		}
		for _, pl := range p.Seen.Admission.Places {
			next += fmt.Sprintf("\n          it was named in %s %q", pl.Kind, pl.Name)
		}
	}
	if p.Old.ID != p.Seen.Issuer.Owner {
		next = "rekey check " + st.Opened.Credential
	}
	return strings.Join(append(out, "", "  next    "+next), "\n") + "\n"
}

// shown is everything that the steps have shown, for runs that do not rotate; titled
// says at each check which one it is.
func shown(st *rotation.State, s Style, titled bool) []string {
	out := []string{"", "  " + s.Bold("Proof")}
	for _, step := range st.Plan.Steps {
		if pr := st.Steps[step.ID]; pr != nil && pr.Last != nil {
			for _, e := range pr.Last.Evidence {
				if titled && step.Verb == rotation.Check {
					e = step.Title + ": " + e
				}
				out = append(out, "  "+weigh(e, s)+" "+e)
			}
		}
	}
	return out
}

func deleted(p *rotation.Plan) bool {
	_, ok := p.Step(string(rotation.Delete))
	return ok
}

// rehearsedText tells what was practised and what was not.
func rehearsedText(st *rotation.State, s Style) string {
	out := []string{fmt.Sprintf("%s  %s in %s; %s", s.Good("rehearsed"), s.Bold(st.Opened.Credential), Span(st.ClosedAt.Sub(st.OpenedAt)), cleaned(st)), ""}
	for _, step := range st.Plan.Steps {
		if st.Step(step.ID).Status == rotation.Ended {
			out = append(out, "  "+s.Good("✓")+" "+step.Title)
		}
	}
	out = append(out, "")
	for _, n := range st.Plan.Notes {
		out = append(out, "  mind    "+n)
	}
	return strings.Join(append(out, "  next    rekey run "+st.Opened.Credential), "\n") + "\n"
}

// cleaned says whether all that a rehearsal made was seen to be gone.
func cleaned(st *rotation.State) string {
	for _, p := range st.Steps {
		if p.Last != nil && len(p.Last.Unseen) > 0 {
			return p.Last.Unseen[0]
		}
	}
	return "everything is cleaned up"
}

// again says of one that was revoked, and of which that was taken back, what was seen.
func again(st *rotation.State) string {
	if st.Plan != nil {
		for _, step := range st.Plan.Back {
			if p := st.Steps[step.ID]; step.Verb == rotation.Revalidate && p != nil && p.Status == rotation.Ended {
				return "works again"
			}
		}
	}
	return "is as it was before: whether it works was not looked at"
}

// wentBack says what a way back left, in the words of the run's purpose.
func wentBack(st *rotation.State, s Style) (string, bool) {
	switch st.Opened.Spec.Purpose {
	case sop.ToRehearse:
		return strings.Join([]string{
			fmt.Sprintf("%s  the rehearsal of %s failed; %s", s.Mind("rolled back"), s.Bold(st.Opened.Credential), cleaned(st)), "",
			"  why     " + st.Closed.Why,
			"  now     the one in use was not touched",
			"  next    fix what failed, then: rekey rehearse " + st.Opened.Credential,
		}, "\n") + "\n", true
	case sop.ToRepair:
		out := []string{
			fmt.Sprintf("%s  nothing of %s was repaired, and nothing was written", s.Mind("rolled back"), s.Bold(st.Opened.Credential)), "",
			"  why     " + st.Closed.Why,
			"  now     this run changed nothing",
			"  next    rekey drift " + st.Opened.Credential,
		}
		for _, c := range st.Opened.Spec.Places()[1:] {
			out = append(out, "  or      if "+c.Key+" is right: rekey repair "+st.Opened.Credential+" --from "+Quote(c.Key))
		}
		return strings.Join(out, "\n") + "\n", true
	case sop.ToForget:
		return strings.Join([]string{
			fmt.Sprintf("%s  %s has its former name %s again, everywhere", s.Mind("rolled back"), s.Bold(st.Opened.Credential), st.Opened.Spec.Target), "",
			"  why     " + st.Closed.Why,
			"  next    something still reads it: make that read " + st.Opened.Credential + ", then: rekey names retire " + st.Opened.Spec.Target,
		}, "\n") + "\n", true
	case sop.ToRevoke, sop.ToDelete:
		return strings.Join([]string{
			fmt.Sprintf("%s  %s %s", s.Mind("rolled back"), s.Bold(st.Opened.Credential), again(st)), "",
			"  why     " + st.Closed.Why,
			"  next    rekey check " + st.Opened.Credential,
		}, "\n") + "\n", true
	}
	return "", false
}
