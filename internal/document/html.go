package document

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"regexp"
	"strings"
)

//go:embed page.css
var css string

// script adds a button to each block, which copies it. The page allows this script
// alone, by its hash: nothing that came from a name or a vendor can run.
//
//go:embed page.js
var script string

func escapeHTML(s string) string { return html.EscapeString(s) }

// HTML writes the page as one file: nothing from elsewhere, light and dark by what
// the reader's system says, and fit to be printed. Without scripts it is whole.
func (d Document) HTML() []byte {
	var b strings.Builder
	hash := sha256.Sum256([]byte(script))
	fmt.Fprintf(&b, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"+
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-%s'\">\n"+
		"<title>%s</title>\n<style>\n%s</style>\n", base64.StdEncoding.EncodeToString(hash[:]), escapeHTML(visible(d.Title)), css)
	b.WriteString("<nav aria-label=\"On this page\">\n")
	for _, x := range d.Blocks {
		if x.kind == heading && (x.level == 2 || x.level == 3) {
			fmt.Fprintf(&b, "<a class=\"l%d\" href=\"#%s\">%s</a>\n", x.level, slug(x.text), escapeHTML(visible(textOf(x.text))))
		}
	}
	b.WriteString("</nav>\n<main>\n")
	for _, x := range d.Blocks {
		htmlBlock(&b, x)
	}
	b.WriteString("</main>\n<script>" + script + "</script>\n</html>\n")
	return []byte(b.String())
}

func htmlBlock(b *strings.Builder, x block) {
	mark, class := "", ""
	if x.now {
		mark, class = Marker, ` class="now"`
	}
	switch x.kind {
	case heading:
		fmt.Fprintf(b, "<h%d id=\"%s\">%s</h%[1]d>\n", x.level, slug(x.text), htmlText(x.text))
	case para:
		fmt.Fprintf(b, "<p%s>%s</p>%s\n", class, htmlText(x.text), mark)
	case caution:
		fmt.Fprintf(b, "<p class=\"caution\">%s</p>\n", htmlText(x.text))
	case list, checklist:
		if x.kind == checklist {
			class = ` class="boxes"`
		}
		fmt.Fprintf(b, "<ul%s>\n", class)
		for _, it := range x.items {
			fmt.Fprintf(b, "<li>%s\n", htmlText(it.text))
			for _, n := range it.now {
				fmt.Fprintf(b, "<div class=\"now\">%s</div>%s\n", htmlText(n), Marker)
			}
		}
		b.WriteString("</ul>\n")
	case table:
		htmlTable(b, x)
	case code:
		fmt.Fprintf(b, "<pre><code>%s</code></pre>\n", escapeHTML(x.code))
	case fold:
		fmt.Fprintf(b, "<details><summary>%s</summary>\n", htmlText(x.text))
		for _, k := range x.kids {
			htmlBlock(b, k)
		}
		b.WriteString("</details>\n")
	}
}

func htmlTable(b *strings.Builder, x block) {
	b.WriteString("<div class=\"wide\"><table>\n")
	if textOf(x.head[0])+textOf(x.head[len(x.head)-1]) != "" {
		b.WriteString("<thead><tr>")
		for _, h := range x.head {
			b.WriteString("<th>" + htmlText(h) + "</th>")
		}
		b.WriteString("</tr></thead>\n")
	}
	for _, r := range x.rows {
		mark, class := "", ""
		if r.now {
			mark, class = Marker, ` class="now"`
		}
		fmt.Fprintf(b, "<tr%s>", class)
		for i, c := range r.cells {
			label := ""
			if i > 0 && i < len(x.head) && textOf(x.head[i]) != "" {
				label = ` data-label="` + escapeHTML(visible(textOf(x.head[i]))) + `"` // where the cells stand below each other
			}
			b.WriteString("<td" + label + ">" + htmlText(c) + "</td>")
		}
		b.WriteString("</tr>" + mark + "\n")
	}
	b.WriteString("</table></div>\n")
}

func htmlText(t Text) string {
	var b strings.Builder
	for _, s := range t {
		text := escapeHTML(visible(s.text))
		switch {
		case s.code:
			b.WriteString("<code>" + text + "</code>")
		case s.link != "":
			b.WriteString(`<a href="` + escapeHTML(visible(s.link)) + `">` + text + "</a>")
		case s.bold:
			b.WriteString("<strong>" + text + "</strong>")
		case s.emph:
			b.WriteString("<em>" + text + "</em>")
		default:
			b.WriteString(text)
		}
	}
	return b.String()
}

var notSlug = regexp.MustCompile(`[^a-z0-9 _-]+`)

// slug is the anchor that GitHub gives a heading, so that links work in both.
func slug(t Text) string {
	return strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(textOf(t)), ""), " ", "-")
}
