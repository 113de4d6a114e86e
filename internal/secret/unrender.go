package secret

import (
	"strings"

	"rekey/internal/cred"
)

// Unrender takes a value apart again by the template that made it. It fails where
// that could be read in two ways: a text between two fields that occurs twice. A field
// that went through a filter ends where what the filter writes does.
func Unrender(t cred.Template, v Value) (Bundle, bool) {
	rest, out := v.Reveal(), Bundle{}
	var field cred.Part // waits for the text that ends it
	take := func(s string) bool {
		if field.Field == "" {
			return s == ""
		}
		plain, ok := unfiltered(s, field.Filters)
		if had, twice := out[field.Field]; !ok || plain == "" || twice && !had.Equal(New(plain)) {
			return false
		}
		out[field.Field], field = New(plain), cred.Part{}
		return true
	}
	parts := t.Parts()
	for i, p := range parts {
		switch {
		case p.Field != "" && field.Field != "":
			return nil, false // nothing stands between them
		case p.Field != "":
			field = p
			next := ""
			if i+1 < len(parts) {
				next = parts[i+1].Text
			}
			if n := written(rest, p.Filters, next); n > 0 {
				if !take(rest[:n]) {
					return nil, false
				}
				rest = rest[n:]
			}
		default:
			before, after, found := strings.Cut(rest, p.Text)
			if !found || field.Field != "" && after != "" && strings.Contains(after, p.Text) || !take(before) {
				return nil, false
			}
			rest = after
		}
	}
	if !take(rest) {
		return nil, false
	}
	return out, true
}
