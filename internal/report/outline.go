package report

import (
	"fmt"
	"strings"

	"rekey/internal/rotation"
)

// RevokePlan shows what an emergency would do, who is without a credential
// afterwards first.
func RevokePlan(p *rotation.Plan, who []string, s Style) string {
	out := []string{
		fmt.Sprintf("%s  %s", s.Bold(p.Spec.Name), s.Dim("revoke: take it away now, whoever uses it")), "",
		"  takes away  " + s.Name(p.Old.Name) + "  " + s.Dim(p.Old.ID), "",
		s.Bad("Who is without a credential afterwards"),
	}
	if len(who) == 0 {
		out = append(out, "  no registered place was seen to hold it")
	}
	out = append(out, indent(who, "  ")...)
	out = append(out, "", s.Bold("What is done"))
	return strings.Join(append(out, stepLines(p, s)...), "\n") + "\n"
}

// RehearsalPlan shows what practising would do.
func RehearsalPlan(p *rotation.Plan, s Style) string {
	out := []string{
		fmt.Sprintf("%s  %s", s.Bold(p.Spec.Name), s.Dim("rehearse: the whole procedure on a throwaway credential")), "",
		"  nobody is without a credential: rules and consumers are asked, and not written", "",
		s.Bold("What is done"),
	}
	out = append(out, stepLines(p, s)...)
	if len(p.Notes) > 0 {
		out = append(out, "", s.Bold("Worth knowing"))
		out = append(out, indent(p.Notes, "  ")...)
	}
	return strings.Join(out, "\n") + "\n"
}

// BackPlan shows what going back would do with a run as far as it has come.
func BackPlan(st *rotation.State, steps []rotation.Step, s Style) string {
	out := []string{fmt.Sprintf("%s  %s  %s", s.Bold(st.Run), st.Opened.Credential, s.Dim("go back: undo everything that was done")), ""}
	if len(steps) == 0 {
		out = append(out, "  nothing was changed yet, so the run only ends")
	} else {
		out = append(out, "  nobody is without a credential: each is given the old one back, and shown to run on it, before the new one is taken away", "", s.Bold("What is done"))
	}
	for i, step := range steps {
		mark := s.Dim("look  ")
		if step.Verb.Effect() {
			mark = s.Name("change")
		}
		out = append(out, fmt.Sprintf("  %s  %s  %s", s.Dim(fmt.Sprintf("%2d", i+1)), mark, step.Title))
	}
	return strings.Join(out, "\n") + "\n"
}
