package document

import (
	"fmt"
	"regexp"
	"strings"

	show "rekey/internal/visible"
)

// Marker stands on every line of a page that changes with time or history. It is
// a comment in Markdown and in HTML, so nobody sees it.
const Marker = "<!--now-->"

// Markdown writes the page as GitHub's Markdown.
func (d Document) Markdown() []byte {
	var b strings.Builder
	for _, x := range d.Blocks {
		markdownBlock(&b, x)
	}
	return []byte(strings.TrimRight(b.String(), "\n") + "\n")
}

func markdownBlock(b *strings.Builder, x block) {
	mark := ""
	if x.now {
		mark = " " + Marker
	}
	switch x.kind {
	case heading:
		fmt.Fprintf(b, "%s %s\n\n", strings.Repeat("#", x.level), markdownText(x.text, false))
	case para:
		fmt.Fprintf(b, "%s%s\n\n", markdownText(x.text, false), mark)
	case caution:
		fmt.Fprintf(b, "> ⚠ %s\n\n", markdownText(x.text, false))
	case list, checklist:
		bullet := "- "
		if x.kind == checklist {
			bullet = "- [ ] "
		}
		for _, it := range x.items {
			fmt.Fprintf(b, "%s%s\n", bullet, markdownText(it.text, false))
			for _, n := range it.now {
				fmt.Fprintf(b, "  <br>*%s* %s\n", markdownText(plainer(n), false), Marker)
			}
		}
		b.WriteString("\n")
	case table:
		markdownRow(b, x.head, "")
		b.WriteString("|" + strings.Repeat(" --- |", len(x.head)) + "\n")
		for _, r := range x.rows {
			m := ""
			if r.now {
				m = " " + Marker
			}
			markdownRow(b, r.cells, m)
		}
		b.WriteString("\n")
	case code:
		fence := strings.Repeat("`", max(3, longest(x.code)+1))
		fmt.Fprintf(b, "%sbash\n%s\n%s\n\n", fence, x.code, fence)
	case fold:
		fmt.Fprintf(b, "<details><summary>%s</summary>\n\n", escapeHTML(visible(textOf(x.text))))
		for _, k := range x.kids {
			markdownBlock(b, k)
		}
		b.WriteString("</details>\n\n")
	}
}

func markdownRow(b *strings.Builder, cells []Text, mark string) {
	b.WriteString("|")
	for i, c := range cells {
		m := ""
		if i == len(cells)-1 {
			m = mark
		}
		b.WriteString(" " + strings.TrimSpace(markdownText(c, true)+m) + " |")
	}
	b.WriteString("\n")
}

func markdownText(t Text, inTable bool) string {
	var b strings.Builder
	for _, s := range t {
		text := visible(s.text)
		switch {
		case s.code:
			b.WriteString(codeSpan(text, inTable))
		case s.link != "" && strings.HasPrefix(s.link, "#"):
			b.WriteString("[" + escapeMarkdown(text) + "](" + s.link + ")")
		case s.link != "":
			b.WriteString("[" + escapeMarkdown(text) + "](<" + strings.NewReplacer("<", "%3C", ">", "%3E", "\\", "%5C", "|", "%7C").Replace(visible(s.link)) + ">)")
		case s.bold:
			b.WriteString("**" + escapeMarkdown(text) + "**")
		case s.emph:
			b.WriteString("*" + escapeMarkdown(text) + "*")
		default:
			b.WriteString(escapeMarkdown(text))
		}
	}
	return b.String()
}

// plainer drops bold and emphasis, for text that is emphasised as a whole.
func plainer(t Text) Text {
	out := make(Text, len(t))
	for i, s := range t {
		s.bold, s.emph = false, false
		out[i] = s
	}
	return out
}

func textOf(t Text) string {
	var b strings.Builder
	for _, s := range t {
		b.WriteString(s.text)
	}
	return b.String()
}

// codeSpan: the fence is longer than any in the text; in a table a bar ends a
// cell even between backticks (GitHub's Markdown, tables).
func codeSpan(s string, inTable bool) string {
	if s == "" {
		return ""
	}
	if inTable {
		s = strings.ReplaceAll(s, "|", `\|`)
	}
	n := longest(s)
	fence := strings.Repeat("`", n+1)
	if n > 0 {
		return fence + " " + s + " " + fence
	}
	return fence + s + fence
}

// longest run of backticks.
func longest(s string) int {
	most, run := 0, 0
	for _, r := range s {
		if r == '`' {
			run++
			most = max(most, run)
		} else {
			run = 0
		}
	}
	return most
}

var (
	special = regexp.MustCompile("[\\\\`*\\[\\]<>|~&#$_!]")
	between = regexp.MustCompile(`(\w)\\_(\w)`)
	oneLine = strings.NewReplacer("\n", " ", "\t", " ")
)

// escapeMarkdown makes text of any text: nothing in it is markup. An underscore
// between letters is none in GitHub's Markdown and stays readable.
func escapeMarkdown(s string) string {
	s = special.ReplaceAllStringFunc(s, func(m string) string {
		switch m {
		case "&":
			return "&amp;"
		case "<":
			return "&lt;"
		case ">":
			return "&gt;"
		}
		return `\` + m
	})
	return between.ReplaceAllString(s, "${1}_${2}")
}

// visible spells out what cannot be seen; a line stays one line.
func visible(s string) string {
	return show.Text(oneLine.Replace(s))
}
