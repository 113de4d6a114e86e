package cred

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Template says how the fields of a bundle are put together in one slot:
// "{client_id}:{client_secret}". Doubled braces stand for themselves.
type Template struct {
	source string
	parts  []Part
}

// Part is a piece of a template: either literal text or a field.
type Part struct{ Text, Field string }

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
			name := s[i+1 : i+end]
			if !fieldName.MatchString(name) {
				return Template{}, fmt.Errorf("template %q: %q is not a field name", s, name)
			}
			if text.Len() > 0 {
				t.parts = append(t.parts, Part{Text: text.String()})
				text.Reset()
			}
			t.parts = append(t.parts, Part{Field: name})
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

// Alone returns the field if the template is nothing but that field: only such
// a slot can give the field back.
func (t Template) Alone() (field string, ok bool) {
	if len(t.parts) == 1 && t.parts[0].Field != "" {
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
