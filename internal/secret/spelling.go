package secret

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// depth is how many encodings inside one another are taken off: the configuration of
	// a container registry has base64 in JSON in base64.
	depth = 4
	// passes is how many levels of quoting inside one another are: JSON in JSON in a URL.
	passes = 12
)

// unescaped takes off what JSON, URLs, HTML and shells put before characters, and the
// zeros that UTF-16 puts between them, as often as there are any. It is as good for finding one text in another only if both
// went through it.
func unescaped(text string) string {
	for range passes {
		next := strings.ReplaceAll(text, "\x00", "")
		if strings.ContainsAny(next, `\%`) {
			next = unescapedOnce(next)
		}
		if next == text { // HTML last: its names need no end, so that half a name would be read as one
			next = html.UnescapeString(text)
		}
		if next == text {
			break
		}
		text = next
	}
	return text
}

func unescapedOnce(text string) string {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '%' && isHex(text, i+1, 2):
			out = append(out, byte(number(text[i+1:i+3], 16)))
			i += 3
		case c == '\\' && i+1 < len(text):
			var n int
			out, n = escape(out, text[i+1:])
			i += 1 + n
		default:
			out = append(out, c)
			i++
		}
	}
	return string(out)
}

// escape appends what follows a backslash stands for, and tells how long that is.
func escape(out []byte, rest string) ([]byte, int) {
	switch c := rest[0]; {
	case c == 'u' && isHex(rest, 1, 4):
		r, n := rune(number(rest[1:5], 16)), 5
		if utf16.IsSurrogate(r) && strings.HasPrefix(rest[5:], `\u`) && isHex(rest, 7, 4) {
			r, n = utf16.DecodeRune(r, rune(number(rest[7:11], 16))), 11
		}
		return utf8.AppendRune(out, r), n
	case c == 'U' && isHex(rest, 1, 8):
		return utf8.AppendRune(out, rune(number(rest[1:9], 16))), 9
	case c == 'x' && isHex(rest, 1, 2):
		return append(out, byte(number(rest[1:3], 16))), 3
	case c >= '0' && c <= '7':
		n := 1
		for n < 3 && n < len(rest) && rest[n] >= '0' && rest[n] <= '7' {
			n++
		}
		return append(out, byte(number(rest[:n], 8))), n
	case strings.IndexByte("nrtbfv\n", c) >= 0:
		return append(out, '\n'), 1
	default:
		return append(out, c), 1
	}
}

func isHex(s string, from, n int) bool {
	if len(s) < from+n {
		return false
	}
	for _, c := range []byte(s[from : from+n]) {
		if !hexDigit(c) {
			return false
		}
	}
	return true
}

func hexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func number(digits string, base int) uint64 {
	n, _ := strconv.ParseUint(digits, base, 64) // they were looked at
	return n
}

// squeezed is a text without white space, control characters, quotation marks and
// backslashes.
func squeezed(text string) string {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '$' && i+1 < len(text) && (text[i+1] == '\'' || text[i+1] == '"'): // $'...' of a shell
			i++
		case c <= ' ' || c == 0x7f || c == '\'' || c == '"' || c == '`' || c == '\\':
			i++
		case c < utf8.RuneSelf:
			out = append(out, c)
			i++
		default:
			r, n := utf8.DecodeRuneInString(text[i:])
			if !unicode.IsSpace(r) && !unicode.Is(unicode.Cf, r) { // a byte order mark is of Cf
				out = append(out, text[i:i+n]...)
			}
			i += n
		}
	}
	return string(out)
}

// bare is what is compared of two texts: squeezed, and without the plus that stands
// for a space in a URL.
func bare(text string) string { return strings.ReplaceAll(squeezed(text), "+", "") }

var (
	standard = strings.NewReplacer("-", "+", "_", "/") // of base64 for URLs
	unspaced = strings.NewReplacer("0x", "", "0X", "", ":", "", ",", "", ";", "", "-", "", "+", "")
)

// decodings calls visit with everything that may be written in a text in base64 or
// hex, until that returns false. Where it begins is not known once white space is
// gone, so each place is tried at which it may.
func decodings(text string, visit func(string) bool) bool {
	tight := squeezed(text)
	for _, run := range runs(tight, 22, base64Digit) { // 16 bytes
		run = standard.Replace(run)
		for from := range min(4, len(run)) {
			coded := run[from:]
			if len(coded)%4 == 1 {
				coded = coded[:len(coded)-1]
			}
			if b, err := base64.RawStdEncoding.DecodeString(coded); err == nil && !visit(string(b)) {
				return false
			}
		}
	}
	digits := unspaced.Replace(tight)
	for _, run := range runs(digits, 32, hexDigit) {
		for from := range min(2, len(run)) {
			coded := run[from:]
			if b, err := hex.DecodeString(coded[:len(coded)&^1]); err == nil && !visit(string(b)) {
				return false
			}
		}
	}
	return true
}

func base64Digit(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_'
}

// runs are the longest stretches of such characters, with at least so many of them;
// one that is the whole text counts whatever its length.
func runs(text string, least int, of func(byte) bool) []string {
	var out []string
	for i := 0; i < len(text); i++ {
		if !of(text[i]) {
			continue
		}
		from := i
		for i < len(text) && of(text[i]) {
			i++
		}
		if i-from >= least || from == 0 && strings.TrimRight(text[i:], "=") == "" {
			out = append(out, text[from:i])
		}
	}
	return out
}
