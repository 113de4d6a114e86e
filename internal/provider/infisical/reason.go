package infisical

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"rekey/internal/secret"
)

// spoken are the secret values that were sent or read, so that no text of the
// server is shown that repeats one, or a part of one.
type spoken struct {
	mu     sync.Mutex
	values []secret.Value
}

// most bounds what is remembered, and what is shown of a reason.
const (
	mostSpoken  = 256
	longestText = 600
)

// telling is how many characters in a row of a value give it away: a quarter of it,
// but no word of every day and no more than a line of digits.
func telling(value string) int { return min(max(len(value)/4, 6), 16) }

// nameLike is what the server calls an error: a class or an operation. Where another
// thing stands there it is not known who wrote the rest.
var nameLike = regexp.MustCompile(`^[A-Z][A-Za-z]+$`)

func (s *spoken) add(values ...secret.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values {
		known := false
		for _, k := range s.values {
			known = known || k.Equal(v)
		}
		if v.Present() && !known {
			s.values = append(s.values, v)
		}
	}
	if n := len(s.values) - mostSpoken; n > 0 {
		s.values = s.values[n:]
	}
}

// repeats reports whether a text holds one of the values or a telling part of one,
// also where it is written in another case, as in an address, in base64 or in hex.
func (s *spoken) repeats(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	texts := []string{strings.ToLower(text)}
	if plain, err := url.QueryUnescape(text); err == nil {
		texts = append(texts, strings.ToLower(plain))
	}
	for _, v := range s.values {
		plain := v.Reveal()
		for _, value := range []string{plain, base64.StdEncoding.EncodeToString([]byte(plain)), hex.EncodeToString([]byte(plain))} {
			if slices.ContainsFunc(texts, func(t string) bool { return tells(t, strings.ToLower(value)) }) {
				return true
			}
		}
	}
	return false
}

// tells reports whether a text holds a value, or a telling part of it.
func tells(text, value string) bool {
	n := min(telling(value), len(value))
	for i := 0; i+n <= len(text); i++ {
		if strings.Contains(value, text[i:i+n]) && (n < len(value) || text[i:i+n] == value) {
			return true
		}
	}
	return false
}

// reason is the server's own, in one printable line; what repeats a value is left
// out, and that is said.
func (s *spoken) reason(a answer) string {
	text := a.text()
	if text == "" {
		text = issues(a.Message)
	}
	if text = strings.TrimSpace(text); text == "" || !nameLike.MatchString(a.Name) {
		return ""
	}
	if missing := lacks(a.Details); missing != "" && !strings.Contains(text, missing) {
		text += " (missing: " + missing + ")"
	}
	if s.repeats(text) {
		return "the server's reason repeats a part of a value, so it is not shown"
	}
	return `the server says: "` + visible(text) + `"`
}

// lacks names the permissions that the server says are missing.
func lacks(details json.RawMessage) string {
	var d struct {
		Missing []struct {
			Action  string `json:"action"`
			Subject string `json:"subject"`
		} `json:"missingPermissions"`
	}
	_ = json.Unmarshal(details, &d)
	var out []string
	for _, m := range d.Missing {
		out = append(out, m.Action+" on "+m.Subject)
	}
	return strings.Join(out, ", ")
}

// visible makes one line of a text of somebody else: line ends become semicolons,
// and what does not print, or turns the direction of writing, is shown as its code.
func visible(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	var out strings.Builder
	for n, r := range []rune(strings.Join(lines, "; ")) {
		switch {
		case n >= longestText:
			return out.String() + " …"
		case unicode.IsPrint(r):
			out.WriteRune(r)
		default:
			q := strconv.QuoteRuneToASCII(r)
			out.WriteString(q[1 : len(q)-1])
		}
	}
	return out.String()
}
