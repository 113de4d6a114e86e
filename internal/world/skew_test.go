package world

import (
	"regexp"
	"testing"
	"time"
)

// TestEveryTimeInATextIsMoved holds the quick reading against an expression that says
// what a time is.
func TestEveryTimeInATextIsMoved(t *testing.T) {
	instants := regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z`)
	for text, want := range map[string]string{
		"":                     "",
		"nothing To Tell":      "nothing To Tell",
		"T":                    "T",
		"2026-11-27T21:00:00Z": "2026-11-27T21:01:10Z",
		`{"a":"2026-11-27T21:00:00.123456Z","b":["2026-12-31T23:59:00Z"],"T":1}`: `{"a":"2026-11-27T21:01:10.123456Z","b":["2027-01-01T00:00:10Z"],"T":1}`,
		"12026-11-27T21:00:00Z2026-11-27T21:00:00Z":                              "12026-11-27T21:01:10Z2026-11-27T21:01:10Z",
		"2026-11-27T21:00:00.Z 2026-11-27T21:00:00":                              "2026-11-27T21:00:00.Z 2026-11-27T21:00:00",
		"2026-11-27T21:00:00+01:00":                                              "2026-11-27T21:00:00+01:00",
		"0001-01-01T00:00:00Z stays, as does 2026-13-45T21:00:00Z":               "0001-01-01T00:00:00Z stays, as does 2026-13-45T21:00:00Z",
		"2026-11-27T2026-11-27T21:00:00Z":                                        "2026-11-27T2026-11-27T21:01:10Z",
	} {
		const by = 70 * time.Second
		if got := string(shifted([]byte(text), by)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
		by2 := instants.ReplaceAllStringFunc(text, func(s string) string {
			at, err := time.Parse(time.RFC3339Nano, s)
			if err != nil || at.Year() < 2000 {
				return s
			}
			return at.Add(by).Format(time.RFC3339Nano)
		})
		if by2 != want {
			t.Errorf("%s: by the expression it is %s, want %s", text, by2, want)
		}
	}
}
