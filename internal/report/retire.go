package report

import (
	"fmt"
	"strings"

	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// retiringPlan shows where a former name is taken away, and when it is given back.
func retiringPlan(p *rotation.Plan, s Style) string {
	out := []string{
		fmt.Sprintf("%s  %s", s.Bold(p.Spec.Name), s.Dim("retire its former name "+p.Spec.Target+"; the credential itself stays as it is")), "",
	}
	out = append(out, stepLines(p, s)...)
	out = append(out, "", s.Bold("What changes"))
	out = append(out, fit(removals(p, s), s, "  ")...)
	if len(p.Costs) > 0 {
		out = append(out, "", s.Bold("What it costs"))
		out = append(out, indent(p.Costs, "  ")...)
	}
	out = append(out, "", s.Bold("Going back"),
		"  until it is removed from the store: every consumer gets it back, at once if a check fails",
		"  after it: the next rotation writes it again as long as rekey.yaml names it under former")
	out = append(out, "", s.Bold("Worth knowing"))
	return strings.Join(append(out, indent(p.Notes, "  ")...), "\n") + "\n"
}

// removals lists every slot that goes.
func removals(p *rotation.Plan, s Style) [][]string {
	var rows [][]string
	tell := func(place sop.Place, slots []rotation.SlotSeen) {
		for i, x := range slots {
			if place.Slots[i].Dropped && x.Present {
				rows = append(rows, []string{s.Dim(place.Key), x.Slot, x.Fingerprint.Short() + " → absent"})
			}
		}
	}
	for i, c := range p.Spec.Consumers {
		tell(c, p.Seen.Consumers[i].Slots)
	}
	for _, f := range p.Spec.Further {
		tell(f, p.Seen.SlotsOf(p.Spec, f.Key))
	}
	tell(p.Spec.Store, p.Seen.Store.Slots)
	return rows
}

// nameGoneText tells where a former name was taken away, and what is left to do.
func nameGoneText(st *rotation.State, s Style) string {
	former := st.Opened.Spec.Target
	out := []string{fmt.Sprintf("%s  %s is no longer a name of %s; it took %s", s.Good("retired"), former, s.Bold(st.Opened.Credential), Span(st.ClosedAt.Sub(st.OpenedAt))), ""}
	out = append(out, fit(removals(st.Plan, s), s, "  ")...)
	out = append(out, shown(st, s, true)...)
	return strings.Join(append(out, "", "  next    take "+former+" out of former in rekey.yaml; the next rotation would write it again"), "\n") + "\n"
}
