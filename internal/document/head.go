package document

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rekey/internal/byhand"
	"rekey/internal/report"
	"rekey/internal/rotation"
)

// head is the title and the table of what one wants to know first.
func (b *builder) head() {
	s := b.Spec
	b.add(title(1, "Rotation SOP — ", mono(s.Name)))
	if b.Now != nil && b.Now.Simulated {
		b.add(now(bold("Simulated."), " What this page says about runs, checks and the present state comes from simulated vendors; it proves nothing about real ones."))
	}
	rows := []row{
		{cells: []Text{say("Mode"), say(bold(b.mode()), ", ", map[string]string{
			rotation.Replace:       "create a second one, swap, delete the first",
			rotation.RollWithGrace: "roll in place; the old secret lives on for " + report.Span(s.Issuer.Grace),
			rotation.RollAtOnce:    "roll in place; the old one stops working at once",
		}[b.plan.Strategy])}},
	}
	if b.row != nil {
		rows = append(rows,
			row{now: true, cells: []Text{say("Last validated"), b.validated()}},
			row{now: true, cells: []Text{say("Measured duration"), b.durations()}})
	}
	role, owner := say("none is configured"), say("none is configured")
	if s.Role != "" {
		role = say(mono(s.Role))
	}
	if s.Owner != "" {
		owner = say(s.Owner)
	}
	rows = append(rows, row{cells: []Text{say("Required role"), role}}, row{cells: []Text{say("Owner"), owner}},
		row{cells: []Text{say("Issuer"), say(b.Issuer.Title, ", ", mono(s.Issuer.Kind))}},
		row{cells: []Text{say("Store"), say(mono(s.Store.Key))}})
	for _, f := range s.Further {
		rows = append(rows, row{cells: []Text{say("Store that follows it"), say(mono(f.Key))}})
	}
	b.add(block{kind: table, head: []Text{say(""), say("")}, rows: rows})
	made := say("Made by ", mono("rekey sop "+s.Name), " from the configuration and the journal that Rekey itself works by; edit ", mono("rekey.yaml"), ", not this page.")
	if s.Document != "" {
		made = append(made, say(" It takes the place of ", link(s.Document, s.Document), ".")...)
	}
	b.add(block{kind: para, text: made})
	if b.Now != nil {
		b.add(now("The present state on this page is that of ", stamp(b.Now.At), "."))
	}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// validated is the stamp of the written procedure, with its method.
func (b *builder) validated() Text {
	how := map[string]string{"rotation": "a real run", "rehearsal": "a rehearsal on a throwaway credential"}
	if b.Now.Simulated {
		how = map[string]string{"rotation": "a simulated run", "rehearsal": "a simulated rehearsal"}
	}
	var out Text
	if v := b.row.Validated; v != nil {
		out = say(bold(stamp(v.At)), " by "+how[v.How]+", in "+report.Span(v.Took))
	} else {
		out = say("never by a run or a rehearsal in the journal")
	}
	if c := b.Now.Check; c != nil {
		word := "passed"
		if !c.OK {
			word = fmt.Sprintf("found %s against a run", count(c.Against, "thing"))
		}
		out = append(out, say("; the last check (read-only) was "+stamp(b.Now.CheckAt)+", "+word+" in "+report.Span(c.Took))...)
	}
	return out
}

// durations are measured from the runs that rotated, this credential's and those
// of its procedure: how many is always said.
func (b *builder) durations() Text {
	names := map[string]bool{}
	for _, s := range b.Siblings {
		names[s.Name] = true
	}
	var mine, all []time.Duration
	for _, r := range b.Now.Known.Runs {
		if r.Ending != rotation.Rotated {
			continue
		}
		if r.Credential == b.Spec.Name {
			mine = append(mine, r.Closed.Sub(r.Opened))
		}
		if names[r.Credential] {
			all = append(all, r.Closed.Sub(r.Opened))
		}
	}
	out := say(bold(measured(mine, "run")), " of this credential")
	if len(b.Siblings) > 1 && len(all) > len(mine) {
		out = append(out, say("; ", measured(all, "run"), " of all "+count(len(b.Siblings), "credential")+" of this procedure")...)
	}
	return append(out, say(", from the first entry to the last, waiting included")...)
}

// measured: p95 is the nearest rank, a length that was really measured.
func measured(d []time.Duration, what string) string {
	if len(d) == 0 {
		return "never measured: no finished " + what
	}
	slices.Sort(d)
	var sum time.Duration
	for _, x := range d {
		sum += x
	}
	rank := (95*len(d) + 99) / 100
	return fmt.Sprintf("average %s, p95 %s, over %s", report.Span(sum/time.Duration(len(d))), report.Span(d[rank-1]), count(len(d), what))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (b *builder) applies() {
	b.add(title(2, "Applies to"))
	line := say(mono(b.Spec.Name))
	if len(b.Spec.Former) > 0 {
		line = append(line, say(" (formerly ", monos(b.Spec.Former), ": still written, until nobody reads it)")...)
	}
	items := []item{{text: line}}
	for _, s := range b.Siblings {
		if s.Name != b.Spec.Name {
			items = append(items, item{text: say(mono(s.Name), " by the same procedure, on a page of its own: ", mono("rekey sop "+s.Name))})
		}
	}
	if b.Pattern != "" {
		items = append(items, item{text: say("future credentials whose name follows ", mono(b.Pattern))})
	}
	b.add(block{kind: list, items: items})
}

func (b *builder) when() {
	s := b.Spec
	b.add(title(2, "When to run"))
	var items []item
	if s.Cadence > 0 {
		line := "every " + report.Span(s.Cadence)
		if s.Jitter > 0 {
			line += ", up to " + report.Span(s.Jitter) + " sooner, by a fixed draw, so that not all are due on one day"
		}
		items = append(items, item{text: say(line)})
	}
	if s.BeforeExpiry > 0 {
		items = append(items, item{text: say("when the issuer's own expiry is within " + report.Span(s.BeforeExpiry))})
	}
	items = append(items,
		item{text: say("on suspicion, after an incident, when somebody leaves. To revoke it now, before there is a new one: ", mono("rekey revoke "+s.Name))})
	if len(s.Windows) > 0 {
		line := say("start only in ")
		for i, w := range s.Windows {
			if i > 0 {
				line = append(line, say(", or ")...)
			}
			line = append(line, mono(w.String()))
		}
		items = append(items, item{text: append(line, say(" (an emergency does not wait)")...)})
	}
	b.add(block{kind: list, items: items})
	if b.row != nil {
		b.add(block{kind: para, now: true, text: b.due()})
	}
}

var why = map[string]string{"cadence": "by its cadence", "expiry": "because it expires at the issuer", "incident": "it was revoked in an emergency"}

func (b *builder) due() Text {
	d := b.row.Due
	switch {
	case d.At.IsZero() && d.Why == "never":
		return say(bold("Never due by itself"), ": neither a cadence nor an expiry is configured.")
	case d.At.IsZero():
		return say(bold("Not known when it is due"), ": the journal does not know when it was made; ", mono("rekey status --live"), " asks the issuer.")
	}
	word := "Due next"
	if !d.At.After(b.Now.At) {
		word = "Due since"
	}
	out := say(bold(word+" "+stamp(d.At)), ", ", why[d.Why])
	if !b.row.Made.IsZero() {
		out = append(out, say("; the one in use was made "+stamp(b.row.Made))...)
	}
	if d.Start.After(d.At) {
		out = append(out, say("; the first window after that opens "+stamp(d.Start))...)
	}
	return append(out, say(".")...)
}

// recipes are those of everybody in the procedure, issuer first, each vendor's
// instance as often as it plays a role.
func (b *builder) recipes() []byhand.Recipe {
	out := []byhand.Recipe{b.Issuer, b.Store}
	for _, s := range b.Spec.Further {
		out = append(out, b.Further[s.Key])
	}
	for _, c := range b.Spec.Consumers {
		out = append(out, b.Consumers[c.Key])
	}
	return out
}

// inputs are everything that has to be at hand, each once.
func (b *builder) inputs() []byhand.Input {
	var out []byhand.Input
	for _, r := range b.recipes() {
		for _, in := range r.Inputs {
			i := slices.IndexFunc(out, func(o byhand.Input) bool { return o.File == in.File })
			if i < 0 {
				out = append(out, in)
				continue
			}
			merged := out[i]
			merged.Least = slices.Clone(merged.Least)
			for _, l := range in.Least {
				if !slices.Contains(merged.Least, l) {
					merged.Least = append(merged.Least, l)
				}
			}
			out[i] = merged
		}
	}
	for i, c := range b.Spec.Verify {
		for j, name := range sortedKeys(c.Headers) {
			out = append(out, byhand.Input{Title: fmt.Sprintf("%s of check %d", name, i+1), File: fmt.Sprintf("check-%d.value-%d", i+1, j+1), Refs: byhand.Texts(c.Headers[name])})
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func joined(list []string, with string) string { return strings.Join(list, with) }
