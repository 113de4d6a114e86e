package document

import (
	"slices"
	"strings"

	"rekey/internal/byhand"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// rollback is the way back, in the plan's order: nobody is ever without.
func (b *builder) rollback() {
	b.add(title(2, "Rollback"), paragraph("With Rekey: ", mono("rekey rollback"), " while its run is open."))
	switch b.plan.Strategy {
	case rotation.RollAtOnce:
		b.add(paragraph(bold("There is none."), " The old value stops working with the first step. Only forward: give every consumer the new one, from step 4 on. If the new value is lost, roll once more."))
		return
	case rotation.RollWithGrace:
		b.add(paragraph("Until the old secret is ended, consumers and store can have it back. It cannot become the present secret again: another rotation has to follow before its time."))
	default:
		b.add(paragraph("Until the point of no return both are valid, so going back is: what was switched off is switched on, consumers get their old values first, then the store, and only then the new one is taken away. ",
			"Each block does only what is still to be done, so they can all be run, from wherever you stopped, in this order. ",
			"What somebody else has changed meanwhile is not overwritten: the block stops and says so. The old values come from the working folder; if that is lost, from the history of ", mono(b.Spec.Store.Key), "."))
	}
	b.add(paragraph("Never by Heroku's or anybody's rollback of a release: it takes code and every other config var back too."))
	if !b.rollsReleases() {
		b.out = b.out[:len(b.out)-1]
	}
	for _, st := range b.plan.Back {
		if st.Strays {
			continue
		}
		recipe, lines := b.backLines(st)
		if len(lines) == 0 {
			continue
		}
		b.add(title(4, b.stepTitle(st)))
		if recipe.Text != "" {
			b.add(block{kind: para, text: markdown(recipe.Text)})
		}
		b.add(b.portal(recipe)...)
		b.add(on(lines...))
	}
	after := say(bold("After the point of no return"), " the old one cannot be recovered. If something is broken then, only forward: ")
	if b.plan.Strategy == rotation.Replace {
		after = append(after, say("the new one is proven and in use everywhere, so repair what does not work with it; if it is the credential itself, rotate once more from step 1.")...)
	} else {
		after = append(after, say("rotate once more from step 1; the present secret stays valid for its own grace.")...)
	}
	b.add(block{kind: caution, text: after}, paragraph("When it is over, remove the working folder: the last block of step 8."))
}

// rollsReleases: some consumer's vendor has a rollback of its own.
func (b *builder) rollsReleases() bool {
	for _, r := range b.Consumers {
		if strings.Contains(r.Doc, "rollback") {
			return true
		}
	}
	return false
}

func (b *builder) backLines(st rotation.Step) (byhand.Step, []string) {
	i := slices.IndexFunc(b.Spec.Consumers, func(c sop.Place) bool { return c.Key == st.Target })
	switch st.Verb {
	case rotation.Return:
		dir, r := byhand.ConsumerDir(i), b.Consumers[st.Target].Steps
		return r["return"], []string{r["read"].Shell,
			"if same " + dir + " now.json was.json; then echo 'ok: it holds the old values'; exit 0; fi",
			"same " + dir + ` now.json new.json || stop "somebody else has written there: neither the old nor the new values stand there now"`,
			r["return"].Shell, "touch " + dir + "/returned", `echo "ok: written"`}
	case rotation.Reapply:
		r := b.takesEffect(st, "reapply")
		return r, []string{r.Shell, `echo "ok: applied"`}
	case rotation.Resettle:
		dir, r := byhand.ConsumerDir(i), b.Consumers[st.Target].Steps
		return r["resettle"], []string{"if [ -e " + dir + "/returned ]; then", r["resettle"].Shell, "fi", r["read"].Shell, "same " + dir + ` now.json was.json || stop "it does not read back as it was"`}
	case rotation.Revalidate:
		return byhand.Step{Text: "The change may take a while to reach the protected address; no consumer gets the old one back before it is accepted."},
			[]string{"wait_until " + b.seconds(st.Within.Seconds()) + " " + b.says("accepted", "was", b.probe(st.Target)), `echo "ok: the old one is accepted"`}
	case rotation.Look:
		return byhand.Step{}, append(b.holders("was"), `echo "ok: store and consumers hold the old one"`)
	case rotation.Restore:
		dir, of := b.store(b.plan.StoreOf(st))
		r := of.Steps
		return r["restore"], []string{r["read"].Shell,
			"if same " + dir + " now.json was.json; then echo 'ok: it holds the old values'; exit 0; fi",
			"same " + dir + ` now.json new.json || stop "somebody else has written there: neither the old nor the new values stand there now"`,
			r["restore"].Shell, r["read"].Shell, "same " + dir + ` now.json was.json || stop "it does not read back as it was"`}
	}
	r := b.Issuer.Steps[string(st.Verb)]
	if r.Shell == "" {
		return r, nil
	}
	return r, []string{r.Shell}
}

// audit is step 8: the record, and removing the working folder.
func (b *builder) auditStep() {
	method := "by hand"
	b.add(title(3, "8. "+b.partTitle(audit)),
		paragraph("Rekey writes this record itself. By hand, keep the block's output where your audit log is; it holds ids and no values."),
		on("jq -n --arg actor \"$(id -un)@$(uname -n)\" --rawfile old old-id --rawfile new new-id '{",
			"  action: \"secret.rotate.completed\", actor: $actor, at: (now | floor | todate),",
			"  context: {secret_name: "+byhand.JQ(b.Spec.Name)+", old_token_id: $old, new_token_id: $new, method: "+byhand.JQ(method)+"}",
			"}'", `echo "ok: keep this record"`),
		paragraph("Then remove the working folder, and let Rekey look when it is back: ", mono("rekey drift "+b.Spec.Name), "."),
		shell(`rm -rf -- "$DESK" && unset DESK && echo "ok: the working folder is gone"`))
}
