// Package report turns plans, states and histories into text for people.
package report

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"rekey/internal/rotation"
)

// Style colours text, or does not.
type Style struct {
	Color bool
	// Palette is how many colours the terminal tells apart: Exact, Indexed, or 0 for
	// the sixteen of its theme.
	Palette int
	Width   int // columns; 0: unlimited
}

// The palettes.
const (
	Indexed = 256     // TERM names it: xterm-256color
	Exact   = 1 << 24 // COLORTERM is truecolor
)

// colour is one in every palette. The theme's own sixteen may be yellow on white; the
// exact ones stand out from black and from white alike, by 4.5 to 1, which is what WCAG
// 2.2 (1.4.3) asks for text; the indexed ones come next to them.
type colour struct{ theme, indexed, exact string }

var (
	green = colour{"32", "38;5;28", "38;2;0;137;34"}
	red   = colour{"31", "38;5;160", "38;2;226;40;40"}
	amber = colour{"33", "38;5;130", "38;2;167;103;0"}
	cyan  = colour{"36", "38;5;30", "38;2;0;131;131"}
	grey  = colour{"2", "38;5;243", "38;2;117;117;117"}
)

func (s Style) paint(c colour, text string) string {
	code := c.theme
	switch s.Palette {
	case Exact:
		code = c.exact
	case Indexed:
		code = c.indexed
	}
	return s.as(code, text)
}

func (s Style) as(code, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Bold, Dim and the colours paint a text.
func (s Style) Bold(t string) string { return s.as("1", t) }

// Dim is for what is there to be looked up, not read.
func (s Style) Dim(t string) string { return s.paint(grey, t) }

// Good is for what is proven.
func (s Style) Good(t string) string { return s.paint(green, t) }

// Bad is for what needs a person.
func (s Style) Bad(t string) string { return s.paint(red, t) }

// Mind is for what cannot be undone, and for waiting.
func (s Style) Mind(t string) string { return s.paint(amber, t) }

// Name is for the names of things.
func (s Style) Name(t string) string { return s.paint(cyan, t) }

// columnsOf measures text as terminals draw it: a CJK character takes two columns, a
// combining one none, whatever the locale says.
func columnsOf(t string) int {
	c := runewidth.Condition{StrictEmojiNeutral: true}
	return c.StringWidth(t)
}

// visible is the width of a text without colours.
func visible(t string) int {
	if !strings.Contains(t, "\x1b") {
		return columnsOf(t)
	}
	return columnsOf(colourSequence.ReplaceAllString(t, ""))
}

// colourSequence is what Style writes.
var colourSequence = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Sequences is a regular expression of everything that a Style writes to colour, in every
// palette, and of nothing else: what a vendor says may not colour anything.
func Sequences() string {
	codes := []string{"0", "1"} // the end of one, and bold
	for _, c := range []colour{green, red, amber, cyan, grey} {
		codes = append(codes, c.theme, c.indexed, c.exact)
	}
	return "\x1b\\[(?:" + strings.Join(codes, "|") + ")m"
}

// Columns is how many columns a text takes on a terminal, without its colours.
func Columns(t string) int { return visible(t) }

// pad fills up to a width.
func pad(t string, width int) string {
	if n := width - visible(t); n > 0 {
		return t + strings.Repeat(" ", n)
	}
	return t
}

// Cut shortens a text to a width; where it was coloured, the colour ends with it.
func Cut(t string, width int) string {
	if width <= 0 || visible(t) <= width {
		return t
	}
	if width < 2 {
		return ""
	}
	var b strings.Builder
	room, coloured := width-1, false
	for t != "" && room > 0 {
		if at := colourSequence.FindStringIndex(t); at != nil && at[0] == 0 {
			b.WriteString(t[:at[1]])
			t, coloured = t[at[1]:], true
			continue
		}
		_, n := utf8.DecodeRuneInString(t)
		w := columnsOf(t[:n])
		if w > room {
			break
		}
		b.WriteString(t[:n])
		t, room = t[n:], room-w
	}
	b.WriteString("…")
	if coloured {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}

// Table lines the columns of rows up; cells may be coloured.
func Table(rows [][]string) []string { return table(rows, 2) }

// table lines columns up; cells may be coloured.
func table(rows [][]string, gap int) []string {
	var widths []int
	for _, r := range rows {
		for i, c := range r {
			if i >= len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], visible(c))
		}
	}
	out := make([]string, len(rows))
	for i, r := range rows {
		var b strings.Builder
		for j, c := range r {
			if j == len(r)-1 {
				b.WriteString(c)
				break
			}
			b.WriteString(pad(c, widths[j]+gap))
		}
		out[i] = strings.TrimRight(b.String(), " ")
	}
	return out
}

// Quote makes one word of a shell's command line of a text.
func Quote(t string) string {
	if t != "" && !strings.ContainsFunc(t, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,", r)
	}) {
		return t
	}
	return "'" + strings.ReplaceAll(t, "'", `'\''`) + "'"
}

// Again is the command that opens a run once more, with everything that was said
// when it was opened.
func Again(o *rotation.Opened) string {
	out := "rekey run " + Quote(o.Credential)
	for _, said := range [][2]string{{"--reason", o.Reason}, {"--ticket", o.Ticket}} {
		if said[1] != "" {
			out += " " + said[0] + " " + Quote(said[1])
		}
	}
	for _, said := range o.Overrides {
		flag, value, _ := strings.Cut(said, " ")
		out += " " + flag
		if value != "" {
			out += " " + Quote(value)
		}
	}
	return out
}

func indent(lines []string, by string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		if l != "" {
			out[i] = by + l
		}
	}
	return out
}

// Span says a length of time as people do: 3m12s, 5h, 92d.
func Span(d time.Duration) string {
	switch {
	case d == math.MinInt64:
		return "-" + Span(math.MaxInt64) // it has no opposite
	case d < 0:
		return "-" + Span(-d)
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		s := d.Truncate(time.Second).String()
		if strings.HasSuffix(s, "m0s") {
			return strings.TrimSuffix(s, "0s") // 2m, and not 1m3 for 1m30s
		}
		return s
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// far is how many years two moments may be apart so that a length of time can say it.
const far = 290

// Ago says how long something is past or ahead.
func Ago(t, now time.Time) string {
	switch d, years := now.Sub(t), now.Year()-t.Year(); {
	case t.IsZero():
		return "never"
	case years <= -far:
		return fmt.Sprintf("in %d years", -years)
	case years >= far:
		return fmt.Sprintf("%d years ago", years)
	case d < -time.Second:
		return "in " + Span(-d)
	case d < 2*time.Second:
		return "just now"
	default:
		return Span(d) + " ago"
	}
}
