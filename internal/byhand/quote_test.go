package byhand_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"rekey/internal/byhand"
)

var hostile = []string{
	"", "plain", "-rf", "~root", "=x", "a b", "$(touch pwned)", "`touch pwned`", "'; touch pwned; '", `"; touch pwned; "`, `\`, `\'`, `a'b'c`, "$HOME", "${x:?}", "!!", "*", "a\nb", "a\r\nb",
	"\x1b[201~touch pwned\n", "\u202egnp.exe", "ä€😀", "\xff\xfe", "</script>", "a|b", "#x", "&& x", "%s%n", "@file", "$'\\x41'",
}

// word runs bash once for many words and returns what it made of each.
func words(t testing.TB, quoted []string) []string {
	t.Helper()
	cmd := exec.Command("bash", "-c", "printf '%s\\0' "+strings.Join(quoted, " "))
	cmd.Dir = t.TempDir()
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		if os.Getenv("CI") == "true" {
			t.Fatal("bash is missing")
		}
		t.Skip("NEEDS BASH: quoting is not tried")
	}
	if err != nil {
		t.Fatalf("%v: %s", err, strings.Join(quoted, " "))
	}
	if left, _ := os.ReadDir(cmd.Dir); len(left) > 0 {
		t.Errorf("something was executed: %v", left)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// TestQuoteIsOneWord: bash reads back what was quoted, whatever it was, and what
// is written can be seen.
func TestQuoteIsOneWord(t *testing.T) {
	var quoted []string
	for _, s := range hostile {
		q := byhand.Quote(s)
		quoted = append(quoted, q)
		if strings.ContainsAny(q, "\n\r\x1b\u202e") || !utf8.ValidString(q) {
			t.Errorf("%q is written as %q, which hides something", s, q)
		}
	}
	got := words(t, quoted)
	if len(got) != len(hostile) {
		t.Fatalf("%d words, want %d", len(got), len(hostile))
	}
	for i, s := range hostile {
		if got[i] != s {
			t.Errorf("%q became %q by way of %s", s, got[i], quoted[i])
		}
	}
}

func FuzzQuote(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := strings.ReplaceAll(s, "\x00", "")
		if got := words(t, []string{byhand.Quote(s)}); len(got) != 1 || got[0] != want {
			t.Errorf("%q became %q", want, got)
		}
	})
}

// TestJQIsOneText: a literal is the same text to JSON, and may stand between
// apostrophes of the shell.
func TestJQIsOneText(t *testing.T) {
	for _, s := range append(hostile, `\(env)`, `"\(1)"`) {
		l := byhand.JQ(s)
		var back string
		if err := json.Unmarshal([]byte(l), &back); err != nil || back != strings.ToValidUTF8(s, "\uFFFD") && utf8.ValidString(s) {
			t.Errorf("%q became %q (%v)", s, back, err)
		}
		if strings.ContainsAny(l, "'\n\x1b\u202e") || strings.Contains(strings.ReplaceAll(l, `\\`, ""), `\(`) {
			t.Errorf("%q is written as %s", s, l)
		}
	}
}

func TestWordIsAnIdentifier(t *testing.T) {
	for in, want := range map[string]string{"cloudflare": "cloudflare", "heroku-eu": "heroku_eu", "1st": "v1st", "$(x)": "x", "": "v", "Äx": "x"} {
		if got := byhand.Word(in); got != want {
			t.Errorf("Word(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSegmentStandsBetweenQuotationMarks(t *testing.T) {
	for _, s := range hostile {
		if got := byhand.Segment(s); strings.ContainsAny(got, "$`\"\\/ '\n") {
			t.Errorf("Segment(%q) = %q", s, got)
		}
	}
}
