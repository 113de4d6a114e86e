package heroku

import (
	"testing"
	"time"
)

// TestFarEnds: what lies further away than a length of time can say is still a date.
func TestFarEnds(t *testing.T) {
	made := time.Date(2026, 1, 1, 0, 0, 0, 123, time.UTC)
	for seconds, want := range map[int64]string{
		300 * 365 * 86400: "2325-10-21", 1 << 40: "9999-12-31", 1<<63 - 1: "9999-12-31", 60: "2026-01-01", -300 * 365 * 86400: "1726-03-15",
	} {
		if got := ends(made, made.Add(time.Millisecond), seconds); got.Format(time.DateOnly) != want {
			t.Errorf("%d seconds: %s, want %s", seconds, got, want)
		}
	}
}
