package document

import (
	"fmt"
	"strings"

	"rekey/internal/byhand"
	"rekey/internal/report"
)

// prerequisites are the boxes to tick, each with what is known of it now.
func (b *builder) prerequisites() {
	b.add(title(2, "Prerequisites"))
	var items []item
	for _, in := range b.inputs() {
		items = append(items, b.input(in))
	}
	items = append(items, b.consumerBox(), b.historyBox(), b.agreementBox(), b.journalBox())
	items = append(items, item{text: say("to do it by hand: ", mono("bash"), ", ", mono("curl"), " 7.55 or later, ", mono("jq"), " 1.6 or later, on a machine that nobody else uses")})
	b.add(block{kind: checklist, items: items})
}

func (b *builder) input(in byhand.Input) item {
	line := say(bold(in.Title), " in ")
	var states []Text
	for i, r := range in.Refs {
		if i > 0 {
			line = append(line, say(", or ")...)
		}
		line = append(line, mono(r))
		if b.Now != nil {
			if state, known := b.Now.Refs[r]; known {
				states = append(states, say(mono(r), " "+state))
			}
		}
	}
	if len(in.Least) > 0 {
		line = append(line, say("; it needs, and no more: "+joined(in.Least, "; "))...)
	}
	out := item{text: line}
	for i, s := range states {
		if i == 0 {
			out.now = []Text{say("now: ")}
		} else {
			s = say("; ", s)
		}
		out.now[0] = append(out.now[0], s...)
	}
	return out
}

func (b *builder) consumerBox() item {
	var keys []string
	for _, c := range b.Spec.Consumers {
		keys = append(keys, c.Key)
	}
	text := say("every consumer is registered: ", monos(keys), ". One that is not registered is searched for in the consumers' own accounts before the old credential is revoked; elsewhere it shows only by its outage")
	if !b.surveys() {
		text = say("every consumer is registered: ", monos(keys), ". One that is not registered shows only by its outage: other holders are not searched for (", mono("discover: off"), ")")
	}
	out := item{text: text}
	if b.Now == nil {
		return out
	}
	if p := b.Now.Plan; p != nil && len(p.Seen.Admission.Places) > 0 {
		line := say("now: at the last plan ("+stamp(b.Now.PlanAt)+") ", b.Issuer.Title, " named it in ")
		for i, pl := range p.Seen.Admission.Places {
			if i > 0 {
				line = append(line, say(", ")...)
			}
			line = append(line, say(pl.Kind+" “"+pl.Name+"”")...)
		}
		out.now = append(out.now, line)
	}
	return out
}

func (b *builder) historyBox() item {
	out := item{text: say("earlier values can be read back from ", mono(b.Spec.Store.Key), ": going back depends on it")}
	if b.Now == nil {
		return out
	}
	n := b.Now
	state, at := "", n.PlanAt
	switch {
	case n.Check != nil && n.CheckAt.After(n.PlanAt):
		state, at = n.Check.History, n.CheckAt
	case n.Plan != nil:
		state = n.Plan.Seen.Store.History
	default:
		out.now = []Text{say("now: not known, never observed; ", mono("rekey check "+b.Spec.Name), " tries it")}
		return out
	}
	if state == "" {
		out.now = []Text{say("now: proven by reading one, " + stamp(at))}
	} else {
		out.now = []Text{say("now: ", bold("not at the last look"), ", "+stamp(at)+": "+state)}
	}
	return out
}

func (b *builder) agreementBox() item {
	out := item{text: say("issuer, store and consumers agree (", mono("rekey drift "+b.Spec.Name), "), and everything that a run needs is there (", mono("rekey check "+b.Spec.Name), ")")}
	if b.Now == nil {
		return out
	}
	drift := say("now: never compared")
	if d := b.row.Drift; d != nil {
		word := "all agreed"
		if d.Findings > 0 {
			word = count(d.Findings, "disagreement") + ", see rekey drift"
		} else if d.Unseen > 0 {
			word = count(d.Unseen, "thing") + " could not be seen"
		}
		drift = say("now: "+word+" at ", stamp(d.At))
	}
	switch c := b.Now.Check; {
	case c == nil:
		drift = append(drift, say("; never checked")...)
	case c.OK:
		drift = append(drift, say("; the check of "+stamp(b.Now.CheckAt)+" passed")...)
	default:
		drift = append(drift, say("; ", bold("the check of "+stamp(b.Now.CheckAt)+" did not pass"))...)
	}
	out.now = []Text{drift}
	if o := b.row.Open; o != nil {
		out.now = append(out.now, say("now: ", bold("run "+o.Run+" is open"), ": go on with ", mono("rekey resume "+o.Run), ", not with this page"))
	}
	return out
}

func (b *builder) journalBox() item {
	out := item{text: say("no other run is open and nobody else is working on it: by hand there is no lock")}
	if b.Now == nil {
		return out
	}
	if b.Now.Journal == "" {
		out.now = []Text{say("now: there is no journal yet; the first run makes it")}
		return out
	}
	out.now = []Text{say(fmt.Sprintf("now: the journal has %s of this credential", count(b.runs(), "run")))}
	return out
}

func (b *builder) runs() int {
	n := 0
	for _, r := range b.Now.Known.Runs {
		if r.Credential == b.Spec.Name {
			n++
		}
	}
	return n
}

// overview says what the steps are, in the words of a plan.
func (b *builder) overview() {
	var rows []row
	n := 0
	for _, st := range b.plan.Steps {
		if st.Strays || st.Recurs {
			continue
		}
		n++
		what := "look"
		if st.Verb.Effect() {
			what = "change"
		}
		line := say(b.stepTitle(st))
		if st.After > 0 && st.Long == 0 {
			line = append(line, say(" ("+report.Span(st.After)+" after the step before, at least)")...)
		}
		if st.Final {
			line = append(line, say(" — ", bold("point of no return"))...)
		}
		rows = append(rows, row{cells: []Text{say(fmt.Sprint(n)), say(what), line}})
	}
	b.add(block{kind: table, head: []Text{say("step"), say(""), say("what Rekey does, and what is done here by hand")}, rows: rows})
}

// upper begins a sentence.
func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
