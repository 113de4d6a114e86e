package sop

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var whole = flag.Bool("whole", false, "hold windows against the oracle in every minute of three years, not only around changes of the clocks")

// minute is what a clock on the wall shows.
type minute struct{ day, of int }

// shown is the oracle's own reading: it asks the time package alone, and knows no
// arithmetic of days.
func shown(at time.Time, zone *time.Location) minute {
	local := at.In(zone)
	h, m, _ := local.Clock()
	return minute{int(local.Weekday()), h*60 + m}
}

// opens reads a window the way its words say, minute by minute.
func (m minute) opens(days string, from, to int) bool {
	on := func(day int) bool {
		return days == "daily" || strings.Contains(days, []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}[day])
	}
	if from < to {
		return on(m.day) && m.of >= from && m.of < to
	}
	return on(m.day) && m.of >= from || on((m.day+6)%7) && m.of < to
}

// zones are all that the time package knows, those once that have the same clocks in
// these years.
func zones(t *testing.T, from, to time.Time) map[string]*time.Location {
	t.Helper()
	b, err := os.ReadFile("testdata/zones.txt")
	if err != nil {
		t.Fatal(err)
	}
	out, seen := map[string]*time.Location{}, map[string]bool{}
	names := strings.Fields(string(b))
	for _, name := range names {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		like := fmt.Sprint(changes(zone, from, to))
		_, offset := from.In(zone).Zone()
		if like += fmt.Sprint(offset); !seen[like] {
			seen[like], out[name] = true, zone
		}
	}
	t.Logf("%d zones with %d different clocks", len(names), len(out))
	if len(names) < 590 || len(out) < 50 {
		t.Fatal("these are not all zones")
	}
	return out
}

// changes are the moments at which clocks are changed, with the new offset.
func changes(zone *time.Location, from, to time.Time) (out []time.Time) {
	for at := from; ; {
		_, end := at.In(zone).ZoneBounds()
		if end.IsZero() || !end.Before(to) {
			return out
		}
		out = append(out, end)
		at = end
	}
}

// TestWindowsAgainstTheWall: in all zones and three years a window is open in exactly
// the minutes in which a clock on the wall shows a time of it, and the next opening is
// the first of them. Where clocks are changed, at midnight too, every minute is tried.
func TestWindowsAgainstTheWall(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	to := from.AddDate(3, 0, 0)
	rnd := rand.New(rand.NewPCG(7, 8))
	minutes, asked := 0, 0
	for name, zone := range zones(t, from, to) {
		type window struct {
			Window
			days     string
			from, to int
		}
		var windows []window
		for _, spec := range []string{
			"daily 00:00-00:30", "Sun 00:00-03:00", "Sat 22:00-02:00", "Sun 02:00-03:00", "Sat,Sun 23:00-24:00", "Mon,Fri 23:30-00:15",
			fmt.Sprintf("Tue,Sat %02d:%02d-%02d:%02d", rnd.IntN(12), rnd.IntN(60), 12+rnd.IntN(12), rnd.IntN(60)),
		} {
			w, err := ParseWindow(spec + " " + name)
			if err != nil {
				t.Fatal(err)
			}
			days, hours, _ := strings.Cut(spec, " ")
			var h1, m1, h2, m2 int
			if _, err := fmt.Sscanf(hours, "%d:%d-%d:%d", &h1, &m1, &h2, &m2); err != nil {
				t.Fatal(err)
			}
			windows = append(windows, window{w, days, h1*60 + m1, h2*60 + m2})
		}
		var spans [][2]time.Time
		if *whole {
			spans = [][2]time.Time{{from, to}}
		} else {
			for _, c := range append(changes(zone, from, to), from.AddDate(1, 0, rnd.IntN(300))) {
				spans = append(spans, [2]time.Time{c.Add(-27 * time.Hour).Truncate(time.Minute), c.Add(27 * time.Hour)})
			}
		}
		next := make([]time.Time, len(windows)) // opening of each, going backwards
		for _, span := range spans {
			clear(next)
			for at := span[1].Truncate(time.Minute); !at.Before(span[0]); at = at.Add(-time.Minute) {
				m := shown(at, zone)
				minutes++
				for i, w := range windows {
					opens := m.opens(w.days, w.from, w.to)
					if opens != w.Open(at) {
						t.Fatalf("%s at %s (there %s): want open %v", w, at.Format(time.RFC3339), at.In(zone), opens)
					}
					changed := opens != (!next[i].IsZero() && next[i].Equal(at.Add(time.Minute)))
					if opens {
						next[i] = at
					}
					if next[i].IsZero() || !changed && minutes%499 != 0 {
						continue
					}
					asked++
					if got := w.Next(at); !got.Equal(next[i]) {
						t.Fatalf("%s after %s (there %s): %s, want %s", w, at.Format(time.RFC3339), at.In(zone), got.Format(time.RFC3339), next[i].Format(time.RFC3339))
					}
					if late := at.Add(-time.Minute + time.Second); !opens && late.After(span[0]) && !shown(late, zone).opens(w.days, w.from, w.to) {
						if got := w.Next(late); !got.Equal(next[i]) {
							t.Fatalf("%s after %s: %s, want %s", w, late.Format(time.RFC3339), got.Format(time.RFC3339), next[i].Format(time.RFC3339))
						}
					}
				}
			}
		}
	}
	t.Logf("%d minutes, %d openings asked for: no mismatch", minutes, asked)
}

