package identity

import (
	"strings"

	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Table is what who may do, operation by operation: Can, asked for everything. here: he
// is at the machine that has the files, where reading wants no role and a change wants
// what Refusal says.
func Table(id *sop.Identity, who rotation.Who, specs []sop.Spec, here bool) []sop.Ability {
	can := func(op sop.Op, right sop.Right, spec *sop.Spec) bool {
		why := ""
		switch {
		case here && (right.Name == "look" || right.Name == "ask" || right.Name == "evidence" || op == sop.OpCheckpoint):
		case here && right.Changes && spec != nil:
			why, _ = Refusal(id, op, *spec, who)
		default:
			why, _ = Can(id, who, op, spec)
		}
		return why == ""
	}
	var out []sop.Ability
	for _, right := range sop.Rights() {
		for _, op := range right.Ops {
			a := sop.Ability{Right: right.Name, Op: op, All: true}
			if of(right) {
				known := map[string]bool{} // thousands have one role, and names of one kind
				for i := range specs {
					key := kind(id, who, specs[i])
					may, seen := known[key]
					if !seen {
						may = can(op, right, &specs[i])
						known[key] = may
					}
					if may {
						a.On = append(a.On, specs[i].Name)
					}
				}
				a.All = len(a.On) == len(specs)
				if !right.Changes && right.Name != "approve" && right.Name != "emergency" {
					a.All = a.All && can(op, right, nil)
				}
			} else {
				a.All = can(op, right, nil)
			}
			if a.All {
				a.On = nil
			}
			out = append(out, a)
		}
	}
	return out
}

// of reports whether operations are about credentials.
func of(right sop.Right) bool { return right.Name != "keys" && right.Name != "admin" }

// kind is everything of a credential that Can goes by.
func kind(id *sop.Identity, who rotation.Who, spec sop.Spec) string {
	out := []string{spec.Role}
	mark := func(patterns []string) {
		for _, p := range patterns {
			if matches(spec.Name, p) {
				out = append(out, p)
			}
		}
	}
	mark(who.On)
	if id != nil {
		for _, g := range id.Grants {
			out = append(out, "|")
			mark(g.Credentials)
		}
	}
	return strings.Join(out, "\x00")
}
