package console

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"rekey/internal/dossier"
	"rekey/internal/estate"
	"rekey/internal/evidence"
)

type evidenceBody struct {
	From, To   string // as the form has them; To is included
	Credential string
	Names      []string
	Standing   evidence.Standing
	Runs       []runRow // the newest of those that were found
	Found      int
	Endings    []filter
	Periods    []filter
	First      time.Time // days of the period, both included
	Last       time.Time
	Mistake    string
	NoRuns     bool
}

// evidencePage tells what the journal has of a period, and offers it with its proofs.
func (c *Console) evidencePage(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	status, err := c.o.Ops.Status(r.Context(), estate.StatusAsked{})
	if err != nil && estate.CodeOf(err) != estate.NoCredentials {
		return err
	}
	p, from, to, mistake := period(q.Get, c.o.Now())
	b := evidenceBody{From: from, To: to, Credential: p.Credential, Standing: status.Evidence, Mistake: mistake, First: p.From, Last: p.To.AddDate(0, 0, -1)}
	b.Periods = periods(from, to, p.Credential, c.o.Now())
	for _, row := range status.Rows {
		b.Names = append(b.Names, row.Credential)
	}
	runs, err := c.o.Ops.Runs(r.Context())
	if err != nil {
		return err
	}
	b.NoRuns = len(runs) == 0
	counts := map[string]int{}
	for i := len(runs) - 1; i >= 0; i-- {
		s := runs[i]
		over := s.Opened.Before(p.To) && (s.Open() || !s.Closed.Before(p.From))
		if mistake != "" || !over || p.Credential != "" && s.Credential != p.Credential {
			continue
		}
		b.Runs = append(b.Runs, runRowOf(s))
	}
	stand(b.Runs, status.Rows)
	for _, x := range b.Runs {
		if counts[x.State.Word]++; counts[x.State.Word] == 1 {
			b.Endings = append(b.Endings, filter{Text: x.State.Word, Tone: x.State.Tone, Icon: x.State.Icon})
		}
	}
	for i := range b.Endings {
		b.Endings[i].N = counts[b.Endings[i].Text]
		b.Endings[i].Text = strings.Replace(strings.ToLower(b.Endings[i].Text), "waits", "waiting", 1)
	}
	if b.Found = len(b.Runs); b.Found > rowsPerPage {
		b.Runs = b.Runs[:rowsPerPage]
	}
	return show(c, w, http.StatusOK, "evidence", frame(c, r, "Evidence", "/evidence", b))
}

// periods are those that somebody who was not there asks for, by one press each.
func periods(from, to, credential string, now time.Time) []filter {
	today := now.UTC().Truncate(24 * time.Hour)
	year := time.Date(today.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	quarter := year.AddDate(0, int(today.Month()-1)/3*3, 0)
	var out []filter
	for _, p := range []struct {
		text        string
		first, last time.Time
	}{
		{"Last 3 months", today.AddDate(0, -3, 0), today},
		{"This quarter", quarter, today},
		{"Last quarter", quarter.AddDate(0, -3, 0), quarter.AddDate(0, 0, -1)},
		{"This year", year, today},
		{"Last year", year.AddDate(-1, 0, 0), year.AddDate(0, 0, -1)},
	} {
		first, last := p.first.Format(time.DateOnly), p.last.Format(time.DateOnly)
		out = append(out, filter{Text: p.text, To: listAddress("/evidence", 1, map[string]string{"from": first, "to": last, "credential": credential}), On: from == first && to == last})
	}
	return out
}

// period reads one from a form; without one it is the quarter up to today. Both days are
// included.
func period(get func(string) string, now time.Time) (p estate.Period, from, to, mistake string) {
	today := now.UTC().Truncate(24 * time.Hour)
	from, to = get("from"), get("to")
	if from == "" {
		from = today.AddDate(0, -3, 0).Format(time.DateOnly)
	}
	if to == "" {
		to = today.Format(time.DateOnly)
	}
	p.Credential = get("credential")
	var errFrom, errTo error
	p.From, errFrom = time.Parse(time.DateOnly, from)
	p.To, errTo = time.Parse(time.DateOnly, to)
	p.To = p.To.AddDate(0, 0, 1)
	switch {
	case errFrom != nil || errTo != nil:
		mistake = "A day is written as 2026-11-23."
	case !p.From.Before(p.To):
		mistake = "The first day is after the last one."
	}
	return p, from, to, mistake
}

// export hands the evidence over: as a file with all proofs, or as a page to be read. It
// is a POST, for it signs the journal as it is.
func (c *Console) export(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	p, from, to, mistake := period(r.PostForm.Get, c.o.Now())
	if mistake != "" {
		return done(w, r, "/evidence?from="+queryEscape(from)+"&to="+queryEscape(to))
	}
	name := "evidence-" + from + "-to-" + to
	if r.PostForm.Get("as") == "page" {
		found, err := c.o.Ops.Evidence(r.Context(), p, nil)
		if err != nil {
			return err
		}
		var b strings.Builder
		if err := dossier.Page(&b, found.Dossier); err != nil {
			return err
		}
		ownPage(w, []byte(b.String()))
		return nil
	}
	begun := false
	_, err := c.o.Ops.Evidence(r.Context(), p, func(lines []byte) error {
		if !begun {
			begun = true
			h := w.Header()
			h.Set("Content-Type", "application/jsonl; charset=utf-8")
			h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name+".jsonl"))
		}
		_, err := w.Write(lines)
		return err
	})
	if err != nil && begun {
		// Without its last line, which is signed, the file is worth nothing; that it was cut
		// off has to be seen.
		panic(http.ErrAbortHandler)
	}
	return err
}

type verifiedBody struct {
	estate.Verified
	Given []string // names of what was typed
}

// verify checks the journal against what it keeps, and against a checkpoint that somebody
// has kept elsewhere. It changes nothing, and is a POST for the size of what is given.
func (c *Console) verify(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	var v estate.Verifying
	if key := strings.TrimSpace(r.PostForm.Get("key")); key != "" {
		v.Keys = strings.Fields(key)
	}
	if note := strings.TrimSpace(strings.ReplaceAll(r.PostForm.Get("checkpoint"), "\r\n", "\n")); note != "" {
		v.Given = append(v.Given, evidence.Given{Where: "the checkpoint that you gave", Note: note + "\n"})
	}
	seen, err := c.o.Ops.Verify(r.Context(), v)
	if err != nil {
		return err
	}
	return show(c, w, http.StatusOK, "verified", frame(c, r, "Verified", "/evidence", verifiedBody{Verified: seen}))
}
