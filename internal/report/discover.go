package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rekey/internal/discover"
)

// Discovered is what nobody registered about one credential, as the journal keeps it.
type Discovered struct {
	Credential string             `json:"credential"`
	At         time.Time          `json:"at"`
	Findings   []discover.Finding `json:"findings"`
	Rules      []discover.Rule    `json:"rules"`
}

// discoverWidth is how wide the text is where the terminal does not tell: a finding
// is a sentence, and is read.
const discoverWidth = 80

// Discover tells what nobody registered, the worst first, and which rules accept each
// credential. findings are in that order already.
func Discover(all []Discovered, findings []discover.Finding, s Style) string {
	all, findings = legible(all), legible(findings)
	width := discoverWidth
	if s.Width > 0 {
		width = min(width, s.Width)
	}
	var out []string
	heads := []string{} // credentials in the order of their worst finding, "" for none
	for _, f := range findings {
		if !slices.Contains(heads, f.Credential) {
			heads = append(heads, f.Credential)
		}
	}
	for _, head := range heads {
		title := head
		if head == "" {
			title = "of no credential"
		}
		out = append(out, s.Bold(title))
		for _, f := range findings {
			if f.Credential == head {
				out = append(out, told(f, s, width)...)
			}
		}
		out = append(out, "")
	}
	out = append(out, rules(all, s, width)...)
	out = append(out, wrapped(discoverSum(len(all), findings), width, "", "")...)
	return strings.Join(out, "\n") + "\n"
}

// told is one finding.
func told(f discover.Finding, s Style, width int) []string {
	mark := s.Bad("✗")
	switch {
	case f.Kind == discover.Named:
		mark = s.Dim("·")
	case !f.Counts():
		mark = s.Mind("?")
	}
	out := wrapped(f.What, width, "  "+mark+" ", "    ")
	out = append(out, "    "+s.Dim("rekey explain "+string(f.Kind)))
	if strings.HasPrefix(f.Next, "rekey ") {
		out = append(out, "    "+s.Dim("next")+"  "+f.Next) // to be pasted: never broken
	} else {
		out = append(out, wrapped(f.Next, width, "    "+s.Dim("next")+"  ", "          ")...)
	}
	if f.YAML == "" {
		return out
	}
	out = append(out, "    "+s.Dim("# "+f.Under))
	for line := range strings.Lines(f.YAML) {
		out = append(out, "      "+s.Name(strings.TrimSuffix(line, "\n")))
	}
	return out
}

var how = map[string]string{
	discover.Admits:  "accepts it",
	discover.Mention: "names it, and does not accept it",
	discover.Anyone:  "accepts any valid credential",
}

// rules of every credential; those that accept any token are said once for all.
func rules(all []Discovered, s Style, width int) []string {
	var rows [][]string
	anyone := map[string]bool{}
	var open [][]string
	for _, d := range all {
		name := s.Bold(d.Credential)
		for _, r := range d.Rules {
			row := []string{name, fmt.Sprintf("%s %q", r.Kind, r.Name), how[r.How]}
			if r.Gates > 0 {
				row[2] += s.Dim(", " + countOf(r.Gates, "application"))
			}
			if r.How == discover.Anyone {
				if key := r.Kind + "\x00" + r.Name + r.Scope; !anyone[key] {
					anyone[key] = true
					row[0] = s.Dim("anybody")
					open = append(open, row)
				}
				continue
			}
			rows = append(rows, row)
			name = ""
		}
	}
	if rows = append(rows, open...); len(rows) == 0 {
		return nil
	}
	lines := indent(table(rows, 2), "  ")
	if widest(lines) > width { // one below the other
		lines = nil
		for _, r := range rows {
			if r[0] != "" {
				lines = append(lines, "  "+r[0])
			}
			lines = append(lines, wrapped(r[1]+" "+r[2], width, "    ", "      ")...)
		}
	}
	return append(append([]string{s.Bold("Rules")}, lines...), "")
}

func discoverSum(all int, findings []discover.Finding) string {
	counts := map[discover.Kind]int{}
	for _, f := range findings {
		counts[f.Kind]++
	}
	var parts []string
	for _, k := range []struct {
		kind      discover.Kind
		one, many string
	}{
		{discover.Unregistered, "unregistered consumer", "unregistered consumers"}, {discover.StoredCopy, "copy in a store", "copies in a store"},
		{discover.Earlier, "copy of an earlier one", "copies of an earlier one"}, {discover.Orphan, "orphan", "orphans"},
		{discover.Unclaimed, "unclaimed at an issuer", "unclaimed at an issuer"}, {discover.NotSeen, "thing not seen", "things not seen"},
		{discover.Named, "place that names one", "places that name one"},
	} {
		switch n := counts[k.kind]; {
		case n == 1:
			parts = append(parts, "1 "+k.one)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", n, k.many))
		}
	}
	if len(parts) == 0 {
		return countOf(all, "credential") + ": nobody unregistered holds one; nothing was touched."
	}
	return countOf(all, "credential") + ": " + strings.Join(parts, ", ") + "; nothing was touched."
}

// wrapped breaks a text at spaces; no line is wider than width unless a word is.
func wrapped(text string, width int, first, rest string) []string {
	var out []string
	line, begun := first, false
	for _, word := range strings.Fields(text) {
		if begun && visible(line)+1+visible(word) > width {
			out, line, begun = append(out, line), rest, false
		}
		if begun {
			line += " "
		}
		line, begun = line+word, true
	}
	return append(out, line)
}
