package discover

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Entry is a copy as an entry of consumers in rekey.yaml, as it was recognised. What
// could not be told without telling what else a value holds is left to a person, in
// a comment.
func Entry(spec sop.Spec, c rotation.Copy) string {
	var settings map[string]string
	_ = json.Unmarshal(c.Settings, &settings)
	lines := []string{"- vendor: " + quoted(c.Vendor)}
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		lines = append(lines, "  "+k+": "+quoted(settings[k]))
	}
	return strings.Join(lines, "\n") + "\n" + slotLines(spec, c.Slots, "  ")
}

// slotLines are the slots of an entry. A name of the credential is written <name>,
// which stands for all of its names and may be there already, in what all consumers
// have in common.
func slotLines(spec sop.Spec, slots []rotation.CopySlot, indent string) string {
	var told, open []string
	seen := map[string]bool{}
	for _, s := range slots {
		switch {
		case s.How != rotation.HoldsWhole && s.How != rotation.HoldsInside && s.How != rotation.OnlyNames, s.How == rotation.OnlyNames && s.Template == "":
		case s.Template == "":
			open = append(open, indent+"  # "+s.Slot+": beside something else; write its template by hand")
		default:
			name := s.Slot
			for _, n := range append([]string{spec.Name}, spec.Former...) {
				name = strings.ReplaceAll(name, n, "<name>")
			}
			if !seen[name] {
				told = append(told, indent+"  "+quoted(name)+": "+doubly(s.Template))
			}
			seen[name] = true
		}
	}
	return strings.Join(append(append([]string{indent + "slots:"}, told...), open...), "\n") + "\n"
}

// quoted is a text as a YAML scalar; names of apps and config vars stand as they are.
func quoted(s string) string {
	plain := s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	})
	if plain && (s[0] == '_' || s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z') && !slices.Contains(reserved, strings.ToLower(s)) {
		return s
	}
	return doubly(s)
}

// reserved are words that YAML reads as something else than a text.
var reserved = []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}

// doubly quotes: a JSON string is one of YAML too (YAML 1.2.2, §1.2).
func doubly(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s)
	return strings.TrimSuffix(b.String(), "\n")
}
