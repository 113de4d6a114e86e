package sop

import (
	"encoding/json"
	"testing"
	"time"
)

// TestWindows: days, hours over midnight, and clocks that are put forward and back.
func TestWindows(t *testing.T) {
	for _, c := range []struct{ window, after, want string }{
		{"Mon-Thu 09:00-16:00 UTC", "2026-11-24T08:00:00Z", "2026-11-24T09:00:00Z"}, // a Tuesday
		{"Mon-Thu 09:00-16:00 UTC", "2026-11-24T12:00:00Z", "2026-11-24T12:00:00Z"},
		{"Mon-Thu 09:00-16:00 UTC", "2026-11-24T16:00:00Z", "2026-11-25T09:00:00Z"},
		{"Mon-Thu 09:00-16:00 UTC", "2026-11-26T16:00:00Z", "2026-11-30T09:00:00Z"},
		{"Sat-Mon 10:00-11:00 UTC", "2026-11-24T00:00:00Z", "2026-11-28T10:00:00Z"},
		{"Mon,Wed 10:00-11:00 UTC", "2026-11-24T00:00:00Z", "2026-11-25T10:00:00Z"},
		{"daily 22:00-04:00 UTC", "2026-11-24T03:59:00Z", "2026-11-24T03:59:00Z"},
		{"Mon 22:00-04:00 UTC", "2026-11-24T03:59:00Z", "2026-11-24T03:59:00Z"},
		{"Tue 22:00-04:00 UTC", "2026-11-24T03:59:00Z", "2026-11-24T22:00:00Z"},
		{"daily 00:00-24:00 UTC", "2026-11-24T23:59:59Z", "2026-11-24T23:59:59Z"},
		{"Mon-Fri 09:00-16:00 Europe/Berlin", "2026-11-24T08:30:00Z", "2026-11-24T08:30:00Z"},
		{"Mon-Fri 09:00-16:00 America/New_York", "2026-11-24T08:30:00Z", "2026-11-24T14:00:00Z"},
		{"daily 09:00-10:00 Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T08:00:00Z"}, // put back that night
		{"daily 09:00-10:00 Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T07:00:00Z"}, // put forward
	} {
		w, err := ParseWindow(c.window)
		if err != nil {
			t.Fatal(err)
		}
		after, _ := time.Parse(time.RFC3339, c.after)
		if got := w.Next(after).UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("%s after %s: %s, want %s", c.window, c.after, got, c.want)
		}
		var again Window
		b, err := json.Marshal(w)
		if err != nil || json.Unmarshal(b, &again) != nil || again.Next(after) != w.Next(after) {
			t.Errorf("%s does not survive the journal", c.window)
		}
	}
	for _, wrong := range []string{"", "Mon 09:00-16:00", "Mon-Thu 9-16 UTC", "Mo 09:00-16:00 UTC", "Mon 09:00-09:00 UTC", "Mon 09:00-25:00 UTC", "Mon 09:00-16:00 Berlin", "Mon 09:00-16:00 Local"} {
		if _, err := ParseWindow(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
	at := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	if got := NextOpen(nil, at); !got.Equal(at) {
		t.Errorf("without windows: %s", got)
	}
}
