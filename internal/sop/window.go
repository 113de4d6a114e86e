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
//
// It is open whenever a clock on the wall there shows a time of it, on a day of it;
// of a window that goes on into the next day, the day on which it begins counts. So
// an hour that exists twice, because clocks are put back, is open twice; one that
// does not exist, because they are put forward, is not open that day, and a window
// that begins or ends in it begins or ends where the clocks are changed.
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
		return w, fmt.Errorf("expected days, hours and a time zone: Mon-Thu 09:00-16:00 Europe/Berlin")
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
			return w, fmt.Errorf("%q are not days: expected Mon, Mon-Thu, Mon,Wed or daily", words[0])
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
	if err1 == nil && w.from == day {
		return w, fmt.Errorf("%q begins at 24:00, which no clock shows: it is 00:00 of the next day", words[1])
	}
	if err1 != nil || err2 != nil || w.from == w.to {
		return w, fmt.Errorf("%q are not hours: expected 09:00-16:00", words[1])
	}
	var err error
	if w.zone, err = time.LoadLocation(words[2]); err != nil || words[2] == "Local" {
		return w, fmt.Errorf("%q is not a time zone: expected UTC or a name like Europe/Berlin", words[2])
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
		return day, nil
	}
	t, err := time.Parse("15:04", s)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err
}

const day = 24 * time.Hour

// horizon is how far a next opening is looked for: a weekly window opens again after
// one week, or after two where the clocks left it out once, and some more.
const horizon = 22 * day

// open tells by what a clock on the wall shows; wall is that time, written as UTC.
func (w Window) open(wall time.Time) bool {
	midnight := wall.Truncate(day)
	shows, today, before := wall.Sub(midnight), wall.Weekday(), midnight.Add(-1).Weekday()
	if w.from < w.to {
		return w.days[today] && shows >= w.from && shows < w.to
	}
	return w.days[today] && shows >= w.from || w.days[before] && shows < w.to
}

// Open reports whether the window is open at a moment.
func (w Window) Open(at time.Time) bool { return w.zone != nil && w.open(wall(at.In(w.zone))) }

// wall is what the clock shows, written as UTC, in which days are 24 hours long.
func wall(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// Next returns the first moment, not before after, at which the window is open; zero
// if there is none within three weeks, and then it counts as closed. It goes from one
// change of the clocks to the next: between them the clock runs evenly, so that the
// window opens at its hour or is open when the stretch begins.
func (w Window) Next(after time.Time) time.Time {
	if w.zone == nil {
		return time.Time{}
	}
	for at := after; at.Before(after.Add(horizon)); {
		here := at.In(w.zone)
		_, offset := here.Zone()
		_, change := here.ZoneBounds()
		shows := wall(here)
		if w.open(shows) {
			return at.UTC()
		}
		// The window was closed just now, so it opens at its hour of a day.
		for midnight := shows.Truncate(day); midnight.Before(shows.Add(8 * day)); midnight = midnight.Add(day) {
			opens := midnight.Add(w.from - time.Duration(offset)*time.Second)
			if !opens.Before(at) && w.days[midnight.Weekday()] && (change.IsZero() || opens.Before(change)) {
				return opens.UTC()
			}
		}
		if change.IsZero() {
			return time.Time{}
		}
		at = change
	}
	return time.Time{}
}

// Open reports whether any of the windows is open; without windows it always is.
func Open(windows []Window, at time.Time) bool {
	for _, w := range windows {
		if w.Open(at) {
			return true
		}
	}
	return len(windows) == 0
}

// NextOpen returns the first moment, not before after, at which any window is open;
// without windows that is at once. Zero: none opens, as far as one can see.
func NextOpen(windows []Window, after time.Time) time.Time {
	if len(windows) == 0 {
		return after
	}
	var first time.Time
	for _, w := range windows {
		if n := w.Next(after); !n.IsZero() && (first.IsZero() || n.Before(first)) {
			first = n
		}
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
