package identity

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// roles lists the roles that rekey.yaml gives to who, sorted.
func roles(id *sop.Identity, who rotation.Who, user string, said Claims) []string {
	var out []string
	if id == nil {
		return nil
	}
	for role, list := range id.Roles {
		if slices.ContainsFunc(list, func(w sop.Who) bool { return is(who, user, said, w) }) {
			out = append(out, role)
		}
	}
	sort.Strings(out)
	return out
}

// is reports whether who is meant by w: everything that w says has to be so. A
// token's claims are never matched by what is only declared, nor the other way
// round.
func is(who rotation.Who, user string, said Claims, w sop.Who) bool {
	asked := 0
	for claim, want := range w.Claims {
		if !who.Verified || !slices.ContainsFunc(said[claim], func(v string) bool { return matches(v, want) }) {
			return false
		}
		asked++
	}
	if w.User != "" {
		login, _, _ := strings.Cut(user, "@")
		if who.Verified || user == "" || !matches(user, w.User) && login != w.User {
			return false
		}
		asked++
	}
	if w.Name != "" {
		if who.How != byName || !matches(who.Name, w.Name) {
			return false
		}
		asked++
	}
	if w.Token != "" {
		if !who.Verified || who.How != byToken || !matches(who.Name, w.Token) {
			return false
		}
		asked++
	}
	return asked > 0
}

// matches: what is empty was not said, and means nobody.
func matches(value, pattern string) bool {
	if value == "" || pattern == "" {
		return false
	}
	if fixed, open := strings.CutSuffix(pattern, "*"); open {
		return strings.HasPrefix(value, fixed)
	}
	return value == pattern
}

// Refusal says why who may not do something that changes a credential; "" if nothing
// stands against it. What it wants is the credential's role and, where rekey.yaml says
// what roles may do, that one of his may; reading wants nothing on one's own machine.
func Refusal(id *sop.Identity, op sop.Op, spec sop.Spec, who rotation.Who) (why string, those []string) {
	if why, those = lacking(id, spec, who); why != "" {
		return why, those
	}
	if id == nil || len(id.Grants) == 0 && len(who.Only) == 0 && len(who.On) == 0 {
		return "", nil
	}
	if right := sop.RightOf(op); right != nil && right.Changes {
		return Can(id, who, op, &spec)
	}
	return Can(id, who, op, nil)
}

// lacking says why who has not the role that a credential names; "" if he has.
func lacking(id *sop.Identity, spec sop.Spec, who rotation.Who) (why string, those []string) {
	if id == nil || spec.Role == "" || slices.Contains(who.Roles, spec.Role) {
		return "", nil
	}
	for _, w := range id.Roles[spec.Role] {
		text := w.String()
		for _, claim := range slices.Sorted(maps.Keys(w.Claims)) {
			if who.Verified && who.Claims[claim] == "" {
				text += " (the token says nothing of " + claim + ")"
			}
		}
		those = append(those, text)
	}
	return fmt.Sprintf("%s is changed by the role %s, and %s %s", spec.Name, spec.Role, who.Name, has(who)), those
}

// has says which roles somebody has.
func has(who rotation.Who) string {
	if len(who.Roles) > 0 {
		return "has the role " + strings.Join(who.Roles, ", ")
	}
	return "has no role here"
}

// Remark tells the reader of a plan by whom it may be run, and what that word is
// worth; "" if no role is required.
func Remark(id *sop.Identity, spec sop.Spec, who rotation.Who) string {
	switch why, _ := Refusal(id, sop.OpOf(spec.Purpose), spec, who); {
	case spec.Role == "":
		return ""
	case id == nil:
		return fmt.Sprintf("role %s: self-declared, for rekey.yaml has no identity; whoever runs this, here %s, is trusted", spec.Role, who)
	case why != "":
		return "role " + spec.Role + ": " + why + ", so a run would be refused"
	}
	return fmt.Sprintf("role %s: %s has it", spec.Role, who)
}
