package secret

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/quick"

	"rekey/internal/byhand"
	"rekey/internal/cred"
)

// awkward are values on which configuration has been known to break.
var awkward = []string{"plain", "a:b@c/d?e#f", "50% off+1", "it's", `say "hi" \ bye`, "$HOME `id` $(id) ;&|", "line\nbreak\ttab", "ümläut ✓", "{{}}", "''", "'", `\'`, "a b", "-n", "\x7f\x01"}

func parse(t testing.TB, s string) cred.Template {
	t.Helper()
	out, err := cred.ParseTemplate(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Whatever a password consists of, a DSN with it parses back to it, and so do JSON,
// base64 and a shell's word; and each is taken apart again.
func TestAFilteredFieldStandsForItself(t *testing.T) {
	dsn := parse(t, "postgres://{user|url}:{password|url}@db.test:5432/app?sslmode=require&application_name={user|url}")
	doc := parse(t, `{{"user": {user|json}, "nested": {{"password": {password|json}}}}}`)
	auth := parse(t, "Basic {user|base64} {password|url|base64}")
	line := parse(t, "export USER={user|sh} PASSWORD={password|sh}")
	check := func(user, password string) bool {
		b := Bundle{"user": New(user), "password": New(password)}
		if user == "" || password == "" || strings.ContainsRune(user+password, 0) {
			return true
		}
		for _, tm := range []cred.Template{dsn, doc, auth, line} {
			v, err := b.Render(tm)
			if err != nil {
				t.Errorf("%s of %q, %q: %v", tm, user, password, err)
				return false
			}
			back, ok := Unrender(tm, v)
			if !ok || back["user"].Reveal() != user || back["password"].Reveal() != password {
				t.Errorf("%s: %q is not taken apart again", tm, v.Reveal())
				return false
			}
		}
		v, _ := b.Render(dsn)
		u, err := url.Parse(v.Reveal())
		if err != nil {
			t.Errorf("%q: %v", v.Reveal(), err)
			return false
		}
		got, _ := u.User.Password()
		if u.User.Username() != user || got != password || u.Query().Get("application_name") != user || u.Host != "db.test:5432" {
			t.Errorf("%q reads as %q, %q at %s", v.Reveal(), u.User.Username(), got, u.Host)
			return false
		}
		v, _ = b.Render(doc)
		var read struct {
			User   string
			Nested struct{ Password string }
		}
		if err := json.Unmarshal([]byte(v.Reveal()), &read); err != nil || read.User != user || read.Nested.Password != password {
			t.Errorf("%q: %v", v.Reveal(), err)
			return false
		}
		return true
	}
	for _, user := range awkward {
		for _, password := range awkward {
			check(user, password)
		}
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 2000}); err != nil {
		t.Error(err)
	}
}

// A shell reads the word back as it was, and jq, by hand, writes the same.
func TestAShellAndJqAgreeWithTheFilters(t *testing.T) {
	for _, s := range awkward {
		word, err := filtered(s, []cred.Filter{cred.Sh})
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("sh", "-c", "printf '%s' "+word).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q reads as %q: %v", s, out, err)
		}
	}
	if _, err := exec.LookPath("jq"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("jq is not installed")
		}
		t.Skip("NOT RUN: jq is not installed, so that it writes the same by hand is not shown")
	}
	var texts []string
	for _, s := range awkward {
		if !strings.Contains(s, "\x7f") { // versions of jq differ in how they write DEL
			texts = append(texts, s)
		}
	}
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	for _, by := range [][]cred.Filter{{cred.URL}, {cred.JSON}, {cred.Base64}, {cred.Sh}, {cred.JSON, cred.Base64}, {cred.Sh, cred.JSON, cred.URL}} {
		c := exec.Command("jq", "map("+byhand.Filtered(".", by)+")")
		c.Stdin = strings.NewReader(string(in))
		out, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatal(err)
		}
		for i, s := range texts {
			if want, err := filtered(s, by); err != nil || got[i] != want {
				t.Errorf("%v of %q: jq writes %q, and we %q (%v)", by, s, got[i], want, err)
			}
		}
	}
}

// What no filter can write is refused, and not quoted.
func TestAFilterRefusesWhatItCannotWrite(t *testing.T) {
	if _, err := (Bundle{"a": New("\xff\xfesecret")}).Render(parse(t, "{a|json}")); err == nil || strings.Contains(err.Error(), "secret\"") {
		t.Error(err)
	}
	if _, err := (Bundle{"a": New("x\x00y")}).Render(parse(t, "{a|sh}")); err == nil {
		t.Error("a word with a zero byte")
	}
	for template, value := range map[string]string{"{a|base64}": "!", "{a|json}": "bare", "{a|sh}": "'open", "x={a|url}&": "x=%zz&"} {
		if _, ok := Unrender(parse(t, template), New(value)); ok {
			t.Errorf("%s: %s was taken apart", template, value)
		}
	}
	if b, ok := Unrender(parse(t, "{a|base64}"), New(base64.StdEncoding.EncodeToString([]byte("x")))); !ok || b["a"].Reveal() != "x" {
		t.Error("base64")
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range awkward {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, by := range [][]cred.Filter{{cred.URL}, {cred.JSON}, {cred.Base64}, {cred.Sh}, {cred.Sh, cred.URL, cred.JSON}} {
			out, err := filtered(s, by)
			if err != nil {
				continue
			}
			if back, ok := unfiltered(out, by); !ok || back != s {
				t.Errorf("%v: %q comes back as %q", by, s, back)
			}
			if n := written(out, by, ""); n != len(out) {
				t.Errorf("%v: %q ends at %d", by, out, n)
			}
		}
	})
}
