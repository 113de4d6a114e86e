package cred

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Template says how the fields of a bundle are put together in one slot:
// "{client_id}:{client_secret}". Doubled braces stand for themselves. A field may go
// through filters, from left to right, so that it cannot break what it stands in:
// "postgres://{user|url}:{password|url}@db/app".
type Template struct {
	source string
	parts  []Part
}

// Part is a piece of a template: either literal text or a field.
type Part struct {
	Text, Field string
	Filters     []Filter // of the field, in the order in which they are applied
}

// Filter is how a field is written so that it stands for itself where it is put.
type Filter string

// The filters. Each is undone in one way only.
const (
	URL    Filter = "url"    // percent-encoded, all but letters, digits and -._~ (RFC 3986, 2.3)
	JSON   Filter = "json"   // a string of JSON, with its quotation marks (RFC 8259, 7)
	Base64 Filter = "base64" // with padding (RFC 4648, 4)
	Sh     Filter = "sh"     // one word of a POSIX shell, with its quotation marks
)

// filters are all of them.
var filters = []Filter{URL, JSON, Base64, Sh}

// field reads what stands between braces.
func field(template, s string) (Part, error) {
	words := strings.Split(s, "|")
	p := Part{Field: strings.TrimSpace(words[0])}
	if !fieldName.MatchString(p.Field) {
		return Part{}, fmt.Errorf("template %q: %q is not a field name", template, p.Field)
	}
	for _, w := range words[1:] {
		f := Filter(strings.TrimSpace(w))
		if !slices.Contains(filters, f) {
			return Part{}, fmt.Errorf("template %q: there is no filter %q; want {%s|url}, |json, |base64 or |sh", template, f, p.Field)
		}
		p.Filters = append(p.Filters, f)
	}
	return p, nil
}

var fieldName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// ParseTemplate reads a template. A template without any field is an error: it
// would write the same text whatever the credential is.
func ParseTemplate(s string) (Template, error) {
	t := Template{source: s}
	var text strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "{{"), strings.HasPrefix(s[i:], "}}"):
			text.WriteByte(s[i])
			i++
		case s[i] == '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return Template{}, fmt.Errorf("template %q: '{' is never closed", s)
			}
			p, err := field(s, s[i+1:i+end])
			if err != nil {
				return Template{}, err
			}
			if text.Len() > 0 {
				t.parts = append(t.parts, Part{Text: text.String()})
				text.Reset()
			}
			t.parts = append(t.parts, p)
			i += end
		case s[i] == '}':
			return Template{}, fmt.Errorf("template %q: '}' without '{'", s)
		default:
			text.WriteByte(s[i])
		}
	}
	if text.Len() > 0 {
		t.parts = append(t.parts, Part{Text: text.String()})
	}
	if len(t.Fields()) == 0 {
		return Template{}, fmt.Errorf("template %q has no {field}", s)
	}
	return t, nil
}

// String returns the template as written.
func (t Template) String() string { return t.source }

// Parts returns the pieces in order.
func (t Template) Parts() []Part { return t.parts }

// Fields returns the names of the fields in order of appearance.
func (t Template) Fields() []string {
	var out []string
	for _, p := range t.parts {
		if p.Field != "" {
			out = append(out, p.Field)
		}
	}
	return out
}

// Alone returns the field if the template is nothing but that field, as it is: only
// such a slot can give the field back.
func (t Template) Alone() (field string, ok bool) {
	if len(t.parts) == 1 && t.parts[0].Field != "" && len(t.parts[0].Filters) == 0 {
		return t.parts[0].Field, true
	}
	return "", false
}

// MarshalJSON writes the template as written.
func (t Template) MarshalJSON() ([]byte, error) { return json.Marshal(t.source) }

// UnmarshalJSON parses a template.
func (t *Template) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	parsed, err := ParseTemplate(s)
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}
