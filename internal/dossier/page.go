package dossier

import (
	_ "embed"
	"html/template"
	"io"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/report"
	"rekey/internal/visible"
)

//go:embed page.html
var pageText string

// Page writes the dossier as one HTML page: no script, nothing loaded from anywhere,
// light and dark, fit to be printed. Everything in it is escaped.
func Page(w io.Writer, d *Dossier) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"day": day, "clock": clock, "facts": facts, "agreed": agreed, "count": count, "endings": endings, "scope": scope,
		"short": func(f cred.Fingerprint) string { return f.Short() },
		"span":  func(r Run) string { return report.Span(r.Closed.Sub(r.Opened)) },
		"zero":  func(t time.Time) bool { return t.IsZero() },
		"tone":  tone,
		"lastday": func(h Header) string {
			if day(h.To) == h.To.UTC().Format(time.DateOnly) {
				return h.To.UTC().Add(-time.Second).Format(time.DateOnly)
			}
			return day(h.To)
		},
		"entries":  func(n int) string { return strings.Replace(entriesOf(n), " entr", " journal entr", 1) },
		"controls": Controls,
	}).Parse(pageText)
	if err != nil {
		return err
	}
	return t.Execute(w, visible.Copy(d))
}

// tone of an ending: good, mind or bad.
func tone(ending string) string {
	switch ending {
	case "rotated", "rehearsed", "repaired":
		return "good"
	case "stuck":
		return "bad"
	}
	return "mind"
}
