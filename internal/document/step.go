package document

import (
	"slices"
	"strings"

	"rekey/internal/byhand"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// portal is what a person does before the shell of a step.
func (b *builder) portal(s byhand.Step) []block {
	if s.Portal == nil {
		return nil
	}
	var items []item
	for _, l := range s.Portal.Lines {
		items = append(items, item{text: say(l)})
	}
	return []block{paragraph("In the portal, at ", link(s.Portal.Link, s.Portal.Link), " (", mono("{name}"), " is the name that the block below shows):"), {kind: list, items: items}}
}

// step is one step of the plan, done by hand.
func (b *builder) step(st rotation.Step) {
	if st.Final {
		text := say(bold("Point of no return."), " What follows cannot be undone. Let somebody else read the lines above that begin with ", mono("ok"), " before you go on.")
		if b.plan.Strategy == rotation.RollAtOnce {
			text = append(text, say(" There is no overlap: from this step on every consumer has no access until it has the new value.")...)
		}
		b.add(block{kind: caution, text: text})
	}
	b.add(title(4, b.stepTitle(st)))
	if st.Verb == rotation.Survey {
		b.survey()
		return
	}
	recipe, lines := b.lines(st)
	if recipe.Text != "" {
		b.add(block{kind: para, text: markdown(recipe.Text)})
	}
	b.add(b.portal(recipe)...)
	if st.Verb == rotation.Extend {
		b.add(fold0("only if the proofs take longer", on(lines...)))
		return
	}
	b.add(on(lines...))
}

// lines are the shell of a step, and the vendor's words about it.
func (b *builder) lines(st rotation.Step) (byhand.Step, []string) {
	issuer := b.Issuer.Steps[string(st.Verb)]
	i := slices.IndexFunc(b.Spec.Consumers, func(c sop.Place) bool { return c.Key == st.Target })
	switch st.Verb {
	case rotation.Store:
		place := b.plan.StoreOf(st)
		dir, of := b.store(place)
		r, read := of.Steps["store"], of.Steps["read"].Shell
		return r, []string{made(place.Slots, "new", dir+"/new.json"), read, "same " + dir + ` now.json was.json || stop "somebody else has written there since it was observed"`,
			r.Shell, read, "same " + dir + ` now.json new.json || stop "it does not read back as written"`}
	case rotation.Propagate:
		c, dir := b.Spec.Consumers[i], byhand.ConsumerDir(i)
		r := b.Consumers[c.Key]
		return r.Steps["propagate"], []string{made(c.Slots, "new", dir+"/new.json"), r.Steps["read"].Shell,
			"same " + dir + ` now.json was.json || stop "somebody else has written there since it was observed"`, r.Steps["propagate"].Shell, `echo "ok: written; that is not yet deployed"`}
	case rotation.Apply:
		r := b.takesEffect(st, "apply")
		return r, []string{r.Shell, `echo "ok: applied; that is not yet taken up"`}
	case rotation.Settle:
		c, dir := b.Spec.Consumers[i], byhand.ConsumerDir(i)
		r := b.Consumers[c.Key]
		return r.Steps["settle"], []string{r.Steps["settle"].Shell, r.Steps["read"].Shell, "same " + dir + ` now.json new.json || stop "it does not read back as written"`,
			"jq -nr 'now + 1 | floor | todate' > settled"}
	case rotation.Validate:
		return byhand.Step{Text: "It may take a while until a new credential is known everywhere, so the address is asked repeatedly."},
			[]string{"wait_until " + b.seconds(b.Spec.Timing.Validate.Seconds()) + " " + b.says("accepted", "new", b.probe(st.Target)), `echo "ok: the new one is accepted"`}
	case rotation.Check:
		n, when, _ := strings.Cut(st.Target, " ")
		return byhand.Step{}, []string{"wait_until " + b.seconds(st.Within.Seconds()) + " check_" + n, "echo " + byhand.Quote("ok: check "+n+" is true "+when)}
	case rotation.Pause:
		return byhand.Step{Text: "Processes that were started before hold the old one until they end."}, []string{"sleep " + b.seconds(st.After.Seconds()), `echo "ok: waited"`}
	case rotation.Watch:
		text := "If anything breaks now, go back at once: the first block of [Rollback](#rollback) switches the old one on again."
		if st.Target == "to soak" {
			text = "Both live on for " + report.Span(st.Long) + "; come back then."
		}
		return byhand.Step{Text: text}, append([]string{"sleep " + b.seconds(st.Long.Seconds())}, append(b.holders("new"), `echo "ok: waited, and everybody holds the new one"`)...)
	case rotation.Denied:
		return byhand.Step{Text: "The change may take a while to reach the protected address. Only once it has is the old one really disabled."},
			[]string{"wait_until " + b.seconds(st.Within.Seconds()) + " " + b.says("denied", "was", b.probe(st.Target)), `echo "ok: the old one is denied"`}
	case rotation.Running:
		return byhand.Step{Text: "Once more, at the end: who holds what."}, append(b.holders("new"), `echo "ok: store and consumers hold the new one"`)
	case rotation.Confirm:
		i := b.probe(st.Target)
		wait := "wait_until " + b.seconds(st.Within.Seconds())
		return byhand.Step{Text: "Both ways: the old one is denied by what protects the address, and the new one is accepted."},
			[]string{wait + " " + b.says("denied", "was", i), wait + " " + b.says("accepted", "new", i), `echo "ok: the old one is denied, the new one is accepted"`}
	}
	lines := []string{issuer.Shell}
	switch st.Verb {
	case rotation.Create, rotation.Roll: // once in each working folder, whatever became of it
		lines = []string{`[ ! -e asked ] || stop "it was asked for already: first find out whether it was created, by the name $(<new-name)"`, "touch asked", issuer.Shell}
	}
	return issuer, lines
}

// takesEffect is how what was written is made to take effect by hand.
func (b *builder) takesEffect(st rotation.Step, how string) byhand.Step {
	of := b.Consumers[st.Target]
	if place, _, ok := b.Spec.OneOfStores(st.Target); ok {
		_, of = b.store(place)
	}
	r := of.Steps[how]
	if r.Shell == "" {
		r.Text = "Nothing tells how this is done by hand: make what reads " + st.Target + " take up what was written, as its makers say."
		r.Shell = `read -rp "Is that done? Then press enter. " _ < /dev/tty`
	}
	return r
}
