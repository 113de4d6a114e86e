package report

import (
	"fmt"
	"strings"

	"rekey/internal/rotation"
)

// repairPlan shows what a repair would write, and over what.
func repairPlan(p *rotation.Plan, s Style) string {
	out := []string{
		fmt.Sprintf("%s  %s", s.Bold(p.Spec.Name), s.Dim("repair: every place that has drifted gets what "+sourceOf(p)+" holds")), "",
		"  " + s.Dim("is") + "  " + s.Name(p.Old.Name) + "  " + p.Old.ID, "",
	}
	out = append(out, stepLines(p, s)...)
	out = append(out, "", s.Bold("What changes"))
	out = append(out, fit(repairs(p, s), s, "  ")...)
	if len(p.Costs) > 0 {
		out = append(out, "", s.Bold("What it costs"))
		out = append(out, indent(p.Costs, "  ")...)
	}
	out = append(out, "", s.Bold("Going back"), "  not possible after the first write: what is overwritten is a value that nobody should hold")
	if len(p.Notes) > 0 {
		out = append(out, "", s.Bold("Worth knowing"))
		out = append(out, indent(p.Notes, "  ")...)
	}
	return strings.Join(out, "\n") + "\n"
}

func sourceOf(p *rotation.Plan) string {
	if p.Spec.Target != "" {
		return p.Spec.Target
	}
	return p.Spec.Store.Key
}

// repairs lists every rule that is edited, and every slot that gets another value.
func repairs(p *rotation.Plan, s Style) [][]string {
	var rows [][]string
	tell := func(key string, slots []rotation.SlotSeen) {
		for _, x := range slots {
			if x.Present && x.Had() == x.Expected {
				continue
			}
			was := x.Fingerprint.Short()
			if !x.Present {
				was = "absent"
			}
			rows = append(rows, []string{s.Dim(key), x.Slot, was + " → " + x.Expected.Short()})
		}
	}
	for _, pl := range p.Seen.Admission.Places {
		rows = append(rows, []string{s.Dim(p.Spec.Issuer.Vendor), fmt.Sprintf("%s %q", pl.Kind, pl.Name), "does not name it → names it"})
	}
	for _, pl := range p.Spec.Stores() {
		tell(pl.Key, p.Seen.SlotsOf(p.Spec, pl.Key))
	}
	for _, c := range p.Seen.Consumers {
		tell(c.Key, c.Slots)
	}
	return rows
}

// repairedText tells what a repair wrote, and what proves that it is taken up.
func repairedText(st *rotation.State, s Style) string {
	out := []string{
		fmt.Sprintf("%s  %s in %s", s.Good("repaired"), s.Bold(st.Opened.Credential), Span(st.ClosedAt.Sub(st.OpenedAt))), "",
		"  is   " + s.Name(st.Plan.Old.Name) + "  " + s.Dim(st.Plan.Old.ID), "",
	}
	out = append(out, fit(repairs(st.Plan, s), s, "  ")...)
	out = append(out, shown(st, s, false)...)
	return strings.Join(append(out, "", "  next    rekey drift "+st.Opened.Credential), "\n") + "\n"
}
