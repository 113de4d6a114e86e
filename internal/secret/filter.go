package secret

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"rekey/internal/cred"
)

// filtered writes a text by filters, from left to right. The error never quotes it.
func filtered(text string, by []cred.Filter) (string, error) {
	for _, f := range by {
		switch f {
		case cred.URL:
			text = percent(text)
		case cred.JSON:
			if !utf8.ValidString(text) {
				return "", errors.New("it is not text, and JSON can hold nothing else")
			}
			text = quoteJSON(text)
		case cred.Base64:
			text = base64.StdEncoding.EncodeToString([]byte(text))
		case cred.Sh:
			if strings.ContainsRune(text, 0) {
				return "", errors.New("it has a zero byte, which no shell argument can hold")
			}
			text = "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
		default:
			return "", fmt.Errorf("this version of Rekey has no filter %s", f)
		}
	}
	return text, nil
}

// unfiltered is filtered the other way round.
func unfiltered(text string, by []cred.Filter) (string, bool) {
	for _, f := range slices.Backward(by) {
		var err error
		ok := true
		switch f {
		case cred.URL:
			text, err = url.PathUnescape(text)
		case cred.JSON:
			var s string
			err = json.Unmarshal([]byte(text), &s)
			text = s
		case cred.Base64:
			var b []byte
			b, err = base64.StdEncoding.DecodeString(text)
			text = string(b)
		case cred.Sh:
			if ok = len(text) >= 2 && wordLen(text) == len(text); ok {
				text = strings.ReplaceAll(text[1:len(text)-1], `'\''`, "'")
			}
		default:
			return "", false
		}
		if err != nil || !ok {
			return "", false
		}
	}
	return text, true
}

// percent writes all but what RFC 3986 calls unreserved as %XX, so that it stands for
// itself in any part of a URL: neither url.QueryEscape (a space becomes +) nor
// url.PathEscape (: and @ stay) does that.
func percent(text string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(text) {
		if unreserved(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// quoteJSON writes a string of JSON and escapes what has to be, and the control
// character DEL, as jq does: by hand it comes out the same.
func quoteJSON(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// written is how much of a text the last filter can have written; 0: that cannot be
// told by the text alone. next is what follows.
func written(text string, by []cred.Filter, next string) int {
	if len(by) == 0 {
		return 0
	}
	var of func(byte) bool
	switch by[len(by)-1] {
	case cred.JSON:
		return stringLen(text)
	case cred.Sh:
		return wordLen(text)
	case cred.URL:
		of = func(c byte) bool { return unreserved(c) || c == '%' }
	case cred.Base64:
		of = func(c byte) bool {
			return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("+/=", c) >= 0
		}
	default:
		return 0
	}
	if next != "" && of(next[0]) {
		return 0
	}
	n := 0
	for n < len(text) && of(text[n]) {
		n++
	}
	return n
}

// stringLen is the length of the string of JSON that a text begins with; 0: of none.
func stringLen(text string) int {
	if !strings.HasPrefix(text, `"`) {
		return 0
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// wordLen is the length of the quoted word of a shell that a text begins with; 0: of none.
func wordLen(text string) int {
	n := 0
	for strings.HasPrefix(text[n:], "'") {
		end := strings.IndexByte(text[n+1:], '\'')
		if end < 0 {
			return 0
		}
		if n += end + 2; !strings.HasPrefix(text[n:], `\''`) {
			return n
		}
		n += 2 // the next quotation mark opens the word again
	}
	return 0
}
