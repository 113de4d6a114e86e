package report

import (
	"regexp"
	"strings"
)

// Fold lays lines that are wider than a terminal out again, so that it wraps none:
// what goes on stands under where it began, and a command to paste is continued
// with a backslash, so that it can be pasted still. Width 0 leaves all as it is.
func Fold(text string, width int) string {
	if width <= 0 {
		return text
	}
	lines := strings.Split(text, "\n")
	out := make([]string, 0, len(lines))
	for _, line := range lines {
		if visible(line) <= width {
			out = append(out, line)
			continue
		}
		out = append(out, foldLine(line, width)...)
	}
	return strings.Join(out, "\n")
}

// Prose sets paragraphs that are separated by an empty line; one in which a line is
// indented stays as it is.
func Prose(text string, width int) string {
	var out []string
	for _, p := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if strings.Contains("\n"+p, "\n ") {
			out = append(out, Fold(p, width))
			continue
		}
		out = append(out, strings.Join(wrapped(strings.Join(strings.Fields(p), " "), width, "", ""), "\n"))
	}
	return strings.Join(out, "\n\n")
}

// toPaste is where a command begins that somebody is told to run.
var toPaste = regexp.MustCompile(`(?:^|\s|: )((?:\S*/)?rekey(?:\x1b\[[0-9;]*m)? (?:-|[a-z]+(?: |$))|go run \./cmd/rekey )`)

// leads tells that a line is about what to do next.
var leads = regexp.MustCompile(`^(?:\x1b\[[0-9;]*m|\s)*(?:next|or|then|go on|go back|see|rekey|\S*/rekey|go run)\b`)

func foldLine(line string, width int) []string {
	if at := toPaste.FindStringSubmatchIndex(line); at != nil && leads.MatchString(line) {
		before, command := line[:at[2]], line[at[2]:]
		if strings.TrimSpace(before) == "" {
			return foldCommand(before, command, visible(before)+4, width)
		}
		if visible(line) <= width {
			return []string{line}
		}
		hang := hangOf(line, width)
		out := fill(splitGaps(strings.TrimRight(before, " ")), hang, width)
		last := out[len(out)-1]
		gap := strings.Repeat(" ", len(before)-len(strings.TrimRight(before, " ")))
		if visible(last)+len(gap)+visible(command) <= width {
			out[len(out)-1] = last + gap + command
			return out
		}
		if strings.TrimRight(last, " ") == strings.TrimRight(before, " ") && visible(before) <= width/3 {
			return append(out[:len(out)-1], foldCommand(before, command, min(hang, 8)+2, width)...)
		}
		return append(out, foldCommand(strings.Repeat(" ", min(hang, 8)), command, min(hang, 8)+2, width)...)
	}
	return fill(splitGaps(line), hangOf(line, width), width)
}

// foldCommand breaks a command between its words, quoted ones unbroken.
func foldCommand(lead, command string, hang, width int) []string {
	var out []string
	line := lead
	empty := true
	for _, w := range shellWords(command) {
		if !empty && visible(line)+1+visible(w)+2 > width {
			// A word that would not fit there hangs less far.
			out, line, empty = append(out, line+" \\"), strings.Repeat(" ", min(hang, max(width-visible(w)-2, 0))), true
		}
		if !empty {
			line += " "
		}
		// A word that no line holds goes on at the very beginning of the next, where a
		// shell puts it together again; within quotes it would not.
		for visible(line)+visible(w)+2 > width && visible(w) > width-hang-2 && !strings.ContainsAny(w, `'"`) {
			var head string
			head, w = breakAt(w, max(width-1-visible(line), 1))
			out, line = append(out, line+head+"\\"), ""
		}
		line, empty = line+w, false
	}
	return append(out, line)
}

// shellWords splits at the blanks outside of quotes.
func shellWords(s string) (out []string) {
	var word strings.Builder
	quote := rune(0)
	for _, r := range s {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"':
			quote = r
		case r == ' ':
			if word.Len() > 0 {
				out = append(out, word.String())
				word.Reset()
			}
			continue
		}
		word.WriteRune(r)
	}
	if word.Len() > 0 {
		out = append(out, word.String())
	}
	return out
}

// gap is what separates the columns of a line.
var gap = regexp.MustCompile(` {2,}`)

// hangOf is where what goes on stands: under the last column that begins in the
// first two fifths of the line, under the text of a list's item, or a little to
// the right of where the line began.
func hangOf(line string, width int) int {
	plain := colourSequence.ReplaceAllString(line, "")
	body := strings.TrimLeft(plain, " ")
	begin := len(plain) - len(body)
	hang := begin + 2
	if head, _, ok := strings.Cut(body, " "); ok && columnsOf(head) == 1 {
		hang = begin + 2 // a mark and a blank
	}
	for _, at := range gap.FindAllStringIndex(body, -1) {
		if c := begin + columnsOf(body[:at[1]]); c <= width*2/5 {
			hang = c
		}
	}
	return min(hang, width/2)
}

// piece is a word, and the blanks before it.
type piece struct {
	blanks int
	word   string
}

// splitGaps splits a line into words, each with the blanks that stood before it.
func splitGaps(line string) (out []piece) {
	blanks := 0
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			out = append(out, piece{blanks, word.String()})
			word.Reset()
			blanks = 0
		}
	}
	for _, r := range line {
		if r == ' ' {
			flush()
			blanks++
			continue
		}
		word.WriteRune(r)
	}
	flush()
	return out
}

// fill sets words line by line; a gap of a table closes where a line breaks. What
// stands after a gap is kept together if it fits on a line of its own.
func fill(pieces []piece, hang, width int) []string {
	var out []string
	line, used := "", 0
	next := func() {
		out = append(out, strings.TrimRight(line, " "))
		line, used = strings.Repeat(" ", hang), hang
	}
	for i, p := range pieces {
		need := visible(p.word)
		if p.blanks > 1 && i > 0 {
			need = together(pieces[i:])
			if hang+need > width {
				need = visible(p.word)
			}
		}
		if i > 0 && used+p.blanks+need > width && used > hang {
			next()
		} else {
			line += strings.Repeat(" ", p.blanks)
			used += p.blanks
		}
		for used+visible(p.word) > width && visible(p.word) > width-hang {
			var head string
			head, p.word = breakAt(p.word, width-used)
			line += head
			next()
		}
		line += p.word
		used += visible(p.word)
	}
	return append(out, line)
}

// together is how wide the words are until the next gap.
func together(pieces []piece) int {
	n := visible(pieces[0].word)
	for _, p := range pieces[1:] {
		if p.blanks > 1 {
			break
		}
		n += p.blanks + visible(p.word)
	}
	return n
}

// breakAt breaks a word that is wider than a whole line.
func breakAt(word string, room int) (head, rest string) {
	used := 0
	for i := 0; i < len(word); {
		if at := colourSequence.FindStringIndex(word[i:]); at != nil && at[0] == 0 {
			i += at[1]
			continue
		}
		r := []rune(word[i:])[0]
		w := columnsOf(string(r))
		if used+w > room && i > 0 {
			return word[:i], word[i:]
		}
		used, i = used+w, i+len(string(r))
	}
	return word, ""
}
