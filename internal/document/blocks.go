package document

import "strings"

// block is one piece of a page. What is marked now changes with time or history,
// stands on lines of its own, and is passed over when a copy is compared.
type block struct {
	kind  blockKind
	level int // of a heading
	text  Text
	items []item  // of a list
	head  []Text  // of a table
	rows  []row   // of a table
	code  string  // bash
	kids  []block // of a fold
	now   bool
}

type blockKind int

const (
	heading blockKind = iota
	para
	list
	checklist
	table
	code
	caution // what cannot be undone
	fold    // what is there to be used, not read
)

// item is an entry of a list, with what is known about it now.
type item struct {
	text Text
	now  []Text
}

type row struct {
	cells []Text
	now   bool
}

// span is a piece of text with one look.
type span struct {
	text, link string // link: an http address
	code, bold bool
	emph       bool
}

// Text is a line of text.
type Text []span

// say puts pieces together; a plain string is text and never markup.
func say(parts ...any) Text {
	var t Text
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			t = append(t, span{text: p})
		case span:
			t = append(t, p)
		case Text:
			t = append(t, p...)
		}
	}
	return t
}

func mono(s string) span { return span{text: s, code: true} }
func bold(s string) span { return span{text: s, bold: true} }

// link is an address to follow, or only text where it is none of the web.
func link(label, url string) span {
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") {
		return span{text: label + " (" + url + ")"}
	}
	return span{text: label, link: url}
}

func title(level int, parts ...any) block {
	return block{kind: heading, level: level, text: say(parts...)}
}
func paragraph(parts ...any) block { return block{kind: para, text: say(parts...)} }
func now(parts ...any) block       { return block{kind: para, text: say(parts...), now: true} }
func shell(s string) block         { return block{kind: code, code: strings.Trim(s, "\n")} }

// monos are names, with commas between them.
func monos(names []string) Text {
	var t Text
	for i, n := range names {
		if i > 0 {
			t = append(t, span{text: ", "})
		}
		t = append(t, mono(n))
	}
	return t
}

// markdown reads the little Markdown that a vendor's folder is written in: code,
// bold, emphasis, links within the page. Configuration never comes here.
func markdown(s string) Text {
	var t Text
	plain := ""
	flush := func() {
		if plain != "" {
			t = append(t, span{text: plain})
			plain = ""
		}
	}
	for s != "" {
		mark := ""
		for _, m := range []string{"`", "**", "*"} {
			if strings.HasPrefix(s, m) {
				mark = m
				break
			}
		}
		if inner, rest, ok := strings.Cut(strings.TrimPrefix(s, mark), mark); mark != "" && ok && inner != "" && !strings.HasPrefix(inner, " ") {
			flush()
			t = append(t, span{text: inner, code: mark == "`", bold: mark == "**", emph: mark == "*"})
			s = rest
			continue
		}
		if label, rest, ok := strings.Cut(strings.TrimPrefix(s, "["), "]("); strings.HasPrefix(s, "[") && ok {
			if at, rest, ok := strings.Cut(rest, ")"); ok && !strings.Contains(label, "]") {
				flush()
				t = append(t, span{text: label, link: at})
				s = rest
				continue
			}
		}
		plain += s[:1]
		s = s[1:]
	}
	flush()
	return t
}
