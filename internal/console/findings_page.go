package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"rekey/internal/drift"
	"rekey/internal/estate"
	"rekey/internal/report"
)

type findingsBody struct {
	All      int
	Filters  []filter
	Show     string
	Drifted  []foundOf
	Others   []foundOf
	Compared int       // credentials that were ever compared
	Looked   int       // that were ever looked for elsewhere
	First    time.Time // the oldest of these looks
	Agree    int
	LetBe    int // findings that somebody has acknowledged
	With     int // credentials with a disagreement or a gap
	Held     int // credentials with other holders or gaps
}

// foundOf is what one look has found of one credential, or of none.
type foundOf struct {
	Credential string
	At         time.Time
	Findings   []foundView
	Repair     bool // a repair can be planned
}

// foundView is a finding, as a page shows it. Finding is exported for visible.Copy.
type foundView struct {
	report.Finding
	Days []daysView // for how long it may be let be
	Form bool       // whoever looks may be asked what he lets be
}

// daysView is a choice of how long a finding is let be.
type daysView struct {
	Days int
	Says string
}

func acknowledgedFor() []daysView {
	return []daysView{{7, "a week"}, {30, "30 days"}, {90, "90 days"}, {365, "a year"}}
}

func (c *Console) findingsPage(w http.ResponseWriter, r *http.Request) error {
	found, err := c.o.Ops.Findings(r.Context())
	if err != nil {
		return err
	}
	status, err := c.o.Ops.Status(r.Context(), estate.StatusAsked{})
	if err != nil && estate.CodeOf(err) != estate.NoCredentials {
		return err
	}
	return show(c, w, http.StatusOK, "findings", frame(c, r, "Findings", "/findings", findingsOf(found.Findings, status.Rows, r.URL.Query().Get("show"))))
}

// findingsOf are those that are asked for: acknowledged, all, or (whatever else is said)
// those that nobody lets be.
func findingsOf(found []report.Finding, rows []report.Row, asked string) findingsBody {
	b := findingsBody{All: len(rows), Show: asked}
	for _, row := range rows {
		for _, look := range []struct {
			n  *int
			at func() (time.Time, bool)
		}{
			{&b.Compared, func() (time.Time, bool) {
				if row.Drift == nil {
					return time.Time{}, false
				}
				return row.Drift.At, true
			}},
			{&b.Looked, func() (time.Time, bool) {
				if row.Others == nil {
					return time.Time{}, false
				}
				return row.Others.At, true
			}},
		} {
			if at, was := look.at(); was {
				if *look.n++; b.First.IsZero() || at.Before(b.First) {
					b.First = at
				}
			}
		}
	}
	of := map[string]map[string]bool{report.ByDrift: {}, report.ByDiscover: {}}
	shown := 0
	for _, f := range found {
		of[f.Look][f.Credential] = true
		if f.Acknowledged != nil {
			b.LetBe++
		}
		if asked != "all" && (f.Acknowledged != nil) != (asked == "acknowledged") {
			continue
		}
		shown++
		list := &b.Others
		if f.Look == report.ByDrift {
			list = &b.Drifted
		}
		if n := len(*list); n == 0 || (*list)[n-1].Credential != f.Credential {
			*list = append(*list, foundOf{Credential: f.Credential, At: f.At})
		}
		one := &(*list)[len(*list)-1]
		one.Findings = append(one.Findings, foundView{f, acknowledgedFor(), true})
		one.Repair = one.Repair || f.Look == report.ByDrift && f.Counts && f.Kind != string(drift.NotSeen)
	}
	b.With, b.Held = len(of[report.ByDrift]), len(of[report.ByDiscover])
	b.Agree = b.Compared - b.With
	b.Filters = []filter{
		{Text: "Open", To: "/findings", N: len(found) - b.LetBe, On: asked != "all" && asked != "acknowledged"},
		{Text: "Acknowledged", To: "/findings?show=acknowledged", N: b.LetBe, On: asked == "acknowledged", Tone: "idle", Icon: "check"},
		{Text: "All", To: "/findings?show=all", N: len(found), On: asked == "all"},
	}
	slices.SortStableFunc(b.Drifted, func(x, y foundOf) int { return -compareBool(x.Repair, y.Repair) })
	return b
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// acknowledge lets a finding be for some days, or no longer.
func (c *Console) acknowledge(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	a := estate.Acknowledging{Finding: r.PathValue("id"), Seen: r.PostForm.Get("seen"), Reason: strings.TrimSpace(r.PostForm.Get("reason"))}
	to := "/findings"
	switch r.PathValue("what") {
	case "acknowledge":
		days, err := strconv.Atoi(r.PostForm.Get("days"))
		if err == nil && days > 0 && days <= 366 {
			a.Until = c.o.Now().AddDate(0, 0, days)
		} // the operation says what is wrong besides
		to = "/findings?show=acknowledged"
	case "take-back":
		a.TakeBack = true
	default:
		return errNoPage
	}
	if _, err := c.o.Ops.Acknowledge(r.Context(), a); err != nil {
		return err
	}
	return done(w, r, to)
}

func (c *Console) compareAll(w http.ResponseWriter, r *http.Request) error {
	if _, err := c.o.Ops.Compare(r.Context(), nil); err != nil {
		return err
	}
	return done(w, r, "/findings")
}

func (c *Console) discoverAll(w http.ResponseWriter, r *http.Request) error {
	if _, err := c.o.Ops.Discover(r.Context(), nil); err != nil {
		return err
	}
	return done(w, r, "/findings")
}

// wordsOfFindings: what cannot be acknowledged.
func (c *Console) wordsOfFindings(e *estate.Error) problem {
	all := []link{{"All findings", "/findings?show=all"}}
	switch e.Code {
	case estate.NoFinding:
		return problem{Title: "There is no finding " + e.Name, Why: "The last looks have not found it: it was put right meanwhile, or there never was one of this id.", Live: []string{untouched}, Links: all}
	case estate.FindingChanged:
		return problem{Title: "The finding is something else by now", Why: errText(e), Live: []string{"It is not acknowledged."}, Then: "Look at it as it is now.", Links: all}
	case estate.BadUntil:
		return problem{Title: "Until when is that?", Why: errText(e), Live: []string{"It is not acknowledged."}, Links: all}
	case estate.NotAcknowledged:
		return problem{Title: "It is not acknowledged", Why: "Nobody has acknowledged this finding, or it has come back by itself since.", Live: []string{untouched}, Links: all}
	}
	return problem{}
}
