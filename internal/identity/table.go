package identity

import (
	"slices"
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
	// Thousands have one role, and names of one kind: one of each is asked about.
	var one []*sop.Spec
	of, known := make([]int, len(specs)), map[string]int{}
	for i := range specs {
		key := kind(id, who, specs[i])
		n, seen := known[key]
		if !seen {
			n = len(one)
			known[key], one = n, append(one, &specs[i])
		}
		of[i] = n
	}
	var out []sop.Ability
	may := make([]bool, len(one))
	for _, right := range sop.Rights() {
		for _, op := range right.Ops {
			a := sop.Ability{Right: right.Name, Op: op, All: true}
			if ofCredentials(right) {
				for n, spec := range one {
					may[n] = can(op, right, spec)
					a.All = a.All && may[n]
				}
				if !right.Changes && right.Name != "approve" && right.Name != "emergency" {
					a.All = a.All && can(op, right, nil)
				}
				for i := range specs {
					if !a.All && may[of[i]] {
						a.On = append(a.On, specs[i].Name)
					}
				}
			} else {
				a.All = can(op, right, nil)
				for _, f := range Families(id, who.On...) {
					if op == sop.OpTokens && can(op, right, &f) && !slices.Contains(a.On, Pattern(f.Name)) {
						a.On = append(a.On, Pattern(f.Name))
					}
				}
			}
			if a.All {
				a.On = nil
			}
			out = append(out, a)
		}
	}
	return out
}

// ofCredentials reports whether operations are about credentials.
func ofCredentials(right sop.Right) bool { return right.Name != "keys" && right.Name != "admin" }

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
