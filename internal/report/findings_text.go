package report

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// FindingsText tells findings, by credential; those that somebody lets be are counted, and
// shown where all are wanted.
func FindingsText(found []Finding, all bool, s Style, now time.Time) string {
	found = legible(found)
	width := discoverWidth
	if s.Width > 0 {
		width = min(width, s.Width)
	}
	letBe := 0
	var out, heads []string
	of := map[string][]Finding{}
	for _, f := range found {
		if f.Acknowledged != nil {
			letBe++
		}
		if f.Acknowledged != nil && !all {
			continue
		}
		if !slices.Contains(heads, f.Credential) {
			heads = append(heads, f.Credential)
		}
		of[f.Credential] = append(of[f.Credential], f)
	}
	for _, head := range heads {
		title := head
		if title == "" {
			title = "of no credential"
		}
		out = append(out, s.Bold(title))
		for _, f := range of[head] {
			out = append(out, findingLines(f, s, width, now)...)
		}
		out = append(out, "")
	}
	sum := countOf(len(found)-letBe, "finding") + " that nobody has acknowledged"
	if len(found) == letBe {
		sum = "No finding is open"
	}
	if letBe > 0 {
		sum += fmt.Sprintf("; %s acknowledged", countOf(letBe, "finding"))
		if !all {
			sum += " (rekey findings --all)"
		}
	}
	return strings.Join(append(out, sum), "\n") + "\n"
}

func findingLines(f Finding, s Style, width int, now time.Time) []string {
	mark := s.Bad("✗")
	switch {
	case f.Acknowledged != nil:
		mark = s.Dim("–")
	case !f.Counts:
		mark = s.Mind("?")
	}
	out := wrapped(f.What, width, "  "+mark+" ", "    ")
	out = append(out, fmt.Sprintf("    %s", s.Dim(fmt.Sprintf("%s  found %s, by a look (%s)", f.ID, Ago(f.At, now), f.Look))))
	if k := f.Acknowledged; k != nil {
		return append(out, wrapped(fmt.Sprintf("acknowledged by %s until %s: %s", k.By.Name, k.Until.UTC().Format("2006-01-02 15:04Z"), k.Reason), width, "    ", "      ")...)
	}
	if strings.HasPrefix(f.Next, "rekey ") {
		out = append(out, "    "+s.Dim("next")+"  "+f.Next) // to be pasted: never broken
	} else {
		out = append(out, wrapped(f.Next, width, "    "+s.Dim("next")+"  ", "          ")...)
	}
	return append(out, "    "+s.Dim("or  ")+"  rekey acknowledge "+f.ID+" --reason WHY --until 30d")
}
