package sop

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"rekey/internal/cred"
)

// once keeps what was worked out for one credential and is the same for the others
// of its procedure. It goes by content and never by place, and keeps only what was
// right: a mistake is found, and told, wherever it stands.
type once struct {
	settings  map[string][]byte        // of a vendor, in canonical form -> as JSON
	templates map[string]cred.Template // as written
	programs  map[string]bool          // skeletons of jq that compile
	key       []byte                   // for canonical forms, one after another
}

// mostKept bounds what is kept of a kind: what is different for each credential is
// not worth keeping.
const mostKept = 1000

func newOnce() once {
	return once{settings: map[string][]byte{}, templates: map[string]cred.Template{}, programs: map[string]bool{}}
}

// known returns a vendor's settings that were checked before, with the words that
// are filled in now.
func (o *once) known(def string, n *yaml.Node) (found []byte, ok bool) {
	o.key = canonical(append(append(o.key[:0], def...), 0), n)
	found, ok = o.settings[string(o.key)]
	return found, ok
}

// keep keeps settings that known has not found and nothing was wrong with.
func (o *once) keep(settings []byte) {
	if len(o.settings) < mostKept {
		o.settings[string(o.key)] = settings
	}
}

// canonical writes a node so that two are equal just when they read alike.
func canonical(b []byte, n *yaml.Node) []byte {
	if n == nil {
		return append(b, '-')
	}
	b = append(b, byte('0'+n.Kind))
	for _, s := range [...]string{n.Tag, n.Value} {
		b = append(strconv.AppendInt(b, int64(len(s)), 10), ':')
		b = append(b, s...)
	}
	b = append(strconv.AppendInt(append(b, '['), int64(len(n.Content)), 10), ':')
	for _, c := range n.Content {
		b = canonical(b, c)
	}
	return b
}

// template reads a template.
func (o *once) template(s string) (cred.Template, error) {
	t, known := o.templates[s]
	if known {
		return t, nil
	}
	t, err := cred.ParseTemplate(s)
	if err == nil && len(o.templates) < mostKept {
		o.templates[s] = t
	}
	return t, err
}

// compiles reports what is wrong with a jq expression.
func (o *once) compiles(k Check) error {
	bones, ok := skeleton(k.JQ)
	if ok && o.programs[bones] {
		return nil
	}
	_, err := k.Code()
	if err == nil && ok && len(o.programs) < mostKept {
		o.programs[bones] = true
	}
	return err
}

// skeleton is a jq expression without what its texts say: whether it compiles does
// not depend on that, so the expressions of a procedure, which differ in their
// credentials' names, are one. ok is false where a quotation mark may not be the
// beginning or the end of a text: a comment may hold one, and \ escapes one or
// interpolates.
func skeleton(jq string) (bones string, ok bool) {
	if strings.ContainsAny(jq, "\\#") || strings.Count(jq, `"`)%2 != 0 {
		return "", false
	}
	var b strings.Builder
	for i, part := range strings.Split(jq, `"`) {
		if i%2 == 0 {
			b.WriteString(part)
		} else {
			b.WriteString(`""`)
		}
	}
	return b.String(), true
}
