package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"

	"rekey/internal/estate"
)

// procedure serves the written procedure as it is: a page of its own, with a style and a
// script of its own. Both are allowed by their sums, and nothing else is.
func (c *Console) procedure(w http.ResponseWriter, r *http.Request) error {
	var text []byte
	err := c.o.Ops.Document(r.Context(), estate.Documenting{Credentials: []string{r.PathValue("name")}, HTML: true}, func(p estate.Page) error {
		text = p.Text
		return nil
	})
	if err != nil {
		return err
	}
	ownPage(w, text)
	return nil
}

// ownPage writes a page that has its style, and perhaps its script, within.
func ownPage(w http.ResponseWriter, text []byte) {
	allow := "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	if sum := sumOf(text, "style", false); sum != "" {
		allow += "; style-src '" + sum + "'"
	}
	if sum := sumOf(text, "script", true); sum != "" {
		allow += "; script-src '" + sum + "'"
	}
	w.Header().Set("Content-Security-Policy", allow)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(text)
}

// sumOf is the sum of what stands in the first, or the last, element of this name.
func sumOf(text []byte, name string, last bool) string {
	opens, closes := []byte("<"+name+">"), []byte("</"+name+">")
	at := bytes.Index(text, opens)
	if last {
		at = bytes.LastIndex(text, opens)
	}
	if at < 0 {
		return ""
	}
	inner, _, ok := bytes.Cut(text[at+len(opens):], closes)
	if !ok {
		return ""
	}
	sum := sha256.Sum256(inner)
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
