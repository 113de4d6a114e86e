package drift

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/rotation"
)

// rules: is the generation in use still accepted wherever the journal knows that it
// was, and is anything else of ours named that has ended?
func (c *comparison) rules() {
	if c.seen.Admission.Places == nil || c.seen.Issuer.Live == nil {
		return // nothing decides who gets in, or it is told as not seen
	}
	if h, ok := c.live(c.seen.Issuer.Owner); ok {
		lost, shut := rotation.Lost(c.seen.Admission.Places, h, c.past)
		for _, p := range lost {
			c.add(RuleLost, p.Key(), nil, c.repair(), "%s no longer names %s, and accepted it before", rule(p), h.Name)
		}
		if shut {
			c.add(RuleShut, "", nil, "name it in a rule again by hand, then: rekey check "+c.spec.Name,
				"no rule of %s is left that accepts %s: those that did are gone", c.spec.Issuer.Vendor, h.Name)
		}
	}
	strays := rotation.Strays(c.seen.Admission.Places, c.seen.Issuer.Live, c.past)
	for _, p := range c.seen.Admission.Places {
		var ended []string
		for _, g := range strays[p.Key()] {
			ended = append(ended, name(g))
		}
		if sort.Strings(ended); len(ended) > 0 {
			c.add(RuleStray, p.Key(), nil, "remove it there by hand: it no longer has any effect", "%s names %s", rule(p), strings.Join(ended, "; "))
		}
	}
}

// Unlisted reports whether a rule names what the issuer does not list: whether that is
// a generation which has ended only the whole past tells.
func Unlisted(seen rotation.Observation) bool {
	for _, p := range seen.Admission.Places {
		for _, name := range p.Names {
			one := cred.Place{Names: []string{name}}
			if !slices.ContainsFunc(seen.Issuer.Live, one.NamesAny) {
				return true
			}
		}
	}
	return false
}

func rule(p cred.Place) string { return fmt.Sprintf("%s %q", p.Kind, p.Name) }
