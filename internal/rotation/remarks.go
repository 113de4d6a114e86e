package rotation

import (
	"fmt"
	"slices"
	"strings"

	"rekey/internal/cred"
)

// remarks fills in what a person should know before the run starts.
func (p *Plan) remarks(can Capabilities) {
	note := func(format string, args ...any) { p.Notes = append(p.Notes, fmt.Sprintf(format, args...)) }

	switch {
	case p.Strategy == Replace && can.Roll == RollWithGrace:
		note("%s can also roll this in place (issuer.strategy: roll): no rule is edited and only the secret changes, but the old secret then ends by a clock that knows nothing of proofs", p.Spec.Issuer.Vendor)
	case p.Strategy == RollWithGrace && can.Lingers:
		note("the old secret works until Rekey ends it, at the end of this run; another roll before that would drop it")
		note("going back gives everybody the old secret again, but cannot make it the present one")
	case p.Strategy == RollWithGrace:
		note("the old secret ends %s after the roll, whether or not anybody was switched; Rekey moves that later as long as it runs, so do not leave this run open for longer", brief(p.Spec.Issuer.Grace))
		note("going back is possible while the old secret lives, but cannot make it the present one again")
	case p.Strategy == RollAtOnce:
		note("there is no overlap and no way back: every consumer is down from the roll until it runs on the new one")
	}

	if p.Strategy == Replace && can.Nameless && !can.OwnScope {
		note("%s shows no name that Rekey chooses, and lists others' beside ours: if the answer to the creation is lost, what it left cannot be told from theirs, and has to be looked for by hand", p.Spec.Issuer.Vendor)
	}
	if p.OfOurs() {
		note("this is the credential with which Rekey reaches %s: once the new one is proven and in the store, Rekey goes on with that, and the old one is revoked with the new one", p.Spec.Issuer.Vendor)
		note("whatever vendors.%s names still holds the old one afterwards, unless it is a slot of this credential: change it before the next run", p.Spec.Issuer.Vendor)
	}
	if len(p.Seen.Admission.Places) == 0 && p.Strategy == Replace && can.Admits {
		switch {
		case len(p.Seen.Admission.Everyone) > 0:
			note("no rule names the old one; %q accepts any valid token, so no rule is edited", p.Seen.Admission.Everyone[0].Name)
		default:
			note("no rule names the old one, so no rule is edited; whether the new one is accepted will show when it is validated")
		}
	}
	for _, s := range p.Seen.Store.Slots {
		if !s.Present {
			note("%s has no slot %s yet: it will be made", p.Spec.Store.Key, s.Slot)
		}
	}
	for _, f := range p.Seen.Further {
		p.placeRemarks(can, f.Key, f.Slots, "so whether it holds the new one is unproven")
		p.piecewise(can, f.Key, f.Slots)
		p.placeCost(can, f.Key)
	}
	for _, c := range p.Seen.Consumers {
		p.placeRemarks(can, c.Key, c.Slots, "so only what uses it can prove that it holds the new one")
		for _, n := range c.Notes {
			note("%s: %s", c.Key, n)
		}
		p.piecewise(can, c.Key, c.Slots)
		p.cost(can, c)
	}
	p.others(note)
	for _, h := range p.Seen.Issuer.Live {
		switch {
		case slices.ContainsFunc(p.Seen.Strangers, func(s cred.Handle) bool { return s.ID == h.ID }):
			note("%s; Rekey leaves it alone", Stranger(p.Spec, h))
		case h.ID != p.Old.ID:
			note("%s also lists %q (%s), which bears our name and is not in use; Rekey leaves it alone", p.Spec.Issuer.Vendor, h.Name, h.ID)
		}
	}
	p.Notes = append(p.Notes, p.Seen.Advice...)
	if p.Spec.Role != "" {
		note("required role: %s", p.Spec.Role)
	}
}

// cost tells what a write to a consumer costs, in its vendor's words.
func (p *Plan) cost(can Capabilities, c ConsumerSeen) {
	cost := "1 release and 1 restart of " + processes(c.Units)
	switch how := can.Places[c.Key]; {
	case how.Cost != "":
		cost = how.Cost
	case c.Mark == "":
		cost = "no release and no restart"
	}
	p.Costs = append(p.Costs, fmt.Sprintf("%s: 1 write, so %s", c.Key, cost))
}

// placeCost tells what a write to a store that follows costs, where it costs something.
func (p *Plan) placeCost(can Capabilities, key string) {
	if cost := can.Places[key].Cost; cost != "" {
		p.Costs = append(p.Costs, fmt.Sprintf("%s: 1 write, so %s", key, cost))
	}
}

func inSlots(slots []string) string {
	if len(slots) == 0 {
		return ""
	}
	return " in " + strings.Join(slots, ", ")
}

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return fmt.Sprintf("%d processes", n)
}
