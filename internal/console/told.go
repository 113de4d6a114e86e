package console

import (
	"html/template"
	"regexp"
	"strings"
	"time"
)

// times are how the floors below write a moment into a sentence.
var momentText = regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?: UTC|Z)`)

// toldHTML is a sentence of the floors below. The moments in it are shown by the reader's
// clock, as all others are.
func toldHTML(text string) template.HTML {
	var out strings.Builder
	from := 0
	for _, at := range momentText.FindAllStringIndex(text, -1) {
		word := text[at[0]:at[1]]
		t, err := time.Parse("2006-01-02 15:04:05", word[:10]+" "+word[11:19])
		if err != nil {
			continue
		}
		out.WriteString(template.HTMLEscapeString(text[from:at[0]]))
		out.WriteString(string(timeHTML("exact", t, t.Format("2 Jan 15:04:05 UTC"))))
		from = at[1]
	}
	out.WriteString(template.HTMLEscapeString(text[from:]))
	return template.HTML(out.String())
}

// callHTML is a request, which may be broken after each part of its path.
func callHTML(text string) template.HTML {
	return template.HTML(strings.ReplaceAll(template.HTMLEscapeString(text), "/", "/<wbr>"))
}

// nameHTML is a name of many words, which may be broken after each of them.
func nameHTML(text string) template.HTML {
	return template.HTML(strings.ReplaceAll(template.HTMLEscapeString(text), "_", "_<wbr>"))
}

// anchor says on which side of a place on an axis a word stands, so that it stays within.
func anchor(at float64) string {
	switch {
	case at < 0.12:
		return "start"
	case at > 0.88:
		return "end"
	}
	return "middle"
}
