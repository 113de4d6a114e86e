package document

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rekey/internal/byhand"
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
			return "Confirm that the old one no longer works"
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
	b.add(paragraph("By hand, if Rekey is not available: open one ", mono("bash"), " in the folder of ", mono("rekey.yaml"),
		", paste the blocks one by one, and continue only when a block ends with ", mono("ok"), " and without ", mono("STOP"),
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
	b.add(title(4, "Read what is needed into the working folder"), b.credentials())
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

func (b *builder) seconds(s float64) string { return strconv.FormatFloat(s, 'f', -1, 64) }

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
