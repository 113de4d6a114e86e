package secret

import (
	"strings"

	"rekey/internal/cred"
)

// Unrender takes a value apart again by the template that made it. It fails where
// that could be read in two ways: a text between two fields that occurs twice.
func Unrender(t cred.Template, v Value) (Bundle, bool) {
	rest, out := v.Reveal(), Bundle{}
	field := "" // waits for the text that ends it
	take := func(s string) bool {
		if field == "" {
			return s == ""
		}
		if had, twice := out[field]; s == "" || twice && !had.Equal(New(s)) {
			return false
		}
		out[field], field = New(s), ""
		return true
	}
	for _, p := range t.Parts() {
		switch {
		case p.Field != "" && field != "":
			return nil, false // nothing stands between them
		case p.Field != "":
			field = p.Field
		default:
			before, after, found := strings.Cut(rest, p.Text)
			if !found || field != "" && after != "" && strings.Contains(after, p.Text) || !take(before) {
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
