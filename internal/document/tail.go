package document

import (
	"slices"
	"strings"

	"rekey/internal/byhand"
)

// references are the vendors' own pages.
func (b *builder) references() {
	var items []item
	var seen []string
	for _, r := range b.recipes() {
		for _, l := range r.Links {
			if !slices.Contains(seen, l.URL) {
				seen = append(seen, l.URL)
				items = append(items, item{text: say(r.Title+": ", link(l.Label, l.URL))})
			}
		}
	}
	if len(items) > 0 {
		b.add(title(2, "Vendor doc references"), block{kind: list, items: items})
	}
}

// gotchas are the vendors' "Worth knowing", as far as it applies here.
func (b *builder) gotchas() {
	b.add(title(2, "Known gotchas"))
	var order []string
	points := map[string][]string{}
	for _, r := range b.recipes() {
		if !slices.Contains(order, r.Title) {
			order = append(order, r.Title)
		}
		for _, p := range worth(r) {
			if !slices.Contains(points[r.Title], p) {
				points[r.Title] = append(points[r.Title], p)
			}
		}
	}
	for _, vendor := range order {
		var items []item
		for _, p := range points[vendor] {
			items = append(items, item{text: markdown(p)})
		}
		if len(items) > 0 {
			b.add(title(3, vendor), block{kind: list, items: items})
		}
	}
}

// worth reads the points of a vendor's page under "Worth knowing" that apply.
func worth(r byhand.Recipe) []string {
	_, text, found := strings.Cut(r.Doc, "\n## Worth knowing\n")
	if !found {
		return nil
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var out []string
	section, open := "", false
	for _, line := range strings.Split(text, "\n") {
		name, begins := strings.CutPrefix(line, "### ")
		point, bullet := strings.CutPrefix(line, "- ")
		switch {
		case begins:
			section, open = name, false
		case bullet && slices.Contains(r.Sections, section):
			out, open = append(out, point), true
		case open && strings.HasPrefix(line, "  "):
			out[len(out)-1] += " " + strings.TrimSpace(line)
		default:
			open = false
		}
	}
	return out
}

// record is what a finished run leaves behind, as far as the journal tells.
func (b *builder) record() {
	b.add(title(2, "Audit record"), paragraph("Every run leaves its record (", mono("secret.rotate.completed"), ": actor, secret name, old and new token id, method) in a journal in which no entry can be changed unseen: ",
		mono("rekey log"), ", ", mono("rekey verify"), "."))
	if b.row == nil {
		return
	}
	last := b.row.Last
	if last == nil {
		b.add(now("No run of this credential has ended yet."))
		return
	}
	b.add(now("The last run, ", mono(last.Run), ", ended ", bold(string(last.Ending)), " at "+stamp(last.Closed)+"; everything about it: ", mono("rekey log "+last.Run), "."))
}
