// Package claims holds what a driver says of itself against what its code can do, in both directions.
//
// A plan is made by the sheet: a claim that the code cannot keep would be met in the
// middle of a run, and what the code can do and the sheet does not say is never used.
package claims

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"rekey/internal/provider"
	"rekey/internal/rotation"
)

// wrong collects where sheet and code disagree.
type wrong []string

// same notes a claim that the code does not keep, and an ability that is not claimed.
func (w *wrong) same(claimed, can bool, what string) {
	switch {
	case claimed && !can:
		*w = append(*w, "the sheet says that it can "+what+", and the code cannot")
	case can && !claimed:
		*w = append(*w, "the code can "+what+", and the sheet does not say so")
	}
}

// needs notes what has to be so.
func (w *wrong) needs(ok bool, otherwise string) {
	if !ok {
		*w = append(*w, otherwise)
	}
}

func (w wrong) err(vendor, what string) error {
	if len(w) == 0 {
		return nil
	}
	return fmt.Errorf("vendor %s: a mistake in its driver: %s: %s", vendor, what, strings.Join(w, "; "))
}

// Vendor checks which roles a driver plays: v is what Descriptor.Open returned.
func Vendor(d provider.Descriptor, v provider.Vendor) error {
	var w wrong
	_, issues := v.(provider.Issues)
	_, stores := v.(provider.Stores)
	_, consumes := v.(provider.Consumes)
	w.same(len(d.Issuers) > 0, issues, "issue credentials")
	w.same(d.Store != nil, stores, "be a store")
	w.same(d.Consumer != nil, consumes, "be a consumer")
	_, queries := v.(provider.Queries)
	w.same(d.Queries, queries, "answer a query of a check")
	_, refers := v.(provider.Refers)
	w.same(d.Refers.Form != "", refers, "be asked for a value by a reference")
	_, err := regexp.Compile(d.Refers.Pattern)
	w.needs(err == nil, "the pattern of its references is not a regular expression")
	w.needs(d.Store == nil || d.StoreID != "", "nothing tells one store of it from another (StoreID)")
	w.needs(d.Consumer == nil || len(d.ConsumerID) > 0, "nothing tells one consumer of it from another (ConsumerID)")
	return w.err(d.Name, "its descriptor")
}

// Issuer checks a capability sheet against what plays its role.
func Issuer(vendor string, s provider.Sheet, issuer provider.Issuer) error {
	var w wrong
	_, rolls := issuer.(provider.Roller)
	_, switches := issuer.(provider.Switcher)
	_, admits := issuer.(provider.Admitter)
	_, proves := issuer.(provider.Prober)
	_, makes := issuer.(provider.Maker)
	_, makesRolls := issuer.(provider.RollMaker)
	w.same(s.Roll != "", rolls || makesRolls, "roll it in place")
	w.same(s.Disable, switches, "switch it off")
	w.same(s.Admits, admits, "edit the rules that name it")
	w.needs(!s.Verifies || proves, "the sheet says that it can tell by itself whether it works, and the code cannot")
	w.needs(slices.Contains([]string{"", rotation.RollWithGrace, rotation.RollAtOnce}, s.Roll), "the sheet says that it can roll it by way of "+s.Roll+", and there is no such way")
	w.needs(!makes || s.Roll == "" || makesRolls, "we make its secrets, and the code cannot roll it in place to one that we make")
	w.needs(s.Create || s.Roll != "", "nothing can renew it in any way")
	w.needs(s.Roll == rotation.RollWithGrace || s.GraceMax == 0 && !s.Lingers, "it has a bound or no end of a grace, and no grace")
	w.needs(s.Label || s.NameMax == 0 && s.NameChars == "", "it has rules for a name that it does not show")
	w.needs(s.MaxLive == 0 || s.MaxLive > 1 || !s.Create, "a second one can be made, and at most one may live")
	_, err := regexp.Compile("[" + s.NameChars + "]")
	w.needs(s.NameChars == "" || err == nil, "its name characters are not the inside of a class of a regular expression")
	w.needs(s.Kind != "", "it has no kind")
	w.needs(len(s.Fields) > 0, "the sheet does not say what it consists of")
	fields := append(slices.Clone(s.Fields), s.Optional...)
	for _, f := range s.Public {
		w.needs(slices.Contains(fields, f), "its field "+f+" is public, and it has no such field")
	}
	for i, f := range fields {
		w.needs(!slices.Contains(fields[:i], f), "it names its field "+f+" twice")
	}
	return w.err(vendor, "a "+s.Kind)
}

// Holding checks how values are held against what holds them: a store or a consumer.
func Holding(vendor, role string, h provider.Holding, holder any) error {
	var w wrong
	_, applies := holder.(provider.Applier)
	w.same(h.Applied, applies, "apply what was written as a step of its own")
	return w.err(vendor, "as a "+role)
}
