package document

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rekey/internal/byhand"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// part of the steps, in the order of the page that this project started from.
type part int

const (
	prepare part = iota + 1
	generate
	validate
	store
	propagate
	verify
	revoke
	audit
)

// partOf is where a verb stands, unless a later part has begun already.
var partOf = map[rotation.Verb]part{
	rotation.Create: generate, rotation.Roll: generate, rotation.Extend: generate,
	rotation.Admit: validate, rotation.Validate: validate, rotation.Store: store,
	rotation.Propagate: propagate, rotation.Settle: propagate, rotation.Apply: store,
	rotation.Check: verify, rotation.Quiet: verify, rotation.Pause: verify,
	rotation.Disable: revoke, rotation.Dismiss: revoke, rotation.Delete: revoke, rotation.Expire: revoke, rotation.Confirm: revoke,
	rotation.Denied: revoke, rotation.Running: revoke,
}

func (b *builder) partTitle(p part) string {
	inPlace := b.plan.Strategy != rotation.Replace
	switch p {
	case prepare:
		return "Pre-rotation checks"
	case generate:
		if inPlace {
			return "Give it a new secret"
		}
		return "Generate the new credential"
	case validate:
		return "Validate the new credential"
	case store:
		return "Store in " + joined(b.storeTitles(), ", ")
	case propagate:
		return "Propagate to downstream consumers"
	case verify:
		return "Verify downstream"
	case revoke:
		if b.plan.Strategy == rotation.RollAtOnce {
			return "Confirm that the old one is dead"
		}
		return "Revoke the old credential"
	}
	return "Audit log entry"
}

// steps is the procedure, with everything that it takes to do it by hand.
func (b *builder) steps() {
	name := b.Spec.Name
	b.add(title(2, "Steps"),
		paragraph("With Rekey: ", mono("rekey check "+name), ", ", mono("rekey plan "+name), ", ", mono("rekey run "+name), ". It can be killed at any moment and goes on with ", mono("rekey resume"), "."))
	b.overview()
	b.add(paragraph("By hand, if Rekey is not to be had: open one ", mono("bash"), " in the folder of ", mono("rekey.yaml"),
		", paste the blocks one by one, and go on only when a block ends with ", mono("ok"), " and without ", mono("STOP"),
		". A block that stops leaves the terminal open and the working folder as it is. Values go from file to file in a private folder and through standard input: none is an argument, none is shown."))
	b.add(title(3, "1. "+b.partTitle(prepare)))
	b.prepare()
	at := prepare
	for _, st := range b.plan.Steps {
		if st.Strays {
			continue
		}
		p := partOf[st.Verb]
		// The parts between are said too, so that numbers are the same on every page.
		for at < p {
			at++
			b.add(title(3, fmt.Sprintf("%d. %s", at, b.partTitle(at))))
			if at == propagate {
				b.consumerTable()
			}
		}
		b.step(st)
	}
}

// stepTitle is the plan's, but for the place that stands for every rule.
func (b *builder) stepTitle(st rotation.Step) string {
	switch st.Verb {
	case rotation.Admit:
		return "Add it to every rule that names the old one"
	case rotation.Dismiss:
		return "Remove the old one from every rule"
	case rotation.Readmit:
		return "Add the old one again to every rule"
	case rotation.Withdraw:
		return "Remove the new one from every rule"
	}
	return upper(st.Title)
}

func (b *builder) prepare() {
	b.add(title(4, "Set up the working folder"),
		paragraph("A private folder, in memory where the system has one. If the terminal is lost, the folder is not: set ", mono("DESK"), " to it again and leave out the line that makes it."),
		fold0("the shared functions", shell(b.desk())),
		fold0("addresses, and the functions of "+joined(b.titles(), ", "), shell(strings.TrimSpace(b.addresses()+"\n\n"+b.tools()))))
	if len(b.Issuer.Addresses) > 0 {
		b.add(paragraph("To practise first, let the addresses (", mono(b.Issuer.Tool+"_API"), " and so on) lead to ", mono("rekey sim"), " before this block."))
	}
	b.add(title(4, "Fetch what is needed into the working folder"), b.credentials())
	b.add(title(4, "Observe"))
	b.observe()
}

// storeTitles are the vendors of the stores, each once.
func (b *builder) storeTitles() []string {
	var out []string
	for _, p := range b.Spec.Stores() {
		if _, r := b.store(p); !slices.Contains(out, r.Title) {
			out = append(out, r.Title)
		}
	}
	return out
}

func fold0(what string, kids ...block) block {
	return block{kind: fold, text: say(what), kids: kids}
}

func (b *builder) titles() []string {
	var out []string
	for _, r := range b.recipes() {
		if !slices.Contains(out, r.Title) {
			out = append(out, r.Title)
		}
	}
	return out
}

