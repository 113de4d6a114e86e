package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"rekey/internal/estate"
	"rekey/internal/report"
	"rekey/internal/rotation"
)

// runRow is a run in one line.
type runRow struct {
	estate.Summary
	State need
	Took  time.Duration
}

func runRowOf(s estate.Summary) runRow {
	out := runRow{Summary: s, State: ending(s)}
	if !s.Open() {
		out.Took = s.Closed.Sub(s.Opened)
	}
	return out
}

// as says of an open run how it stands, as the row of its credential tells.
func (x *runRow) as(row report.Row) {
	if row.Open == nil || row.Open.Run != x.Run || x.Stuck != "" {
		return
	}
	switch {
	case row.Attention == "asks":
		x.State = needOf(row.Attention)
	case row.Working:
		x.State = running
	}
}

// standings says of open runs how they stand. Who may not see that sees that they are open.
func (c *Console) standings(ctx context.Context, rows []runRow) error {
	if !slices.ContainsFunc(rows, func(x runRow) bool { return x.Open() && x.Stuck == "" }) {
		return nil
	}
	status, err := c.o.Ops.Status(ctx, estate.StatusAsked{})
	stand(rows, status.Rows)
	return withoutRole(err)
}

// stand says of the open ones among many runs how they stand.
func stand(runs []runRow, rows []report.Row) {
	open := map[string]*report.Row{} // by run
	for i := range rows {
		if r := &rows[i]; r.Open != nil {
			open[r.Open.Run] = r
		}
	}
	for i := range runs {
		if r := open[runs[i].Run]; r != nil {
			runs[i].as(*r)
		}
	}
}

type runsBody struct {
	All            int
	Rows           []runRow
	Found          int
	Filters        []filter
	Query, Ending  string
	From, To       int
	Self           string // address of this list as it is
	Earlier, Later string
	Filtered       bool
}

func (c *Console) runsPage(w http.ResponseWriter, r *http.Request) error {
	runs, err := c.o.Ops.Runs(r.Context())
	if err != nil {
		return err
	}
	b := runsOf(runs, r.URL.Query())
	if err := c.standings(r.Context(), b.Rows); err != nil {
		return err
	}
	return show(c, w, http.StatusOK, "runs", frame(c, r, "Runs", "/runs", b))
}

// endingKey is how a run's state is written in an address.
func endingKey(s estate.Summary) string {
	switch {
	case s.Stuck != "":
		return "stuck"
	case s.Open():
		return "open"
	}
	return string(s.Ending)
}

func runsOf(runs []estate.Summary, asked url.Values) runsBody {
	b := runsBody{All: len(runs), Query: strings.TrimSpace(asked.Get("q")), Ending: asked.Get("ending")}
	counts, order := map[string]int{}, []string{"stuck", "open", "rotated", "rolled back", "refused", "revoked", "rehearsed", "repaired", "name retired"}
	var found []estate.Summary
	for _, s := range slices.Backward(runs) { // newest first
		key := endingKey(s)
		counts[key]++
		if (b.Ending == "" || b.Ending == key) && b.matches(s) {
			found = append(found, s)
		}
	}
	b.Filters = []filter{{Text: "All", To: b.address("", 1), N: b.All, On: b.Ending == ""}}
	for _, key := range order {
		if counts[key] == 0 && b.Ending != key {
			continue
		}
		n := endingOf(rotation.Ending(key))
		switch key {
		case "stuck":
			n = ending(estate.Summary{Stuck: "stuck"})
		case "open":
			n = ending(estate.Summary{})
		}
		b.Filters = append(b.Filters, filter{Text: n.Word, To: b.address(key, 1), N: counts[key], On: b.Ending == key, Tone: n.Tone, Icon: n.Icon})
	}
	b.Found, b.Filtered = len(found), b.Query != "" || b.Ending != ""
	n, _ := strconv.Atoi(asked.Get("page"))
	n = min(max(n, 1), max(1, (len(found)+rowsPerPage-1)/rowsPerPage))
	from := (n - 1) * rowsPerPage
	shown := found[from:min(from+rowsPerPage, len(found))]
	b.From, b.To, b.Self = from+1, from+len(shown), b.address(b.Ending, n)
	if n > 1 {
		b.Earlier = b.address(b.Ending, n-1)
	}
	if from+rowsPerPage < len(found) {
		b.Later = b.address(b.Ending, n+1)
	}
	for _, s := range shown {
		b.Rows = append(b.Rows, runRowOf(s))
	}
	return b
}

func (b runsBody) matches(s estate.Summary) bool {
	for _, word := range strings.Fields(strings.ToLower(b.Query)) {
		if !strings.Contains(strings.ToLower(s.Run+" "+s.Credential+" "+s.Actor+" "+s.Reason), word) {
			return false
		}
	}
	return true
}

func (b runsBody) address(ending string, page int) string {
	return listAddress("/runs", page, map[string]string{"q": b.Query, "ending": ending})
}

// runRows is a table of runs.
type runRows struct {
	Rows        []runRow
	Now         time.Time
	Credentials bool // with a column of them
	Dated       bool // with days, and not how long ago they were
}

// datedRows are runs with their days.
func datedRows(rows []runRow, now time.Time) runRows {
	return runRows{Rows: rows, Now: now, Credentials: true, Dated: true}
}

func rowsFor(rows []runRow, now time.Time, credentials bool) runRows {
	return runRows{Rows: rows, Now: now, Credentials: credentials}
}
