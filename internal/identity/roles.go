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
func roles(id *sop.Identity, who rotation.Who, user string, said claims) []string {
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
func is(who rotation.Who, user string, said claims, w sop.Who) bool {
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

// Refusal says why who may not change a credential; "" if nothing stands against it.
func Refusal(id *sop.Identity, spec sop.Spec, who rotation.Who) (why string, those []string) {
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
	has := "has no role here"
	if len(who.Roles) > 0 {
		has = "has the role " + strings.Join(who.Roles, ", ")
	}
	return fmt.Sprintf("%s is changed by the role %s, and %s %s", spec.Name, spec.Role, who.Name, has), those
}

// Remark tells the reader of a plan by whom it may be run, and what that word is
// worth; "" if no role is required.
func Remark(id *sop.Identity, spec sop.Spec, who rotation.Who) string {
	switch why, _ := Refusal(id, spec, who); {
	case spec.Role == "":
		return ""
	case id == nil:
		return fmt.Sprintf("role %s: self-declared, for rekey.yaml has no identity; whoever runs this, here %s, is believed", spec.Role, who)
	case why != "":
		return "role " + spec.Role + ": " + why + ", so a run would be refused"
	}
	return fmt.Sprintf("role %s: %s has it", spec.Role, who)
}