// observe collects what going back needs, before the first write.
func (b *builder) observe() {
	var first []string
	for i, p := range b.places() {
		first = append(first, "printf '%s' "+byhand.Quote(byhand.JQ(p.SlotNames()))+" > "+b.dirs()[i]+"/names.json")
	}
	// Run once more after a failure it keeps the new one's name, by which a creation
	// whose answer was lost is found; after a creation it would take new values for old.
	first = append(first, `[ ! -e asked ] || stop "a new one was asked for with this folder: to look anew would forget what was there before"`)
	for _, f := range b.fields() {
		first = append(first, ": > was/"+f+"; : > new/"+f+"; : > wrong/"+f)
	}
	first = append(first, ": > new-id", "[ -s new-name ] || "+b.newName())
	sr := b.Store.Steps["observe"]
	lines := append(first, sr.Shell, "cp store/now.json store/was.json")
	taken := map[string]bool{}
	for _, s := range b.Spec.Store.Slots {
		if f, alone := s.Template.Alone(); alone && s.For == b.Spec.Name && !taken[f] {
			taken[f] = true
			lines = append(lines, "jq -rj "+byhand.Quote(".["+byhand.JQ(s.Name)+`] // ""`)+" store/was.json > was/"+f)
		}
	}
	for _, f := range b.Spec.Issuer.Fields {
		lines = append(lines, `[ -s was/`+f+` ] || stop "the store holds no `+f+`"`)
	}
	lines = append(lines, made(b.Spec.Store.Slots, "was", "store/expected.json"), `agrees store || stop "the names in the store do not hold the same credential: fix that first"`, `echo "ok: the store holds one credential, under every name"`)
	b.add(paragraph(append(say("The store, ", mono(b.Spec.Store.Key), ". "), markdown(sr.Text)...)), on(lines...))

	for _, f := range b.Spec.Further {
		dir, r := b.store(f)
		fr := r.Steps["observe"]
		b.add(paragraph(append(say("The store that follows it, ", mono(f.Key), ". "), markdown(fr.Text)...)),
			on(fr.Shell, "cp "+dir+"/now.json "+dir+"/was.json", made(f.Slots, "was", dir+"/expected.json"),
				"agrees "+dir+` || stop "it does not hold what the first store holds: fix that first"`, `echo "ok: it holds what the first store holds"`))
	}

	ir := b.Issuer.Steps["observe"]
	b.add(b.portal(ir)...)
	b.add(paragraph(append(say("The issuer. "), markdown(ir.Text)...)), on(ir.Shell, `echo "ok: observed"`))

	for i, c := range b.Spec.Consumers {
		cr, dir := b.Consumers[c.Key].Steps["observe"], byhand.ConsumerDir(i)
		b.add(paragraph(append(say("The consumer ", mono(c.Key), ". "), markdown(cr.Text)...)),
			on(cr.Shell, "cp "+dir+"/now.json "+dir+"/was.json", made(c.Slots, "was", dir+"/expected.json"),
				"agrees "+dir+` || stop "it does not hold what the store holds: fix that first"`, `echo "ok: it holds what the store holds"`))
	}
	var gates []string
	for i := range b.Spec.Validate {
		gates = append(gates, b.says("denied", "-", i)+` || stop "nobody may get in here without a credential: an open address proves nothing"`,
			b.says("denied", "wrong", i)+` || stop "a made-up credential is not denied by what protects the address"`)
	}
	b.add(paragraph("The protected address, asked without a credential and with a made-up one: both must be denied by what protects it. A redirect to a login page is no 200."),
		on(append(gates, `echo "ok: both are denied"`)...))
	if len(b.Spec.Verify) > 0 {
		b.add(paragraph("What the consumers say of themselves, before anything is changed."), on(b.checkLines("before")...))
	}
}

func (b *builder) checkLines(when string) []string {
	var out []string
	for i := range b.Spec.Verify {
		out = append(out, fmt.Sprintf("wait_until %s check_%d", b.seconds(b.Spec.Timing.Verify.Seconds()), i+1))
	}
	return append(out, `echo "ok: every check is true `+when+`"`)
}

func (b *builder) seconds(s float64) string { return strconv.FormatFloat(s, 'f', -1, 64) }

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

func (b *builder) consumerTable() {
	var rows []row
	for _, c := range b.Spec.Consumers {
		slots := Text{}
		for i, s := range c.Slots {
			if i > 0 {
				slots = append(slots, say(", ")...)
			}
			slots = append(slots, say(mono(s.Name), " = ", mono(s.Template.String()))...)
		}
		rows = append(rows, row{cells: []Text{say(mono(c.Key)), slots}})
	}
	b.add(block{kind: table, head: []Text{say("Consumer"), say("What it holds; all of it in one write")}, rows: rows})
}

// step is one step of the plan, done by hand.
func (b *builder) step(st rotation.Step) {
	if st.Final {
		text := say(bold("Point of no return."), " What follows cannot be undone. Let somebody else read the lines above that begin with ", mono("ok"), " before you go on.")
		if b.plan.Strategy == rotation.RollAtOnce {
			text = append(text, say(" There is no overlap: every consumer is out from here until it has the new value.")...)
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
		return byhand.Step{Text: "A fresh credential may take a while until every edge knows it; so it is asked repeatedly, and not once."},
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
		return byhand.Step{Text: "The protected address may learn of it late. Only from now on is the old one really off."},
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
		lines = []string{`[ ! -e asked ] || stop "it was asked for already: look what became of that first, by the name $(<new-name)"`, "touch asked", issuer.Shell}
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

// holders read every place again and compare it with what it should hold.
func (b *builder) holders(which string) []string {
	lines := []string{b.Store.Steps["read"].Shell, "same store now.json " + which + `.json || stop "the store holds something else"`}
	for _, f := range b.Spec.Further {
		dir, r := b.store(f)
		lines = append(lines, r.Steps["read"].Shell, "same "+dir+" now.json "+which+".json || stop "+byhand.Quote(f.Key+" holds something else"))
	}
	for i, c := range b.Spec.Consumers {
		dir := byhand.ConsumerDir(i)
		lines = append(lines, b.Consumers[c.Key].Steps["read"].Shell, "same "+dir+" now.json "+which+".json || stop "+byhand.Quote(c.Key+" holds something else"))
	}
	return lines
}

func (b *builder) probe(url string) int {
	return slices.IndexFunc(b.Spec.Validate, func(p sop.Probe) bool { return p.URL == url })
}
