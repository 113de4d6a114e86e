package report

import (
	"fmt"
	"strings"
	"time"

	"rekey/internal/rotation"
)

// Plan shows what will be done, what each change changes by fingerprint, what it
// costs, where the point of no return is, and what going back can and cannot do.
func Plan(p *rotation.Plan, s Style, now time.Time) string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }

	add("%s  %s", s.Bold(p.Spec.Name), s.Dim("replace: create, swap, delete"))
	if p.Spec.Issuer.Kind == "access-service-token" {
		add("%s", s.Dim("Cloudflare can also roll a service token in place; this plan follows the written procedure."))
	}
	add("")
	out = append(out, indent(table([][]string{
		{s.Dim("old"), s.Name(p.Old.Name), p.Old.ID, "made " + Ago(p.Old.Created, now) + expiry(p.Old.Expires, now), "last used " + Ago(p.Old.LastSeen, now)},
		{s.Dim("new"), s.Name(p.Named(1)), "", "", ""},
	}, 2), "  ")...)
	add("")

	out = append(out, stepLines(p, s)...)
	add("")
	out = append(out, s.Bold("What changes"))
	out = append(out, indent(table(grouped(changes(p, s)), 2), "  ")...)
	add("")
	if len(p.Costs) > 0 {
		out = append(out, s.Bold("What it costs"))
		out = append(out, indent(p.Costs, "  ")...)
		out = append(out, "  "+overlap(p))
		add("")
	}
	out = append(out, s.Bold("Going back"))
	out = append(out, indent(goingBack(p), "  ")...)
	if len(p.Notes) > 0 {
		add("")
		out = append(out, s.Bold("Worth knowing"))
		for _, n := range p.Notes {
			out = append(out, "  "+n)
		}
	}
	return strings.Join(out, "\n") + "\n"
}

func expiry(t, now time.Time) string {
	if t.IsZero() {
		return ", does not expire"
	}
	return ", expires " + Ago(t, now)
}

// stepLines is the checklist with its point of no return; under each change the
// request that makes it.
func stepLines(p *rotation.Plan, s Style) []string {
	var out []string
	for i, st := range p.Steps {
		if st.Strays {
			continue // only after a creation whose answer was lost
		}
		if st.Final {
			out = append(out, "  "+s.Mind("── point of no return: asks for the typed name ──"))
		}
		mark := s.Dim("look  ")
		if st.Verb.Effect() {
			mark = s.Name("change")
		}
		title := st.Title
		if st.After > 0 {
			title += s.Dim(fmt.Sprintf("  (%s after the step before)", Span(st.After)))
		}
		out = append(out, fmt.Sprintf("  %s  %s  %s", s.Dim(fmt.Sprintf("%2d", i+1)), mark, title))
		if st.Call != "" {
			out = append(out, "              "+s.Dim(st.Call))
		}
	}
	return out
}

// changes lists every value and rule that becomes another.
func changes(p *rotation.Plan, s Style) [][]string {
	var rows [][]string
	from := func(present bool, fp string) string {
		if !present {
			return "absent"
		}
		return fp
	}
	for _, x := range p.Seen.Store.Slots {
		rows = append(rows, []string{s.Dim(p.Spec.Store.Key), x.Slot, from(x.Present, x.Fingerprint.Short()) + " → new", s.Dim("version " + orDash(x.Version) + " → next")})
	}
	for _, c := range p.Seen.Consumers {
		for _, x := range c.Slots {
			rows = append(rows, []string{s.Dim(c.Key), x.Slot, from(x.Present, x.Fingerprint.Short()) + " → new", s.Dim("in one write")})
		}
	}
	for _, pl := range p.Seen.Admission.Places {
		rows = append(rows, []string{s.Dim(p.Spec.Issuer.Vendor), fmt.Sprintf("%s %q", pl.Kind, pl.Name), "names old → old and new → new", s.Dim("everything else in it is kept")})
	}
	return append(rows, []string{s.Dim(p.Spec.Issuer.Vendor), p.Spec.Issuer.Kind, p.Old.ID + " → deleted", s.Mind("cannot be undone")})
}

func orDash(v string) string {
	if v == "" {
		return "–"
	}
	return v
}

func overlap(p *rotation.Plan) string {
	var waits time.Duration
	last := 0
	for i, st := range p.Steps {
		waits = max(waits, st.After)
		if st.Final {
			last = i + 1
		}
	}
	text := fmt.Sprintf("both generations are valid from step 1 to step %d", last)
	if waits > 0 {
		text += fmt.Sprintf(", at least %s of it waiting for old processes to end", Span(waits))
	}
	return text
}

func goingBack(p *rotation.Plan) []string {
	out := []string{
		"until the point of no return: every consumer, then the store, get their old values back, then the new one is taken away",
		"only what still holds our values is touched; what somebody else changed meanwhile is left alone and told",
		"after it: " + p.Old.Name + " cannot be had again; only forward",
	}
	if p.Seen.Store.History == "" {
		out = append(out, "the old values can be read back from the history of "+p.Spec.Store.Key+" (tried)")
	}
	return out
}

// grouped says the first column once for each run of equal ones.
func grouped(rows [][]string) [][]string {
	last := ""
	for _, r := range rows {
		if r[0] == last {
			r[0] = ""
		} else {
			last = r[0]
		}
	}
	return rows
}
