package byhand

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"rekey/internal/cred"
)

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=-]+$`)

// Quote makes one word of bash of any text. What cannot be seen (control
// characters, marks that turn the direction of writing, bytes that are not UTF-8)
// is written as escapes: a pasted block must read as what it does, and an escape
// sequence must not reach the terminal. NUL cannot be in a word and is left out.
func Quote(s string) string {
	s = strings.ReplaceAll(s, "\x00", "")
	if plainWord.MatchString(s) && s[0] != '-' && s[0] != '=' && s[0] != '~' {
		return s
	}
	if printable(s) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString("$'")
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\'' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case (r == utf8.RuneError && n == 1) || !unicode.IsPrint(r):
			for _, c := range []byte(s[i : i+n]) {
				fmt.Fprintf(&b, `\%03o`, c)
			}
		default:
			b.WriteRune(r)
		}
		i += n
	}
	b.WriteString("'")
	return b.String()
}

func printable(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return false
		}
	}
	return utf8.ValidString(s)
}

// JQ is a text as a literal of jq. JSON doubles every backslash, so that \( of an
// interpolation cannot stand in it; the apostrophe is written as an escape, so
// that the literal may stand between apostrophes of the shell.
func JQ(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	var out strings.Builder
	for _, r := range string(b) {
		switch {
		case r == '\'':
			out.WriteString(`\u0027`)
		case !unicode.IsPrint(r):
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&out, `\u%04x`, unit)
			}
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

var notWord = regexp.MustCompile(`[^A-Za-z0-9]+`)

// Word makes an identifier of the shell of a name.
func Word(name string) string {
	w := strings.ToLower(strings.Trim(notWord.ReplaceAllString(name, "_"), "_"))
	if w == "" || w[0] >= '0' && w[0] <= '9' {
		w = "v" + w
	}
	return w
}

// Segment makes one segment of a path of any text, fit to stand between quotation
// marks of the shell.
func Segment(s string) string { return strings.ReplaceAll(url.PathEscape(s), "$", "%24") }

// Texts are references as texts.
func Texts[T ~string](refs []T) []string {
	out := make([]string, len(refs))
	for i, r := range refs {
		out[i] = string(r)
	}
	return out
}

// Filtered is an expression of jq whose text goes through the filters of a template.
func Filtered(expression string, by []cred.Filter) string {
	if len(by) == 0 {
		return expression
	}
	// Versions of jq differ in what @uri leaves as it is.
	uri := "@uri"
	for _, c := range `!*'()` {
		uri += fmt.Sprintf(` | split("\u%04x") | join("%%%02X")`, c, c)
	}
	of := map[cred.Filter]string{cred.URL: uri, cred.JSON: "@json", cred.Base64: "@base64", cred.Sh: "@sh"}
	for _, f := range by {
		expression += " | " + of[f]
	}
	return "(" + expression + ")"
}
