package sop

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"rekey/internal/visible"
)

// Duration is a length of time as written: 90d, 2w, 8760h, 30s. A day is 24
// hours and a week 7 days, whatever the calendar says.
type Duration string

// durationPart is how a length of time begins.
var durationPart = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)(ms|w|d|h|m|s)`)

// unit reads a unit of time at the beginning of a text; 0: there is none.
func unit(s string) (of time.Duration, letters int) {
	switch {
	case strings.HasPrefix(s, "ms"):
		return time.Millisecond, 2
	case s == "":
		return 0, 0
	}
	switch s[0] {
	case 's':
		return time.Second, 1
	case 'm':
		return time.Minute, 1
	case 'h':
		return time.Hour, 1
	case 'd':
		return 24 * time.Hour, 1
	case 'w':
		return 7 * 24 * time.Hour, 1
	}
	return 0, 0
}

// digits counts the digits that a text begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

// maxDuration is the longest length of time that may be written: ten times what
// any credential lives, and short enough that dates can be reckoned with it.
const maxDuration = 36500 * 24 * time.Hour

// ParseDuration reads 90d, 2w3d, 1h30m, 500ms.
func ParseDuration(s string) (time.Duration, error) {
	rest, total := s, 0.0 // in float, so that nothing wraps around
	for rest != "" {
		n := digits(rest)
		if n > 0 && n < len(rest) && rest[n] == '.' {
			if more := digits(rest[n+1:]); more > 0 {
				n += 1 + more
			}
		}
		of, letters := unit(rest[n:])
		if n == 0 || of == 0 {
			return 0, fmt.Errorf("this is not a duration: expected 90d, 12h or 30s")
		}
		x, err := strconv.ParseFloat(rest[:n], 64)
		if total += x * float64(of); err != nil || total > float64(maxDuration) {
			return 0, fmt.Errorf("this is longer than 100 years (36500d)")
		}
		rest = rest[n+letters:]
	}
	if s == "" {
		return 0, fmt.Errorf("an empty duration")
	}
	return time.Duration(total), nil
}

// Or returns the length, or fallback where nothing was written.
func (d Duration) Or(fallback time.Duration) time.Duration {
	if d == "" {
		return fallback
	}
	if v, err := ParseDuration(string(d)); err == nil {
		return v
	}
	return fallback
}

// String is the reference as it may be shown. What follows a command's first word
// is not: people write passwords there.
func (r Ref) String() string {
	scheme, rest := r.Split()
	if r.Check() != nil {
		return "a reference of an unknown kind"
	}
	if scheme != "cmd" {
		return visible.Text(string(r))
	}
	first, more, _ := strings.Cut(rest, " ")
	if !plainWord.MatchString(first) {
		return "cmd:…"
	}
	if more != "" {
		first += " …"
	}
	return "cmd:" + first
}

// plainWord is a program's name or path.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./-]{1,60}$`)

// Refs are references in order of preference: the first that is set is used.
// In the file: one, or a list.
type Refs []Ref

// UnmarshalJSON takes one reference or a list.
func (r *Refs) UnmarshalJSON(b []byte) error {
	var one Ref
	if json.Unmarshal(b, &one) == nil {
		*r = Refs{one}
		return nil
	}
	var many []Ref
	if err := json.Unmarshal(b, &many); err != nil {
		return fmt.Errorf("expected a reference or a list of references")
	}
	*r = many
	return nil
}

// Text is a printable setting: written down, or taken from the environment by
// reference (env:NAME), where several may be given in order of preference.
type Text []string

// UnmarshalJSON takes one text or a list.
func (t *Text) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = Text{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(b, &many); err != nil {
		return fmt.Errorf("expected a string or a list of strings")
	}
	*t = many
	return nil
}
