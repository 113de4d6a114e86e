package secret

import (
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
	Inside              // a secret part, or half of a long one, stands in a longer text or is encoded in it
	Whole               // it is what a template makes, or a secret part alone
)

const (
	// longEnough is how many characters a part needs before it is looked for inside
	// other texts: what is shorter stands in some text by chance.
	longEnough = 16
	// twoHalves is how many it needs to be looked for by halves as well: a text that
	// was cut in two, or has something in its middle that nobody thought of, is a copy.
	twoHalves = 2 * longEnough
)

// Search looks for one generation in values of others, in memory. Nothing that it
// returns tells anything of a value but the template that made it.
type Search struct {
	templates []cred.Template
	made      []string // by template
	bare      []string // the same without quoting and white space
	parts     []part
}

// part is one field of the bundle.
type part struct {
	field, value string
	secret       bool
	bare         string   // the value without quoting and white space
	exact        []string // what is looked for inside a text as it stands
	tight        []string // and inside one that is bare
}

// NewSearch prepares to look for b. public tells which fields are not secret: a
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
		p.bare = bare(unescaped(p.value))
		p.exact, p.tight = pieces(p.value, p.secret), pieces(p.bare, p.secret)
		s.parts = append(s.parts, p)
	}
	for _, t := range templates {
		if !slices.ContainsFunc(t.Fields(), func(f string) bool { return secretFields[f] }) {
			continue
		}
		if v, err := b.Render(t); err == nil {
			s.templates, s.made, s.bare = append(s.templates, t), append(s.made, v.Reveal()), append(s.bare, bare(unescaped(v.Reveal())))
		}
	}
	return s
}

// pieces are what shows that a value stands inside a text: the value, and of a
// long secret each half. None if it is too short to be looked for.
func pieces(value string, halves bool) []string {
	switch n := len(value); {
	case n < longEnough:
		return nil
	case halves && n >= twoHalves:
		return []string{value[:n/2], value[n/2:]} // whoever holds it whole holds these
	}
	return []string{value}
}

// Empty reports whether there is nothing to look for.
func (s Search) Empty() bool { return len(s.parts) == 0 }

// Manner says in which spellings the secret parts are searched for: a proof that
// nobody holds them is worth no more than that.
func (s Search) Manner() string {
	inside, short, long := false, false, false
	for _, p := range s.parts {
		inside = inside || p.secret && len(p.value) >= longEnough
		short = short || p.secret && len(p.value) < longEnough
		long = long || p.secret && len(p.value) >= twoHalves
	}
	var out []string
	if inside {
		text := "as it stands, without line breaks, unescaped (JSON, URL, HTML, shell), decoded (base64, hex)"
		if long {
			text += ", and by halves"
		}
		out = append(out, text)
	}
	if short {
		out = append(out, "what is shorter than 16 characters as a whole value only")
	}
	if len(out) == 0 {
		return "nothing secret to search for"
	}
	return "searched " + strings.Join(out, "; ")
}

// In tells how v holds the credential, and by which template it would be written
// there; "" if that cannot be told without telling what else stands in v.
func (s Search) In(v Value) (Match, string) {
	if !v.Present() {
		return Apart, ""
	}
	text := v.Reveal()
	for _, t := range []string{text, strings.TrimSpace(text)} { // as a file is written: with a newline at its end
		if i := slices.Index(s.made, t); i >= 0 {
			return Whole, s.templates[i].String()
		}
		for _, p := range s.parts {
			if p.secret && t == p.value {
				return Whole, "{" + p.field + "}"
			}
		}
	}
	found := s.read(text, depth)
	switch found {
	case Inside, Names:
		return found, s.template(text)
	}
	return found, ""
}

// read looks in a text, and in everything that it may be an encoding of.
func (s Search) read(text string, deeper int) Match {
	plain := unescaped(text)
	tight := bare(plain)
	found := Apart
	for _, p := range s.parts {
		switch holds := same(tight, p.bare) || within(text, p.exact) || within(plain, p.exact) || within(tight, p.tight); {
		case holds && p.secret:
			return Inside
		case holds:
			found = Names
		}
	}
	if slices.ContainsFunc(s.bare, func(m string) bool { return same(tight, m) }) {
		return Inside
	}
	if deeper == 0 {
		return found
	}
	look := func(decoded string) bool {
		found = max(found, s.read(decoded, deeper-1))
		return found < Inside
	}
	if decodings(plain, look) && plain != text {
		decodings(text, look) // what looks like an escape need not be one
	}
	return found
}

// same reports whether two bare texts are equal; what has fewer than four characters
// comes out of a decoder by chance.
func same(text, value string) bool { return text == value && len(value) >= 4 }

func within(text string, pieces []string) bool {
	return slices.ContainsFunc(pieces, func(x string) bool { return strings.Contains(text, x) })
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
