package secret

import (
	"fmt"
	"sort"
	"strings"

	"rekey/internal/cred"
)

// Bundle is the secret fields of one generation, by field name.
type Bundle map[string]Value

// Fields returns the names of the fields, sorted.
func (b Bundle) Fields() []string {
	names := make([]string, 0, len(b))
	for n := range b {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Complete reports whether every named field is present.
func (b Bundle) Complete(fields []string) bool {
	for _, f := range fields {
		if !b[f].Present() {
			return false
		}
	}
	return len(fields) > 0
}

// Render fills t with the bundle's fields. A field that is missing is an
// error: an empty credential must never be written anywhere (T01, T02).
func (b Bundle) Render(t cred.Template) (Value, error) {
	var out strings.Builder
	for _, part := range t.Parts() {
		if part.Field == "" {
			out.WriteString(part.Text)
			continue
		}
		v := b[part.Field]
		if !v.Present() {
			return Value{}, fmt.Errorf("bundle has no field %q for template %q", part.Field, t)
		}
		text, err := filtered(v.Reveal(), part.Filters)
		if err != nil {
			return Value{}, fmt.Errorf("field %q for template %q: %w", part.Field, t, err)
		}
		out.WriteString(text)
	}
	return New(out.String()), nil
}
