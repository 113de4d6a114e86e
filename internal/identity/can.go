package identity

import (
	"fmt"
	"slices"
	"strings"

	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Can says why who may not ask for an operation, and who may; "" if nothing stands
// against it. spec is the credential that it is about; nil: all of them, or none. It is
// the one place where that is decided for everybody who comes over a network, and the
// table that `rekey whoami --can` prints.
//
// Everything has to be so: the token of Rekey's own that somebody comes with is for this
// operation and this credential; a role of his may do it (Grants; without any for that
// role: look, ask and read evidence of all, and change, revoke and approve what names
// that role; but nothing without the credential's role); and to change a credential he has the role that it names. Where rekey.yaml
// has no identity, whoever is there is believed.
func Can(id *sop.Identity, who rotation.Who, op sop.Op, spec *sop.Spec) (why string, those []string) {
	about := ""
	if spec != nil {
		about = " " + spec.Name
	}
	switch {
	case op == sop.OpWhoami:
		return "", nil
	case len(who.Only) > 0 && !means(who.Only, op):
		return fmt.Sprintf("the token %s is for %s, not for %s", who.Name, strings.Join(who.Only, ", "), op), nil
	case len(who.On) > 0 && (spec == nil || !covers(who.On, spec.Name)):
		return fmt.Sprintf("the token %s is for %s, not for%s", who.Name, strings.Join(who.On, ", "), orAll(about)), nil
	case id == nil:
		return "", nil
	case len(who.Roles) == 0 || !slices.ContainsFunc(who.Roles, func(role string) bool { return granted(id, role, op, spec) }):
		for role := range id.Roles {
			if granted(id, role, op, spec) {
				those = append(those, "role "+role)
			}
		}
		slices.Sort(those)
		return fmt.Sprintf("%s%s is for another role, and %s %s", op, about, who.Name, has(who)), those
	}
	if right := sop.RightOf(op); right != nil && right.Changes && spec != nil {
		return lacking(id, *spec, who)
	}
	return "", nil
}

// granted reports whether a role may do something to a credential, or, with none, to all.
func granted(id *sop.Identity, role string, op sop.Op, spec *sop.Spec) bool {
	said := false
	for _, g := range id.Grants {
		if g.Role != role {
			continue
		}
		said = true
		if means(g.May, op) && (len(g.Credentials) == 0 || spec != nil && covers(g.Credentials, spec.Name)) {
			return true
		}
	}
	if said {
		return false
	}
	switch right := sop.RightOf(op); {
	case right == nil:
		return false
	case right.Name == "look", right.Name == "ask", right.Name == "evidence":
		return true
	case right.Name == "approve" && spec != nil && spec.Approvals != nil && spec.Approvals.Role == role:
		return true
	case right.Changes, right.Name == "approve":
		return spec != nil && spec.Role == role
	}
	return false
}

// means reports whether one of these words stands for an operation.
func means(words []string, op sop.Op) bool {
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(sop.Means(w), op) })
}

func covers(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(name, p) })
}

// anything stands in a name for whatever a pattern leaves open: no name and no pattern has it.
const anything = "\x00"

// Families are names that stand for all that a pattern matches, whether that is there yet
// or not: one for each pattern of the grants, and of these. What Can allows on one of them
// it allows on all that the pattern matches.
func Families(id *sop.Identity, patterns ...string) (out []sop.Spec) {
	if id != nil {
		for _, g := range id.Grants {
			patterns = append(slices.Clone(patterns), g.Credentials...)
		}
	}
	for _, p := range patterns {
		if fixed, open := strings.CutSuffix(p, "*"); open {
			p = fixed + anything
		}
		out = append(out, sop.Spec{Name: p})
	}
	return out
}

// Pattern is what a name of Families stands for; of any other, the name.
func Pattern(name string) string { return strings.ReplaceAll(name, anything, "*") }

func orAll(about string) string {
	if about == "" {
		return " all credentials"
	}
	return about
}
