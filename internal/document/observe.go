package document

import (
	"fmt"

	"rekey/internal/byhand"
)

// observe collects what going back needs, before the first write.
func (b *builder) observe() {
	var first []string
	for i, p := range b.places() {
		first = append(first, "printf '%s' "+byhand.Quote(byhand.JQ(p.SlotNames()))+" > "+b.dirs()[i]+"/names.json")
	}
	// Run once more after a failure it keeps the new one's name, by which a creation
	// whose answer was lost is found; after a creation it would take new values for old.
	first = append(first, `[ ! -e asked ] || stop "a new one was asked for with this folder: reading again would lose what was there before"`)
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
	b.add(paragraph("The protected address, asked without a credential and with a made-up one: both must be denied by what protects it. A redirect to a login page is not a 200."),
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