// TestClocksThatChangeAtMidnight: the day is the one that the wall shows.
func TestClocksThatChangeAtMidnight(t *testing.T) {
	for _, c := range []struct{ window, after, want string }{
		// Santiago: on Sunday 2026-09-06 there is no hour after midnight, and on Sunday 2026-04-05 Saturday's last one comes twice.
		{"Sun 00:00-04:00 America/Santiago", "2026-09-05T12:00:00Z", "2026-09-06T04:00:00Z"},
		{"Sun 00:15-00:45 America/Santiago", "2026-09-05T12:00:00Z", "2026-09-13T03:15:00Z"}, // it has none that day
		{"Sat 23:00-24:00 America/Santiago", "2026-04-05T02:30:00Z", "2026-04-05T02:30:00Z"},
		{"Sat 23:00-24:00 America/Santiago", "2026-04-05T03:30:00Z", "2026-04-05T03:30:00Z"}, // once more
		{"Sun 00:00-01:00 America/Santiago", "2026-04-05T03:30:00Z", "2026-04-05T04:00:00Z"},
		// Havana: on Sunday 2026-03-08 midnight is 01:00, and on Sunday 2026-11-01 the first hour comes twice.
		{"Sun 00:00-02:00 America/Havana", "2026-03-08T04:59:00Z", "2026-03-08T05:00:00Z"},
		{"Sat 12:00-00:00 America/Havana", "2026-03-08T05:00:00Z", "2026-03-14T16:00:00Z"},
		{"Sun 00:30-01:00 America/Havana", "2026-11-01T05:10:00Z", "2026-11-01T05:30:00Z"},
		// Azores: on Sunday 2026-03-29 midnight is 01:00, and on Sunday 2026-10-25 it comes twice.
		{"Sun 00:00-02:00 Atlantic/Azores", "2026-03-29T00:59:00Z", "2026-03-29T01:00:00Z"},
		{"Sun 00:00-01:00 Atlantic/Azores", "2026-10-25T00:59:00Z", "2026-10-25T00:59:00Z"},
		{"Sun 00:00-01:00 Atlantic/Azores", "2026-10-25T01:00:00Z", "2026-10-25T01:00:00Z"},
	} {
		w, err := ParseWindow(c.window)
		if err != nil {
			t.Fatal(err)
		}
		after, _ := time.Parse(time.RFC3339, c.after)
		if got := w.Next(after).UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("%s after %s: %s, want %s", c.window, c.after, got, c.want)
		}
	}
}

// TestWhatIsNotFoundIsClosed, and no window means open.
func TestWhatIsNotFoundIsClosed(t *testing.T) {
	at := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	var never Window
	if got := never.Next(at); !got.IsZero() || !NextOpen([]Window{never}, at).IsZero() {
		t.Error("a window that never opens is open")
	}
	if !Open(nil, at) || !NextOpen(nil, at).Equal(at) {
		t.Error("without windows it is closed")
	}
	if _, err := ParseWindow("Mon 24:00-04:00 UTC"); err == nil {
		t.Error("no clock shows 24:00")
	}
	far := time.Date(9999, 12, 30, 0, 0, 0, 0, time.UTC)
	w, err := ParseWindow("Mon 03:00-04:00 Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Next(far); got.Before(far) || !slices.Contains([]string{"Mon"}, got.In(w.zone).Format("Mon")) {
		t.Error(got)
	}
}
