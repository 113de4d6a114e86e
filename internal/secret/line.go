package secret

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Line returns v as one line of text. It drops what editors and shells add: a
// byte order mark before it and line breaks after it. The error says what makes
// it unfit to be sent to anybody, and nothing of the value.
func (v Value) Line() (Value, error) {
	s := v.Reveal()
	if inUTF16(s) {
		return Value{}, errors.New("it is UTF-16 text: write it as UTF-8 (in PowerShell: -Encoding utf8)")
	}
	s = strings.TrimRight(strings.TrimPrefix(s, "\ufeff"), "\r\n")
	lines := strings.Count(s, "\n") + 1
	switch {
	case s == "":
		return Value{}, errors.New("it is empty")
	case lines > 1:
		return Value{}, fmt.Errorf("it has %d lines, expected one", lines)
	case !utf8.ValidString(s):
		return Value{}, errors.New("it holds bytes that are not UTF-8 text")
	case strings.ContainsRune(s, '\ufeff'):
		return Value{}, errors.New("it holds a byte order mark, which cannot be seen")
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return Value{}, fmt.Errorf("it holds a control character (U+%04X), which no request can carry", r)
		}
	}
	return New(s), nil
}

// inUTF16 reports whether text is in the encoding in which Windows writes files:
// by its mark, or by a zero beside each of its first letters.
func inUTF16(s string) bool {
	return strings.HasPrefix(s, "\xff\xfe") || strings.HasPrefix(s, "\xfe\xff") ||
		len(s) > 3 && (s[0] == 0) != (s[1] == 0) && (s[0] == 0) == (s[2] == 0) && (s[1] == 0) == (s[3] == 0)
}
