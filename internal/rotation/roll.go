package rotation

import (
	"fmt"
	"slices"
	"strings"
)

// rollWithGrace lays out: a new secret for the same handle, so no rule is
// edited; the old secret lives on by a clock, which is set long, moved later
// while proofs are open, and ended early once they are made.
//
// The clock is the point of no return: a secret that has become the one before
// cannot become the present one again. Going back gives everybody the old secret
// and lets it live on for as long as it may.
func (p *Plan) rollWithGrace(can Capabilities) {
	var b builder
	grace := brief(p.Spec.Issuer.Grace)
	works, ending := "for "+grace+" more", "end the old secret now, before its time"
	if can.Lingers {
		works, ending = "until it is ended", "end the old secret"
	}
	roll := b.add(Step{Verb: Roll, Title: "roll: a new secret, the old one works " + works,
		Call:   strings.ReplaceAll(can.Calls["roll"], "{id}", p.Old.ID),
		Change: fmt.Sprintf("%s: %s gets a new secret", p.Spec.Issuer.Vendor, p.Old.Named())})
	if !can.Lingers {
		b.add(Step{Verb: Extend, Needs: []string{roll}, Recurs: true,
			Title: "extend the old secret's time while proofs are open", Call: strings.ReplaceAll(can.Calls["keep"], "{id}", p.Old.ID)})
	}
	proven := p.prove(&b, can, p.spread(&b, can, p.validate(&b, []string{roll})))
	end := b.add(Step{Verb: Expire, Needs: p.survey(&b, "before it is ended", proven), Ask: true, Final: true,
		Title: ending, Call: strings.ReplaceAll(can.Calls["keep"], "{id}", p.Old.ID),
		Change: fmt.Sprintf("%s: the secret before the present one of %s ends", p.Spec.Issuer.Vendor, p.Old.Name)})
	p.confirm(&b, end)
	p.Steps = b.steps

	var back builder
	returned, after := p.giveBack(&back, can, nil)
	prolonging := "let the old secret live on for as long as it may"
	if can.Lingers { // it does so by itself, and the new one would, too
		prolonging = "end the new secret; the old one lives on"
	}
	prolong := back.add(Step{Verb: Prolong, Undoes: stepID(Roll, ""), Needs: returned, After: after,
		Title: prolonging})
	back.add(Step{Verb: Sweep, Target: "after going back", Needs: []string{prolong}, Strays: true,
		Title: "check again whether the roll happened after all"})
	p.lookBack(&back, stepID(Roll, ""))
	p.Back = back.steps
}

// rollAtOnce lays out: a new secret for the same handle, the old one is dead at
// once. Consumers are down from the roll until they run on it, and there is no
// way back, so the name is asked for before anything else.
func (p *Plan) rollAtOnce(can Capabilities) {
	var b builder
	roll := b.add(Step{Verb: Roll, Title: "roll: a new secret, the old one is dead at once", Needs: p.survey(&b, "before it is rolled", nil), Ask: true, Final: true,
		Call:   strings.ReplaceAll(can.Calls["roll"], "{id}", p.Old.ID),
		Change: fmt.Sprintf("%s: %s gets a new secret; every consumer is down until it runs on the new one", p.Spec.Issuer.Vendor, p.Old.Named())})
	settled := p.spread(&b, can, p.validate(&b, []string{roll}))
	for _, probe := range p.Spec.Validate {
		b.add(Step{Verb: Confirm, Target: probe.URL, Needs: settled, Within: p.Spec.Timing.Confirm,
			Title: "confirm: " + probe.Title() + " denies the old one and accepts the new one"})
	}
	p.running(&b, append(slices.Clone(settled), p.checks(&b, settled, "after the switch")...))
	p.Steps = b.steps
}
