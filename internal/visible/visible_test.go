package visible

import (
	"encoding/json"
	"reflect"
	"testing"
)

// TestWhatCannotBeSeenIsSpelledOut: escapes, line breaks, marks of direction,
// what has no width, and bytes that are not text.
func TestWhatCannotBeSeenIsSpelledOut(t *testing.T) {
	for s, want := range map[string]string{
		"raxx-console": "raxx-console",
		"Jörg's café ✓ 東京 עברית 🔑": "Jörg's café ✓ 東京 עברית 🔑",
		"a\x1b[31mb":           `a\x1b[31mb`,
		"a\nb\r\tc":            `a\nb\r\tc`,
		"a\u202eb\u2066":       `a\u202eb\u2066`,
		"a\u200bb\ufeff\u00ad": `a\u200bb\ufeff\u00ad`,
		"a\u2028b\u0085\u009b": `a\u2028b\u0085\u009b`,
		"a\xff\xfeb":           `a\xff\xfeb`,
		"a\u00a0b\u3164\ufe0f": `a\u00a0b\u3164\ufe0f`,
		"a\U000e0041":          `a\U000e0041`,
		"a\x00\x7f\a":          `a\x00\x7f\x07`,
		"replaced \ufffd":      "replaced \ufffd",
	} {
		if got := Text(s); got != want {
			t.Errorf("%q is shown as %q, want %q", s, got, want)
		}
		if again := Text(Text(s)); again != Text(s) {
			t.Errorf("%q is spelled out twice: %q", s, again)
		}
	}
	if got := Lines("a\n\tb\x1b\r\n"); got != "a\n\tb\\x1b\\r\n" {
		t.Errorf("%q", got)
	}
}

type inner struct {
	Name  string
	Names []string
	Any   any
	Raw   json.RawMessage
	own   string
}

type outer struct {
	inner
	In  *inner
	By  map[string][2]inner
	Err error
}

// TestACopySpellsOutEveryStringAndNothingElse: however deep it stands; the
// original keeps what it was.
func TestACopySpellsOutEveryStringAndNothingElse(t *testing.T) {
	bad, good := "a\x1b\n", `a\x1b\n`
	in := func(s string) *inner {
		return &inner{Name: s, Names: []string{"x", s}, Any: map[string]any{s: []any{s, 7}}, Raw: json.RawMessage("1\n"), own: "\x1b"}
	}
	of := func(s string) outer {
		return outer{In: in(s), By: map[string][2]inner{s: {{}, *in(s)}}}
	}
	v := of(bad)
	if got := Copy(v); !reflect.DeepEqual(got, of(good)) {
		t.Errorf("%#v", got)
	}
	if !reflect.DeepEqual(v, of(bad)) {
		t.Error("the original was changed")
	}
	same := in("fine")
	if Copy(same) != same {
		t.Error("copied although there is nothing to spell out")
	}
	var none any
	if Copy(none) != nil {
		t.Error("nothing became something")
	}
}
