package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rekey/internal/sop"
)

// column of the status table. optional ones go first where there is no room, the
// highest number before the others.
type column struct {
	head     string
	optional int
	cell     func(Row) string
}

// Status is the table of all credentials.
func Status(rows []Row, s Style, now time.Time) string {
	rows = legible(rows)
	if len(rows) == 0 {
		return "rekey.yaml names no credentials yet.\n"
	}
	columns := columns(s, now)
	if !slices.ContainsFunc(rows, func(r Row) bool { return r.Owner != "" }) {
		columns = slices.DeleteFunc(columns, func(c column) bool { return c.head == "owner" })
	}
	lines := fitted(rows, columns, s)
	for _, r := range rows {
		switch r.Attention {
		case "stuck":
			lines = append(lines, "", s.Bad("stuck")+" "+r.Credential+": "+r.Open.Stuck)
		case "unready":
			lines = append(lines, "", fmt.Sprintf("%s %s: the check %s found %s that a run would be refused for", s.Bad("fix"), r.Credential, Ago(r.Checked.At, now), countOf(r.Checked.Against, "thing")))
		case "undated":
			lines = append(lines, "", s.Mind("undated")+" "+r.Credential+": the issuer does not report when it was made; once Rekey has rotated it, that is known")
		case "asks":
			what := "continues when somebody confirms or approves it"
			if r.ByHand != "" {
				what = "waits: " + r.ByHand
			}
			lines = append(lines, "", s.Bad("waits")+" "+r.Credential+": run "+r.Open.Run+" "+what)
		case "lost":
			lines = append(lines, "", s.Bad("lost")+" "+r.Credential+": "+r.Problem)
		}
		for _, t := range r.Strangers {
			lines = append(lines, "", s.Mind("unknown")+" "+r.Credential+": "+t, "  next  rekey discover "+r.Credential)
		}
		if r.Others != nil && r.Others.Found > r.Others.Acknowledged {
			lines = append(lines, "", fmt.Sprintf("%s %s: %s not registered, found %s; look with: rekey discover %s",
				s.Mind("others"), r.Credential, countOf(r.Others.Found-r.Others.Acknowledged, "thing"), Ago(r.Others.At, now), r.Credential))
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// fitted is the table with as many columns as there is room for. Where even those
// that matter do not fit, the command stands under its credential, and then
// everything does.
func fitted(rows []Row, columns []column, s Style) []string {
	for {
		lines := grid(rows, columns, s)
		if s.Width <= 0 || widest(lines) <= s.Width {
			return lines
		}
		drop := -1
		for i, c := range columns {
			if c.optional > 0 && (drop < 0 || c.optional > columns[drop].optional) {
				drop = i
			}
		}
		if drop < 0 {
			break
		}
		columns = slices.Delete(columns, drop, drop+1)
	}
	next, rest := columns[len(columns)-1], columns[:len(columns)-1]
	lines := grid(rows, rest, s)
	if widest(lines) > s.Width {
		lines = []string{}
		for _, r := range rows {
			lines = append(lines, rest[0].cell(r))
			for _, c := range rest[1:] {
				lines = append(lines, fmt.Sprintf("  %s  %s", s.Dim(pad(c.head, 5)), c.cell(r)))
			}
			lines = append(lines, nextUnder(r, next, s)...)
		}
		return lines
	}
	out := lines[:1:1]
	for i, r := range rows {
		out = append(out, lines[i+1])
		out = append(out, nextUnder(r, next, s)...)
	}
	return out
}

func nextUnder(r Row, next column, s Style) []string {
	if command := next.cell(r); command != "" {
		return []string{"  " + s.Dim("next") + "   " + command}
	}
	return nil
}

func widest(lines []string) int {
	n := 0
	for _, l := range lines {
		n = max(n, visible(l))
	}
	return n
}

func grid(rows []Row, columns []column, s Style) []string {
	head := []string{}
	for _, c := range columns {
		head = append(head, s.Dim(c.head))
	}
	lines := [][]string{head}
	for _, r := range rows {
		line := []string{}
		for _, c := range columns {
			line = append(line, c.cell(r))
		}
		lines = append(lines, line)
	}
	return table(lines, 2)
}

func columns(s Style, now time.Time) []column {
	needs := map[string]string{
		"stuck": s.Bad("you"), "revoked": s.Bad("a new one"), "lost": s.Bad("you"), "asks": s.Bad("you"), "open": s.Mind("resuming"), "drift": s.Bad("repair"),
		"overdue": s.Bad("rotation"), "due": s.Mind("rotation soon"), "unready": s.Bad("a fix"), "unknown": s.Mind("a check"), "undated": s.Mind("a rotation"), "": s.Good("nothing"),
	}
	ago := func(t time.Time, never string) string {
		if t.IsZero() {
			return s.Dim(never)
		}
		return Ago(t, now)
	}
	return []column{
		{"credential", 0, func(r Row) string { return s.Bold(r.Credential) }},
		{"needs", 0, func(r Row) string {
			if r.Attention == "open" && r.Working {
				return s.Good("nothing, at work")
			}
			return needs[r.Attention]
		}},
		{"owner", 2, func(r Row) string { return r.Owner }},
		{"issuer", 4, func(r Row) string { return s.Dim(r.Issuer) }},
		{"age", 0, func(r Row) string {
			if r.Made.IsZero() {
				return s.Dim("not known")
			}
			return Span(now.Sub(r.Made))
		}},
		{"rotated", 5, func(r Row) string { return ago(r.Rotated, "never") }},
		{"due", 0, func(r Row) string { return due(r, s, now) }},
		{"validated", 1, func(r Row) string {
			if r.Validated == nil {
				return s.Dim("never")
			}
			return Span(now.Sub(r.Validated.At)) + s.Dim(" by "+r.Validated.How)
		}},
		{"drift", 0, func(r Row) string { return drifted(r.Drift, s, now) }},
		{"last run", 3, func(r Row) string {
			if r.Last == nil {
				return s.Dim("none")
			}
			return fmt.Sprintf("%s %s", r.Last.Run, r.Last.Ending)
		}},
		{"next", 0, func(r Row) string {
			if r.Attention == "" {
				return ""
			}
			return r.Next
		}},
	}
}

func due(r Row, s Style, now time.Time) string {
	if r.Due.At.IsZero() {
		return r.Due.Why
	}
	text := Ago(r.Due.At, now) + s.Dim(" ("+r.Due.Why+")")
	if r.Due.Start.After(r.Due.At) && r.Due.Start.After(now) {
		text += s.Dim(", window " + r.Due.Start.UTC().Format("Mon 2 Jan 15:04Z"))
	}
	return text
}

func drifted(d *Drifted, s Style, now time.Time) string {
	switch {
	case d == nil:
		return s.Dim("–")
	case d.Findings > d.Acknowledged:
		return s.Bad("yes") + s.Dim(" "+Ago(d.At, now))
	case d.Unseen > 0:
		return s.Mind("partly seen") + s.Dim(" "+Ago(d.At, now))
	case d.Acknowledged > 0:
		return s.Mind("acknowledged") + s.Dim(" "+Ago(d.At, now))
	}
	return s.Good("no") + s.Dim(" "+Ago(d.At, now))
}

// Closed tells that no window is open now, and when the next one is.
func Closed(spec sop.Spec, opens, now time.Time) string {
	spec = legible(spec)
	var windows []string
	for _, w := range spec.Windows {
		windows = append(windows, w.String())
	}
	if opens.IsZero() {
		return fmt.Sprintf("%s is rotated in its windows only (%s), and none opens in the next three weeks", spec.Name, strings.Join(windows, "; "))
	}
	return fmt.Sprintf("%s is rotated in its windows only (%s); the next opens %s, at %s",
		spec.Name, strings.Join(windows, "; "), Ago(opens, now), opens.UTC().Format(time.RFC3339))
}
