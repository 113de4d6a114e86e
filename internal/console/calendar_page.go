package console

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/sop"
)

type calendarBody struct {
	All     int
	Weeks   []week
	Groups  []dueGroup
	Unknown int // when they are due is not known
	Never   int // they are never due
	Most    int

	Paused *estate.Schedule // the schedule, where it begins nothing by itself; nil: it does
	Self   int              // credentials that it may begin
	Begins []string         // it begins these now
}

// week is one bar of the overview: how many fall due in it.
type week struct {
	From  time.Time
	N     int
	At    float64 // of the width
	Tall  float64 // of the height
	Wide  float64
	Tone  string
	Month string // its name, where one begins
}

// dueGroup is a stretch of time with what falls due in it.
type dueGroup struct {
	Title string
	Tone  string
	N     int
	Rows  []dueRow
	More  int
}

type dueRow struct {
	Listed
	Says    estate.Scheduled
	Day     time.Time
	NewDay  bool
	Expires bool // it is due because it expires
	Window  bool // it may begin later than it is due: its windows say so
}

// rowsPerGroup keeps a month of thousands readable; the estate has them all.
const rowsPerGroup = 50

func (c *Console) calendarPage(w http.ResponseWriter, r *http.Request) error {
	status, err := c.o.Ops.Status(r.Context(), estate.StatusAsked{})
	if err != nil && estate.CodeOf(err) != estate.NoCredentials {
		return err
	}
	schedule, err := c.o.Ops.Schedule(r.Context())
	if err = withoutRole(err); err != nil {
		return err
	}
	wanted, err := c.wanted(r.Context())
	if err != nil {
		return err
	}
	b := calendarOf(asking(status.Rows, wanted), schedule.Credentials, c.o.Now())
	b.Begins = schedule.Begin
	if schedule.Decided.Paused != nil || !schedule.Stopped.IsZero() {
		b.Paused = &schedule
	}
	return show(c, w, http.StatusOK, "calendar", frame(c, r, "Calendar", "/calendar", b))
}

func calendarOf(rows []report.Row, standings []estate.Scheduled, now time.Time) calendarBody {
	b := calendarBody{All: len(rows)}
	by := make(map[string]estate.Scheduled, len(standings))
	for _, s := range standings {
		by[s.Credential] = s
		if s.Run != sop.ByHand.String() {
			b.Self++
		}
	}
	dated := make([]report.Row, 0, len(rows))
	for _, r := range rows {
		switch {
		case !r.Due.At.IsZero():
			dated = append(dated, r)
		case r.Due.Why == "never":
			b.Never++
		default:
			b.Unknown++
		}
	}
	slices.SortStableFunc(dated, func(x, y report.Row) int { return x.Due.At.Compare(y.Due.At) })
	b.weeks(dated, now)
	last := time.Time{}
	for _, r := range dated {
		title, tone := stretch(r.Due.At, now)
		if n := len(b.Groups); n == 0 || b.Groups[n-1].Title != title {
			b.Groups = append(b.Groups, dueGroup{Title: title, Tone: tone})
			last = time.Time{}
		}
		g := &b.Groups[len(b.Groups)-1]
		g.N++
		if len(g.Rows) == rowsPerGroup {
			g.More++
			continue
		}
		day := r.Due.At.UTC().Truncate(24 * time.Hour)
		g.Rows = append(g.Rows, dueRow{Listed: rowOf(r, now), Says: by[r.Credential], Day: r.Due.At, NewDay: !day.Equal(last), Expires: r.Due.Why == "expiry", Window: r.Due.Start.After(r.Due.At) && !untilThen(by[r.Credential], r.Due.Start)})
		last = day
	}
	return b
}

// stretch is under which heading a day stands.
func stretch(t, now time.Time) (title, tone string) {
	today := now.UTC().Truncate(24 * time.Hour)
	switch {
	case !t.After(now):
		return "Overdue", "bad"
	case t.Before(today.AddDate(0, 0, 7)):
		return "Within a week", "mind"
	case t.Before(today.AddDate(0, 0, 28)):
		return "Within four weeks", ""
	}
	return t.UTC().Format("January 2006"), ""
}

const weeksAhead = 26

// weeks counts what falls due in each of the weeks ahead; what is overdue stands first.
func (b *calendarBody) weeks(dated []report.Row, now time.Time) {
	counts := make([]int, weeksAhead+1)
	today := now.UTC().Truncate(24 * time.Hour)
	for _, r := range dated {
		i := 0
		if r.Due.At.After(now) {
			i = 1 + int(r.Due.At.Sub(today)/(7*24*time.Hour))
		}
		if i < len(counts) {
			counts[i]++
		}
	}
	most := slices.Max(counts)
	b.Most = most
	if most == 0 {
		return
	}
	month, last := "", 0
	for i, n := range counts {
		w := week{N: n, At: float64(i) / float64(len(counts)), Wide: 0.7 / float64(len(counts)), Tall: float64(n) / float64(most)}
		w.From = today.AddDate(0, 0, 7*(i-1))
		if i == 0 {
			w.Tone, w.Month = "bad", "late"
		} else if m := w.From.Format("Jan"); m != month {
			if month = m; i-last > 2 { // there is room for it
				w.Month, last = m, i
			}
		}
		b.Weeks = append(b.Weeks, w)
	}
}

// untilThen: that it waits until then is among the reasons why it does not begin now.
func untilThen(s estate.Scheduled, at time.Time) bool {
	for _, why := range s.Why {
		if why.Until.Equal(at) {
			return true
		}
	}
	return false
}

// beginsWords says how runs of a credential begin, which rekey.yaml has under run.
func beginsWords(run string) string {
	switch run {
	case sop.ByHand.String():
		return "begun by hand"
	case sop.Automatically.String():
		return "begins by itself"
	}
	return "begins " + run
}

// Label is what a week says to who cannot see it.
func (w week) Label() string {
	if w.Month == "late" {
		return strconv.Itoa(w.N) + " overdue"
	}
	return strconv.Itoa(w.N) + " due in the week of " + w.From.Format("2 January")
}
