package access

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
)

//go:embed pages
var files embed.FS

// page is one of the few that stand before the console.
type page struct {
	Title, Bad, Act, Link, Form, Note string
	Text                              []string
	Hidden                            []field
}

type field struct{ Name, Value string }

// show answers with a page that no script runs in and nobody can frame. to is where its
// form may lead besides this server; "": nowhere.
func (a *Access) show(w http.ResponseWriter, status int, p page, to string) {
	t, err := template.ParseFS(files, "pages/page.html")
	var out bytes.Buffer
	if err == nil {
		err = t.Execute(&out, p)
	}
	if err != nil {
		a.Log.Error("a page could not be made", "error", err)
		problem(w, http.StatusInternalServerError, "failed", "a page could not be made")
		return
	}
	form := "'self'"
	if to != "" {
		form += " " + to
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action "+form+"; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}
