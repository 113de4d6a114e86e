package sop

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // a machine without time zones must not read them differently
)

// Window is when a run may start: "Mon-Thu 09:00-16:00 Europe/Berlin". One that
// ends before it begins goes on into the next day.
type Window struct {
	text     string
	days     [7]bool       // by time.Weekday, the day on which it begins
	from, to time.Duration // since midnight
	zone     *time.Location
}

var weekdays = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

// ParseWindow reads days, hours and a time zone: "Mon-Thu,Sat 22:00-04:00 UTC".
// daily stands for all days.
func ParseWindow(s string) (Window, error) {
	w := Window{text: s}
	words := strings.Fields(s)
	if len(words) != 3 {
		return w, fmt.Errorf("want days, hours and a time zone: Mon-Thu 09:00-16:00 Europe/Berlin")
	}
	for part := range strings.SplitSeq(words[0], ",") {
		first, last, span := strings.Cut(part, "-")
		a, b := weekday(first), weekday(last)
		switch {
		case part == "daily":
			a, b = 0, 6
		case !span:
			b = a
		}
		if a < 0 || b < 0 {
			return w, fmt.Errorf("%q are no days: want Mon, Mon-Thu, Mon,Wed or daily", words[0])
		}
		for d := a; ; d = (d + 1) % 7 {
			w.days[d] = true
			if d == b {
				break
			}
		}
	}
	from, to, _ := strings.Cut(words[1], "-")
	var err1, err2 error
	w.from, err1 = clock(from)
	w.to, err2 = clock(to)
	if err1 != nil || err2 != nil || w.from == w.to {
		return w, fmt.Errorf("%q are no hours: want 09:00-16:00", words[1])
	}
	var err error
	if w.zone, err = time.LoadLocation(words[2]); err != nil || words[2] == "Local" {
		return w, fmt.Errorf("%q is no time zone: want UTC or a name like Europe/Berlin", words[2])
	}
	return w, nil
}

func weekday(s string) int {
	for i, d := range weekdays {
		if d == s {
			return i
		}
	}
	return -1
}

func clock(s string) (time.Duration, error) {
	if s == "24:00" {
		return 24 * time.Hour, nil
	}
	t, err := time.Parse("15:04", s)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err
}

// Next returns the first moment, not before after, at which the window is open.
func (w Window) Next(after time.Time) time.Time {
	local := after.In(w.zone)
	for d := -1; d <= 8; d++ {
		y, m, day := local.AddDate(0, 0, d).Date()
		at := func(since time.Duration) time.Time { // a clock that is put forward or back keeps its hours
			return time.Date(y, m, day, int(since/time.Hour), int(since%time.Hour/time.Minute), 0, 0, w.zone)
		}
		begins, ends := at(w.from), at(w.to)
		if w.to <= w.from {
			ends = at(w.to + 24*time.Hour)
		}
		if w.days[begins.Weekday()] && ends.After(after) {
			if begins.After(after) {
				return begins.UTC()
			}
			return after
		}
	}
	return time.Time{}
}

// NextOpen returns the first moment, not before after, at which any window is
// open; without windows that is at once.
func NextOpen(windows []Window, after time.Time) time.Time {
	var first time.Time
	for _, w := range windows {
		if n := w.Next(after); !n.IsZero() && (first.IsZero() || n.Before(first)) {
			first = n
		}
	}
	if first.IsZero() {
		return after
	}
	return first
}

// String is the window as written.
func (w Window) String() string { return w.text }

// MarshalJSON writes the window as written.
func (w Window) MarshalJSON() ([]byte, error) { return json.Marshal(w.text) }

// UnmarshalJSON parses a window.
func (w *Window) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	parsed, err := ParseWindow(s)
	if err == nil {
		*w = parsed
	}
	return err
}
