package document

import (
	"fmt"
	"strings"
)

// Stable leaves out of a rendered page what changes with time and history: every
// line that carries the marker, outside of code. What is left is determined by
// the configuration (and by the version of Rekey) alone.
func Stable(page string) []string {
	var out []string
	fence := ""
	// In HTML every < of the configuration is escaped, and backticks fence nothing.
	isHTML := strings.HasPrefix(page, "<!doctype html>")
	for _, line := range strings.Split(strings.ReplaceAll(page, "\r\n", "\n"), "\n") {
		switch {
		case isHTML:
		case fence == "" && strings.HasPrefix(line, "```"):
			fence = line[:len(line)-len(strings.TrimLeft(line, "`"))]
		case fence != "" && line == fence:
			fence = ""
		}
		if fence == "" && strings.Contains(line, Marker) {
			continue
		}
		if fence == "" && line == "" && (len(out) == 0 || out[len(out)-1] == "") {
			continue // the space around what was left out
		}
		out = append(out, line)
	}
	for len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}

// maxLines that a difference shows.
const maxLines = 40

// Differ compares a committed copy with the page as it is now, in what the
// configuration determines; "" if they say the same. Lines of the copy begin
// with -, lines that belong there with +.
func Differ(committed, fresh []byte) string {
	a, b := Stable(string(committed)), Stable(string(fresh))
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	endA, endB := len(a), len(b)
	for endA > start && endB > start && a[endA-1] == b[endB-1] {
		endA, endB = endA-1, endB-1
	}
	lines := diff(a[start:endA], b[start:endB])
	if len(lines) == 0 {
		return ""
	}
	more := ""
	if len(lines) > maxLines {
		more = fmt.Sprintf("… and %d more lines\n", len(lines)-maxLines)
		lines = lines[:maxLines]
	}
	return strings.Join(lines, "\n") + "\n" + more
}

// diff is the longest common subsequence's, with the place where each change
// begins, said by the last line before it that both have.
func diff(a, b []string) []string {
	same := make([][]int, len(a)+1)
	for i := range same {
		same[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				same[i][j] = same[i+1][j+1] + 1
			} else {
				same[i][j] = max(same[i+1][j], same[i][j+1])
			}
		}
	}
	var out []string
	last, told := "", true
	place := func() {
		if !told && last != "" {
			out = append(out, "  "+last)
		}
		told = true
	}
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			if a[i] != "" {
				last, told = a[i], false
			}
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || same[i+1][j] >= same[i][j+1]):
			place()
			out = append(out, "- "+a[i])
			i++
		default:
			place()
			out = append(out, "+ "+b[j])
			j++
		}
	}
	return out
}
