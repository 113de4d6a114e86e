package secret

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"rekey/internal/cred"
)

// TestSearch: what holds a credential is found in every spelling, what only names
// it is told apart, and no template tells what else stands in a value.
func TestSearch(t *testing.T) {
	const id, key = "1f00c0ffee1f00c0ffee.access", `s3cr"t/with+signs and 40 characters.....`
	joined, err := cred.ParseTemplate("{client_id}:{client_secret}")
	if err != nil {
		t.Fatal(err)
	}
	alone, _ := cred.ParseTemplate("{client_id}")
	s := NewSearch(Bundle{"client_id": New(id), "client_secret": New(key)}, func(f string, _ Value) bool { return f == "client_id" }, []cred.Template{joined, alone})
	quoted, _ := json.Marshal(map[string]string{"client_id": id, "client_secret": key})
	for name, c := range map[string]struct {
		value    string
		match    Match
		template string
	}{
		"joined":             {id + ":" + key, Whole, "{client_id}:{client_secret}"},
		"the secret alone":   {key, Whole, "{client_secret}"},
		"the id alone":       {id, Names, "{client_id}"},
		"the id in a list":   {"x," + id + ",y", Names, ""},
		"the other way":      {key + "|" + id, Inside, "{client_secret}|{client_id}"},
		"an assignment":      {"X=" + key, Inside, ""},
		"a header":           {"Bearer " + key, Inside, "Bearer {client_secret}"},
		"JSON":               {string(quoted), Inside, ""},
		"beside a password":  {"postgres://u:hunter2@h/?k=" + key, Inside, ""},
		"in a URL":           {"https://h/?k=" + url.QueryEscape(key), Inside, ""},
		"base64":             {base64.StdEncoding.EncodeToString([]byte(id + ":" + key)), Inside, ""},
		"base64, shifted 1":  {base64.StdEncoding.EncodeToString([]byte("a" + key + "tail")), Inside, ""},
		"base64, shifted 2":  {base64.RawURLEncoding.EncodeToString([]byte("ab" + key + "t")), Inside, ""},
		"another":            {strings.Repeat("x", 60), Apart, ""},
		"a part of it":       {key[:19], Apart, ""},
		"half of it":         {key[:20], Inside, ""},
		"nothing":            {"", Apart, ""},
		"twice":              {key + "," + key, Inside, "{client_secret},{client_secret}"},
		"braces around":      {"{" + key + "}", Inside, "{{{client_secret}}}"},
		"another's password": {"hunter2:" + key, Inside, ""},
	} {
		m, tpl := s.In(New(c.value))
		if m != c.match || tpl != c.template {
			t.Errorf("%s: %d %q, want %d %q", name, m, tpl, c.match, c.template)
		}
		if strings.Contains(tpl, "hunter2") || strings.Contains(tpl, key) {
			t.Errorf("%s: the template tells a value", name)
		}
	}
	short := NewSearch(Bundle{"pin": New("1234")}, func(string, Value) bool { return false }, nil)
	if m, _ := short.In(New("12345")); m != Apart {
		t.Error("what is short is found by chance")
	}
	if m, _ := short.In(New("1234")); m != Whole {
		t.Error("what is short is not compared whole")
	}
}

// TestACopyIsFoundHoweverItIsWritten: a copy that is not seen loses its credential.
// Every way of writing a text that the world has, and ways inside ways, hides none.
func TestACopyIsFoundHoweverItIsWritten(t *testing.T) {
	ways := writings()
	for _, key := range []string{
		`s3cr"t/with+signs and 40 characters.....`, "sixteen-letters!", "abcdefghijklmnopqrstuvwxyz0123456789", `nrt\nrt%41&amp;'"$x <b>\u0041 +/==+/==`,
		"-----BEGIN X-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\nAgEAAoIBAQC7\n-----END X-----\n", "pässwörd für die lange Leitung",
	} {
		s := NewSearch(Bundle{"key": New(key)}, func(string, Value) bool { return false }, nil)
		for outer, write := range ways {
			for inner, first := range ways {
				for _, around := range [][2]string{{"", ""}, {"a=", ";b"}, {"user:", "@host/x"}} {
					text := write(around[0] + first(key) + around[1])
					if m, _ := s.In(New(text)); m < Inside {
						t.Errorf("%.12q… is not found in %s inside of %s", key, inner, outer)
					}
				}
			}
		}
	}
}

// TestNothingIsFoundInWhatHoldsNothing: a search that finds by chance would stop every run.
func TestNothingIsFoundInWhatHoldsNothing(t *testing.T) {
	s := NewSearch(Bundle{"key": New("sixteen-letters!"), "pin": New("1234"), "letter": New("x")}, func(string, Value) bool { return false }, nil)
	rnd := rand.New(rand.NewPCG(1, 2))
	for name, write := range writings() {
		for range 200 {
			b := make([]byte, rnd.IntN(120))
			for i := range b {
				b[i] = byte(rnd.IntN(256))
			}
			if m, _ := s.In(New(write(string(b)))); m != Apart {
				t.Fatalf("%q, written as %s, counts as a copy", b, name)
			}
		}
	}
	if m, _ := s.In(New("1234 and 31323334 and x")); m != Apart {
		t.Error("what is short is found by chance")
	}
}

