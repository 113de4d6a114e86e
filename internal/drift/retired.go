package drift

import (
	"fmt"
	"slices"
	"strings"

	"rekey/internal/sop"
)

// Retired puts right what is said of slots that are missing because a run took
// their former name away: not the places disagree then, but rekey.yaml is behind.
// where tells the line that still has the name, by name.
func Retired(spec sop.Spec, findings []Finding, where map[string]string) []Finding {
	of := map[string]string{} // former name, by place and slot
	for _, p := range spec.Places() {
		for _, s := range p.Slots {
			of[p.Key+"\x00"+s.Name] = s.For
		}
	}
	var out []Finding
	gone := map[string]bool{}
	for _, f := range findings {
		if f.Kind != Missing {
			out = append(out, f)
			continue
		}
		left := slices.DeleteFunc(slices.Clone(f.Slots), func(slot string) bool {
			name := of[f.Where+"\x00"+slot]
			if where[name] != "" {
				gone[name] = true
			}
			return where[name] != ""
		})
		if len(left) > 0 {
			f.Slots, f.What = left, fmt.Sprintf("%s has no %s", f.Where, strings.Join(left, ", "))
			out = append(out, f)
		}
	}
	for _, name := range spec.Former {
		if gone[name] {
			out = append(out, Finding{Kind: NameRetired, What: fmt.Sprintf("%s still has the former name %s, which was retired: the next rotation would write it again", where[name], name),
				Repair: "take it out of former at " + where[name]})
		}
	}
	return out
}
