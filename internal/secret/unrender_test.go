package secret

import (
	"testing"

	"rekey/internal/cred"
)

// TestUnrender: what a template put together is taken apart again, and nothing is
// guessed where it could be read in two ways.
func TestUnrender(t *testing.T) {
	for _, c := range []struct {
		template, value string
		want            map[string]string // nil: refused
	}{
		{"{id}", "a:b", map[string]string{"id": "a:b"}},
		{"{id}:{key}", "a:b", map[string]string{"id": "a", "key": "b"}},
		{"{id}:{key}", "a:b:c", nil},
		{"{id}:{key}", "ab", nil},
		{"{id}:{key}", ":b", nil},
		{"{id}{key}", "ab", nil},
		{"https://{id}:{key}@host/", "https://a:b@host/", map[string]string{"id": "a", "key": "b"}},
		{"https://{id}:{key}@host/", "http://a:b@host/", nil},
		{"https://{id}:{key}@host/", "https://a:b@host/x", nil},
		{"{id}.{id}", "a.a", map[string]string{"id": "a"}},
		{"{id}.{id}", "a.b", nil},
		{"{id}", "", nil},
	} {
		tpl, err := cred.ParseTemplate(c.template)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := Unrender(tpl, New(c.value))
		if ok != (c.want != nil) {
			t.Errorf("%s of %s: %v", c.template, c.value, ok)
			continue
		}
		for f, v := range c.want {
			if !got[f].Equal(New(v)) {
				t.Errorf("%s of %s: field %s is another", c.template, c.value, f)
			}
		}
		if ok {
			if again, err := got.Render(tpl); err != nil || !again.Equal(New(c.value)) {
				t.Errorf("%s of %s: does not make it again", c.template, c.value)
			}
		}
	}
}
