package document

import (
	_ "embed"
	"slices"
	"strings"

	"rekey/internal/byhand"
	"rekey/internal/cred"
	"rekey/internal/rotation"
)

// seekShell are the functions of the check for other holders that all vendors share. What counts as
// holding it is secret.Search's word, spelling by spelling.
//
//go:embed seek.sh
var seekShell string

// surveys reports whether the procedure looks who else holds the old one.
func (b *builder) surveys() bool {
	return slices.ContainsFunc(b.plan.Steps, func(st rotation.Step) bool { return st.Verb == rotation.Survey })
}

// survey looks by hand who else holds the old one: once in each account of the
// consumers, with the slots of all its consumers passed over. An account that
// nothing can look through is said, and no block pretends to.
func (b *builder) survey() {
	var seen, blind []string
	var texts, lines []string
	for _, c := range b.Spec.Consumers {
		r := b.Consumers[c.Key]
		if slices.Contains(seen, r.Tool) || slices.Contains(blind, r.Tool) {
			continue
		}
		look := r.Steps["survey"]
		if look.Shell == "" {
			blind = append(blind, r.Tool)
			continue
		}
		seen, texts = append(seen, r.Tool), append(texts, look.Text)
		lines = append(lines, ": > "+r.Tool+".known")
		for _, o := range b.Spec.Consumers {
			if other := b.Consumers[o.Key]; other.Tool == r.Tool {
				lines = append(lines, other.Steps["registered"].Shell)
			}
		}
		lines = append(lines, look.Shell)
	}
	if len(seen) > 0 {
		b.add(paragraph(append(say("What else is in the account of ", monos(seen), " and holds the old one loses access with the next step. So everything there is compared, by value and not by name: the whole value, or inside a longer text. Names are shown, and no value. "),
			markdown(strings.Join(texts, " "))...)),
			on(slices.Concat([]string{b.sought(), ": > looked; : > others"}, lines, []string{
				`[ ! -s others ] || stop "not while these would lose access, or could not be read"`,
				`echo "ok: nobody else holds the old one ($(jq -nR '[inputs] | length' looked) places read)"`})...),
			paragraph("If it stops: "+b.amends()+" and paste the block again. A person may decide to let one lose access anyway, by its name: ",
				mono(`echo NAME >> "$DESK/despite"`), ", then the block again. Other accounts, laptops and build servers are not looked at."))
	}
	for _, tool := range blind {
		b.add(paragraph(bold("Nothing can look through"), " the account of ", mono(tool), ". Ask whoever runs something there whether it holds the old one, before you go on, and note who was asked."))
	}
}

// amends are what is done about somebody who was found.
func (b *builder) amends() string {
	if b.plan.Strategy == rotation.RollAtOnce {
		return "nothing has been changed yet, so take the old one out there, or register who was found and begin anew with the page that has it,"
	}
	return "both work until then, so give who was found the new one, or take the old one out there, register it for the next time,"
}

// sought makes what is looked for of the old values: what every template that has a
// secret field makes, and the secret fields. What is only a name proves nothing.
func (b *builder) sought() string {
	secret := func(f string) bool { return !slices.Contains(b.Can.Public, f) }
	var args, whole, parts []string
	add := func(list *[]string, expression string, more []string) {
		if !slices.Contains(*list, expression) {
			*list = append(*list, expression)
		}
		for _, a := range more {
			if !slices.Contains(args, a) {
				args = append(args, a)
			}
		}
	}
	for _, f := range b.fields() {
		if secret(f) {
			add(&parts, "$"+jqName(f), []string{rawfile(f, "was")})
		}
	}
	whole = slices.Clone(parts)
	for _, p := range b.places() {
		for _, s := range p.Slots {
			if slices.ContainsFunc(s.Template.Fields(), secret) {
				expression, used := rendered(s.Template, "was")
				add(&whole, expression, used)
			}
		}
	}
	return "jq -n " + strings.Join(args, " ") + " '{\n  whole: [" + strings.Join(whole, ", ") + "],\n  parts: [" + strings.Join(parts, ", ") + "]\n}' | seek > sought.json\n" +
		`jq -e '.whole | length > 0' sought.json > /dev/null || stop "the old values are not in this folder"`
}

// rendered is what a template makes of the bundle in a folder, in jq, with the
// arguments that this takes.
func rendered(t cred.Template, bundle string) (expression string, args []string) {
	var parts []string
	for _, p := range t.Parts() {
		if p.Field == "" {
			parts = append(parts, byhand.JQ(p.Text))
			continue
		}
		if a := rawfile(p.Field, bundle); !slices.Contains(args, a) {
			args = append(args, a)
		}
		parts = append(parts, byhand.Filtered("$"+jqName(p.Field), p.Filters))
	}
	expression = strings.Join(parts, " + ")
	if len(parts) > 1 {
		expression = "(" + expression + ")"
	}
	return expression, args
}

func rawfile(field, bundle string) string {
	return "--rawfile " + jqName(field) + " " + bundle + "/" + field
}

// jqName is the variable of jq for a field.
func jqName(field string) string {
	if jqWords.MatchString(field) {
		return "field_" + field
	}
	return field
}
