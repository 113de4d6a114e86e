package report

import (
	"fmt"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/rotation"
)

// Plan shows what will be done, what each change changes by fingerprint, what it
// costs, where the point of no return is, and what going back can and cannot do.
func Plan(p *rotation.Plan, s Style, now time.Time) string {
	p = legible(p)
	switch p.Strategy {
	case rotation.Repair:
		return repairPlan(p, s)
	case rotation.RetireName:
		return retiringPlan(p, s)
	}
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }

	add("%s  %s", s.Bold(p.Spec.Name), s.Dim(strategyWords(p.Strategy)))
	add("")
	generations := [][]string{{s.Dim("old"), s.Name(p.Old.Name), p.Old.ID, born(p.Old, now) + expiry(p.Old.Expires, now), lastUse(p.Old, now)}}
	if p.Strategy == rotation.Replace {
		generations = append(generations, []string{s.Dim("new"), s.Name(p.Named(1)), "", "", ""})
	} else {
		generations = append(generations, []string{s.Dim("new"), "the same, with another secret", "", "", ""})
	}
	out = append(out, indent(table(generations, 2), "  ")...)
	add("")

	out = append(out, stepLines(p, s)...)
	add("")
	out = append(out, s.Bold("What changes"))
	out = append(out, fit(changes(p, s), s, "  ")...)
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

func strategyWords(strategy string) string {
	switch strategy {
	case rotation.RollWithGrace:
		return "roll with grace: a new secret in place, the old one lives on for a while"
	case rotation.RollAtOnce:
		return "roll at once: a new secret in place, and the old one stops working at once"
	}
	return "replace: create, swap, delete"
}

// lastUse tells when a generation was last used; some issuers never tell.
// born tells when a credential was made. Some issuers do not tell, which is not never.
func born(h cred.Handle, now time.Time) string {
	if h.Created.IsZero() {
		return "when it was made is not reported"
	}
	return "made " + Ago(h.Created, now)
}

func lastUse(h cred.Handle, now time.Time) string {
	if h.LastSeen.IsZero() {
		return "last use not reported"
	}
	return "last used " + Ago(h.LastSeen, now)
}

func expiry(t, now time.Time) string {
	if t.IsZero() {
		return ", does not expire"
	}
	if !t.After(now) {
		return ", expired " + Ago(t, now)
	}
	return ", expires " + Ago(t, now)
}

// stepLines is the checklist with its point of no return; under each change the
// request that makes it.
func stepLines(p *rotation.Plan, s Style) []string {
	var out []string
	n, asked, proven := 0, false, false
	for _, st := range p.Steps {
		if st.Strays || st.Recurs {
			continue // only after a lost answer, or when time runs low
		}
		n++
		if st.Ask && !asked {
			asked = true
			asks := "── asks for the typed name; everything is proven by now ──"
			if !proven {
				asks = "── asks for the typed name ──"
			}
			out = append(out, "  "+s.Mind(asks))
		}
		proven = proven || st.Verb == rotation.Validate || st.Verb == rotation.Settle || st.Verb == rotation.Check
		if st.Final {
			out = append(out, "  "+s.Mind("── point of no return ──"))
		}
		mark := s.Dim("look  ")
		if st.Verb.Effect() {
			mark = s.Name("change")
		}
		title := st.Title
		if st.After > 0 && st.Long == 0 {
			title += s.Dim(fmt.Sprintf("  (%s after the step before)", Span(st.After)))
		}
		out = append(out, fmt.Sprintf("  %s  %s  %s", s.Dim(fmt.Sprintf("%2d", n)), mark, title))
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
	for _, f := range p.Seen.Further {
		for _, x := range f.Slots {
			was, how := from(x.Present, x.Fingerprint.Short()), "version "+orDash(x.Version)+" → next"
			switch {
			case x.Hidden:
				was, how = "not shown", "not read back"
			case x.Version == "":
				how = "follows the first"
			}
			rows = append(rows, []string{s.Dim(f.Key), x.Slot, was + " → new", s.Dim(how)})
		}
	}
	for _, c := range p.Seen.Consumers {
		for _, x := range c.Slots {
			was, how := from(x.Present, x.Fingerprint.Short()), "in one write"
			if x.Hidden {
				was, how = "not shown", "in one write, not read back"
			}
			rows = append(rows, []string{s.Dim(c.Key), x.Slot, was + " → new", s.Dim(how)})
		}
	}
	for _, pl := range p.Seen.Admission.Places {
		if p.Strategy != rotation.Replace {
			break // they go on naming the same handle
		}
		rows = append(rows, []string{s.Dim(p.Spec.Issuer.Vendor), fmt.Sprintf("%s %q", pl.Kind, pl.Name), "names old → old and new → new", s.Dim("everything else in it is kept")})
	}
	if p.Strategy != rotation.Replace {
		return append(rows, []string{s.Dim(p.Spec.Issuer.Vendor), p.Spec.Issuer.Kind, "secret → another", s.Mind("cannot be undone")})
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
	last, n := 0, 0
	for _, st := range p.Steps {
		if st.Strays || st.Recurs {
			continue
		}
		n++
		waits = max(waits, st.After, st.Long)
		if st.Final {
			last = n
		}
	}
	text := fmt.Sprintf("both credentials are valid from step 1 to step %d", last)
	if waits > 0 {
		text += fmt.Sprintf(", at least %s of it waiting for old processes to end", Span(waits))
	}
	return text
}

func goingBack(p *rotation.Plan) []string {
	switch p.Strategy {
	case rotation.RollAtOnce:
		return []string{"no rollback: the first step invalidates the old secret; the run can only go forward"}
	case rotation.RollWithGrace:
		return []string{
			"until the old secret is ended: every consumer and the store get it back, and its time is moved as far out as it goes",
			"it cannot become the present secret again: a run that went back has to be followed by another before that time",
		}
	}
	stores := "the store, get"
	if len(p.Spec.Further) > 0 {
		stores = "the stores, the first one last, get"
	}
	out := []string{
		"until the point of no return: every consumer, then " + stores + " their old values back, then the new one is taken away",
		"only places that still hold this run's values are changed; what somebody else changed meanwhile is left alone and reported",
		"after it: " + p.Old.Name + " cannot be recovered; only forward",
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
