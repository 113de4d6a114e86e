package secret

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"rekey/internal/cred"
)

// Match is how a value holds a credential.
type Match int

// The ways, the weakest first.
const (
	Apart  Match = iota // it has nothing to do with it
	Names               // it tells a public part only, by which a credential is known and not had
	Inside              // a secret part stands in a longer text
	Whole               // it is what a template makes, or a secret part alone
)

// longEnough is how many characters a part needs before it is looked for inside
// other texts: what is shorter stands in some text by chance.
const longEnough = 16

// Search looks for one generation in values of others, in memory. Nothing that it
// returns tells anything of a value but the template that made it.
type Search struct {
	templates []cred.Template
	made      []string // by template
	parts     []part
}

// part is one field of the bundle.
type part struct {
	field, value string
	secret       bool
	spellings    []string // in which it may stand inside a text
}

// NewSearch prepares to look for b. public tells which fields are no secret: a
// public part alone names the credential and does not give it away. Templates are
// those by which the credential is written somewhere.
func NewSearch(b Bundle, public func(field string, v Value) bool, templates []cred.Template) Search {
	var s Search
	secretFields := map[string]bool{}
	for _, f := range b.Fields() {
		if !b[f].Present() {
			continue
		}
		p := part{field: f, value: b[f].Reveal(), secret: !public(f, b[f])}
		secretFields[f] = p.secret
		if len(p.value) >= longEnough {
			p.spellings = spellings(p.value)
		}
		s.parts = append(s.parts, p)
	}
	for _, t := range templates {
		if !slices.ContainsFunc(t.Fields(), func(f string) bool { return secretFields[f] }) {
			continue
		}
		if v, err := b.Render(t); err == nil {
			s.templates, s.made = append(s.templates, t), append(s.made, v.Reveal())
		}
	}
	return s
}

// Empty reports whether there is nothing to look for.
func (s Search) Empty() bool { return len(s.parts) == 0 }

// In tells how v holds the credential, and by which template it would be written
// there; "" if that cannot be told without tellsNothing what else stands in v.
func (s Search) In(v Value) (Match, string) {
	if !v.Present() {
		return Apart, ""
	}
	text := v.Reveal()
	if i := slices.Index(s.made, text); i >= 0 {
		return Whole, s.templates[i].String()
	}
	found := Apart
	for _, p := range s.parts {
		switch {
		case p.secret && text == p.value:
			return Whole, "{" + p.field + "}"
		case !slices.ContainsFunc(p.spellings, func(x string) bool { return strings.Contains(text, x) }):
			if !p.secret && text == p.value {
				found = max(found, Names)
			}
		case p.secret:
			found = Inside
		default:
			found = max(found, Names)
		}
	}
	switch found {
	case Inside, Names:
		return found, s.template(text)
	}
	return found, ""
}

// spellings of a secret inside a text: as it is, in JSON, in a URL, and in base64
// at each of the three places at which it may begin there.
func spellings(v string) []string {
	out := []string{v}
	add := func(x string) {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	if b, err := json.Marshal(v); err == nil {
		add(strings.Trim(string(b), `"`))
	}
	add(url.QueryEscape(v))
	add(url.PathEscape(v))
	for shift := range 3 {
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			coded := strings.TrimRight(enc.EncodeToString([]byte(strings.Repeat("\x00", shift)+v)), "=")
			// Its first characters hang on what stands before, its last on what follows.
			from, to := 0, len(coded)-1
			if shift > 0 {
				from = shift + 1
			}
			add(coded[from:to])
		}
	}
	return out
}

// template writes a text as a template, if what stands in it besides the fields
// are joints and words that tell nothing.
func (s Search) template(text string) string {
	const mark = "\x00"
	rest := text
	for i, p := range s.parts {
		if len(p.value) >= longEnough {
			rest = strings.ReplaceAll(rest, p.value, mark+string(rune('A'+i))+mark)
		}
	}
	pieces := strings.Split(rest, mark)
	if len(pieces) < 3 || len(s.parts) > 20 {
		return ""
	}
	var out strings.Builder
	for i, piece := range pieces {
		if i%2 == 1 {
			out.WriteString("{" + s.parts[piece[0]-'A'].field + "}")
			continue
		}
		if !s.tellsNothing(piece) {
			return ""
		}
		out.WriteString(strings.NewReplacer("{", "{{", "}", "}}").Replace(piece))
	}
	return out.String()
}

// joints are words that stand beside credentials and tell nothing of them.
var joints = []string{"Bearer", "Basic", "Token", "token", "id", "secret", "key", "client", "value"}

// tellsNothing reports whether a piece may be shown: signs, fields' names and joints.
func (s Search) tellsNothing(piece string) bool {
	word := func(r rune) bool {
		return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 127
	}
	for _, w := range strings.FieldsFunc(piece, func(r rune) bool { return !word(r) }) {
		if !slices.Contains(joints, w) && !slices.ContainsFunc(s.parts, func(p part) bool { return p.field == w }) {
			return false
		}
	}
	return len(piece) <= 40
}