// TestAShortValueIsFoundAsAWholeOne: with a newline, quoted, or encoded.
func TestAShortValueIsFoundAsAWholeOne(t *testing.T) {
	joined, err := cred.ParseTemplate("{user}:{pin}")
	if err != nil {
		t.Fatal(err)
	}
	s := NewSearch(Bundle{"user": New("ada"), "pin": New("hunter2")}, func(f string, _ Value) bool { return f == "user" }, []cred.Template{joined})
	for name, write := range writings() {
		if name == "base64, indented" {
			continue // it has a word of its own around
		}
		for _, v := range []string{"hunter2", "ada:hunter2"} {
			if m, _ := s.In(New(write(v))); m < Inside {
				t.Errorf("%s, written as %s, is not found", v, name)
			}
		}
	}
	for value, want := range map[string]string{"hunter2\n": "{pin}", "ada:hunter2\r\n": "{user}:{pin}"} {
		if m, tpl := s.In(New(value)); m != Whole || tpl != want {
			t.Errorf("%q: %d %q", value, m, tpl)
		}
	}
}

// TestTheMannerOfASearch: what was not searched for inside of texts is told.
func TestTheMannerOfASearch(t *testing.T) {
	manner := func(b Bundle) string {
		return NewSearch(b, func(f string, _ Value) bool { return f == "id" }, nil).Manner()
	}
	for want, b := range map[string]Bundle{
		"decoded (base64, hex), and by halves":                              {"a": New(strings.Repeat("ab", 20))},
		"decoded (base64, hex)":                                             {"a": New(strings.Repeat("ab", 10))},
		"searched what is shorter than 16 characters as a whole value only": {"a": New("hunter2")},
		"nothing secret to search for":                                      {"id": New(strings.Repeat("ab", 20))},
	} {
		if got := manner(b); !strings.HasSuffix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// writings are ways to write a text into a variable, a file or a page.
func writings() map[string]func(string) string {
	quoted := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	wrapped := func(s, with string, width int) string {
		var out strings.Builder
		for len(s) > width {
			out.WriteString(s[:width] + with)
			s = s[width:]
		}
		return out.String() + s + with
	}
	std := base64.StdEncoding.EncodeToString
	each := func(format string) func(string) string {
		return func(s string) string {
			var out strings.Builder
			for _, b := range []byte(s) {
				fmt.Fprintf(&out, format, b)
			}
			return out.String()
		}
	}
	return map[string]func(string) string{
		"plain text":               func(s string) string { return s },
		"a line":                   func(s string) string { return s + "\r\n" },
		"JSON":                     quoted,
		"JSON in JSON":             func(s string) string { return quoted(quoted(s)) },
		"a URL":                    url.QueryEscape,
		"a path":                   url.PathEscape,
		"a URL in lower case":      func(s string) string { return each("%%%02x")(s) },
		"a URL in upper case":      func(s string) string { return each("%%%02X")(s) },
		"a URL in a URL":           func(s string) string { return url.QueryEscape(url.QueryEscape(s)) },
		"HTML":                     html.EscapeString,
		"shell quoting":            func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" },
		"shell quoting, the other": func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'" },
		"a shell's backslashes": func(s string) string {
			return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, " ", `\ `, "'", `\'`).Replace(s)
		},
		"base64":                func(s string) string { return std([]byte(s)) },
		"base64, URL":           func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
		"base64, wrapped at 76": func(s string) string { return wrapped(std([]byte(s)), "\n", 76) },
		"base64, wrapped at 20": func(s string) string { return wrapped(std([]byte(s)), "\r\n", 20) },
		"base64, literal \\n":   func(s string) string { return wrapped(std([]byte(s)), `\n`, 64) },
		"base64, indented":      func(s string) string { return "data: |\n  " + wrapped(std([]byte(s)), "\n  ", 60) },
		"hex":                   each("%02x"),
		"hex, upper case":       each("%02X"),
		"hex, with colons":      each("%02x:"),
		"hex, \\x":              each(`\x%02x`),
		"hex, 0x":               each("0x%02X, "),
		"octal":                 each(`\%03o`),
		"numbered characters":   each("&#%d;"),
		"UTF-16":                func(s string) string { return each("%02x00")(s) },
	}
}

// BenchmarkSearch is one look at a value of another app: most hold nothing.
func BenchmarkSearch(b *testing.B) {
	s := NewSearch(Bundle{"client_id": New("1f00c0ffee1f00c0ffee1f00c0ffee11.access"), "client_secret": New(strings.Repeat("0123456789abcdef", 4))},
		func(f string, _ Value) bool { return f == "client_id" }, nil)
	rnd := rand.New(rand.NewPCG(3, 4))
	random := make([]byte, 1<<20)
	for i := range random {
		random[i] = byte(rnd.IntN(256))
	}
	for name, text := range map[string]string{
		"URL":             "postgres://u1234:p4f0c9d2e8a7b6c5@ec2-52-1-2-3.compute-1.amazonaws.com:5432/d8s7f6g5h4j3k2",
		"key":             base64.StdEncoding.EncodeToString(random[:48]),
		"PEM of 4 kB":     base64.StdEncoding.EncodeToString(random[:3<<10]),
		"base64 of 64 kB": base64.StdEncoding.EncodeToString(random[:48<<10]),
		"worst 64 kB":     strings.Repeat("A", 64<<10),
		"escapes 64 kB":   strings.Repeat("%25", 22<<10),
	} {
		b.Run(name, func(b *testing.B) {
			v := New(text)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if m, _ := s.In(v); m != Apart {
					b.Fatal(m)
				}
			}
		})
	}
}
