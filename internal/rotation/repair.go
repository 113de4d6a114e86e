package rotation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/sop"
)

// Repair gives every place that has drifted what the source holds: the store, or
// a consumer that a person names. Nothing is made and nothing is ended.
const Repair = "repair"

// Reasons of a repair.
const (
	NothingToRepair = "nothing-astray" // every place holds what it should
	NoSource        = "no-source"      // what should be given to the others is not complete
)

// compileRepair lays out a repair. What a place holds now may be nowhere else, so
// the first write is the point of no return, and a person confirms it.
func compileRepair(spec sop.Spec, seen Observation, can Capabilities, run string) (Plan, []Refusal) {
	var refusals []Refusal
	refuse := func(code, then, what string, args ...any) {
		refusals = append(refusals, Refusal{Code: code, What: fmt.Sprintf(what, args...), Then: then})
	}
	source := spec.Store.Key
	if spec.Target != "" {
		source = spec.Target
	}
	old, ok := seen.handle(seen.Issuer.Owner)
	switch {
	case !seen.Whole:
		refuse(NoSource, "repair from a place that holds it: rekey repair "+spec.Name+" --from KEY", "%s does not hold all of a credential", source)
	case !ok:
		refuse(NotIssued, "look for a place that holds a live one: rekey drift "+spec.Name, "%s lists no live %s to which what %s holds belongs: it would get one that does not work", spec.Issuer.Vendor, spec.Issuer.Kind, source)
	case old.Expired(seen.Theirs()):
		refuse(Expired, "rekey run "+spec.Name+" --after-revoke", "the credential that %s holds, %s, expired on %s", source, old.Name, old.Expires.UTC().Format(time.DateOnly))
	case old.Disabled:
		refuse(SwitchedOff, "switch it on again, or: rekey run "+spec.Name+" --after-revoke", "the credential that %s holds, %s, is switched off", source, old.Name)
	}
	for _, pl := range spec.Stores() {
		for _, s := range seen.SlotsOf(spec, pl.Key) {
			if s.Problem != "" && wrong(s) {
				refuse(StoreUnwritable, "fix it in the store, or leave the slot out of rekey.yaml", "%s: slot %s: %s", pl.Key, s.Slot, s.Problem)
			}
		}
	}
	for _, c := range seen.Consumers {
		for _, s := range c.Slots {
			if s.Problem != "" && wrong(s) {
				refuse(ConsumerUnwell, "fix it first", "%s: slot %s: %s", c.Key, s.Slot, s.Problem)
			}
		}
	}
	gates(seen, refuse)
	if len(refusals) > 0 {
		return Plan{}, refusals
	}
	p := Plan{Version: PlanVersion, Strategy: Repair, Run: run, Spec: spec, Seen: seen, Old: old}
	p.Seen.Issuer.Live = []cred.Handle{old}
	p.Seen.Admission = AdmissionSeen{Places: seen.Admission.Lost}
	if !p.repair(can, source) {
		return Plan{}, []Refusal{{Code: NothingToRepair, What: "every place holds what " + source + " holds, and every rule that the journal knows names it", Then: "nothing is to be done"}}
	}
	return p, nil
}

// wrong reports whether a slot does not hold what it should.
func wrong(s SlotSeen) bool { return !s.Present || s.Had() != s.Expected }

// repair lays out: taken from the source, proven, written where it is missing,
// rolled out, checked. It returns false if no place has drifted.
func (p *Plan) repair(can Capabilities, source string) bool {
	var b builder
	w := p.Spec.Timing
	take := b.add(Step{Verb: Take, Target: source, Title: "take what " + source + " holds"})
	var written []string
	let := []string{take}
	for _, pl := range p.Seen.Admission.Places {
		admit := b.add(Step{Verb: Admit, Target: pl.Key(), Needs: []string{take}, Ask: true, Final: true,
			Title: fmt.Sprintf("add it again to %s %q", pl.Kind, pl.Name), Call: can.edit(pl),
			Change: fmt.Sprintf("%s: %s %q names %s again", p.Spec.Issuer.Vendor, pl.Kind, pl.Name, p.Old.Name)})
		let, written = append(let, admit), append(written, admit)
	}
	proven := p.validate(&b, let)
	for i, s := range p.Spec.Stores() {
		bad := astraySlots(p.Seen.SlotsOf(p.Spec, s.Key))
		if len(bad) == 0 {
			continue
		}
		step := p.storeStep(can, s, i == 0)
		step.Needs, step.Ask, step.Final = slices.Concat(proven, written), true, true
		step.Change = fmt.Sprintf("%s: %s given the same as the others", s.Key, strings.Join(bad, ", "))
		written = append(written, p.apply(&b, can, s.Key, Step{Needs: []string{b.add(step)}, Ask: true, Final: true}))
		if i == 0 {
			p.Notes = append(p.Notes, "what the store holds now stays readable in its history")
			continue
		}
		p.placeCost(can, s.Key)
		p.overwrites(s.Key, p.Seen.SlotsOf(p.Spec, s.Key))
	}
	stored := slices.Concat(proven, written)
	for i, c := range p.Spec.Consumers {
		bad := astraySlots(p.Seen.Consumers[i].Slots)
		if len(bad) == 0 {
			continue
		}
		propagate := b.add(Step{Verb: Propagate, Target: c.Key, Needs: stored, Ask: true, Final: true,
			Title: fmt.Sprintf("deploy to %s (%s)", c.Key, count(len(c.Slots), "slot")), Call: can.Calls[c.Key],
			Change: fmt.Sprintf("%s: one write; %s changes", c.Key, strings.Join(bad, ", "))})
		propagate = p.apply(&b, can, c.Key, Step{Needs: []string{propagate}, Ask: true, Final: true})
		written = append(written, b.add(Step{Verb: Settle, Target: c.Key, Needs: []string{propagate}, Within: w.Settle,
			Title: p.settles(c.Key)}))
		p.cost(can, p.Seen.Consumers[i])
		p.overwrites(c.Key, p.Seen.Consumers[i].Slots)
		for _, n := range p.Seen.Consumers[i].Notes {
			p.Notes = append(p.Notes, c.Key+": "+n)
		}
	}
	p.checks(&b, written, "at the end")
	p.Steps = b.steps
	return len(written) > 0
}

// overwrites says what a place holds now and will not hold any more. A place that counts
// versions keeps it perhaps; that was not tried.
func (p *Plan) overwrites(key string, slots []SlotSeen) {
	for _, s := range slots {
		kept := " and kept nowhere"
		if s.Version != "" {
			kept = fmt.Sprintf("; it was version %s there", s.Version)
		}
		if s.Present && wrong(s) {
			p.Notes = append(p.Notes, fmt.Sprintf("%s: %s holds %s now, which is overwritten%s", key, s.Slot, s.Fingerprint.Short(), kept))
		}
	}
}

func astraySlots(slots []SlotSeen) []string {
	var out []string
	for _, s := range slots {
		if wrong(s) {
			out = append(out, s.Slot)
		}
	}
	return out
}

// liveRepaired tells what a repair has done so far.
func (s *State) liveRepaired() []string {
	out := []string{fmt.Sprintf("the one in use, %s, is live", s.Plan.Old.Named()) + asSeen(s.Plan.Seen.At)}
	tell := func(key string, slots []SlotSeen, write string) {
		switch {
		case len(astraySlots(slots)) == 0:
		case s.done(write):
			out = append(out, key+" holds it")
		case s.tried(write):
			out = append(out, key+" may hold it, or still what it held")
		default:
			out = append(out, key+" holds what it held")
		}
	}
	for _, pl := range s.Plan.Seen.Admission.Places {
		switch id := stepID(Admit, pl.Key()); {
		case s.done(id):
			out = append(out, fmt.Sprintf("%s %q names it again", pl.Kind, pl.Name))
		case s.tried(id):
			out = append(out, fmt.Sprintf("%s %q may name it again, or still not", pl.Kind, pl.Name))
		default:
			out = append(out, fmt.Sprintf("%s %q does not name it", pl.Kind, pl.Name))
		}
	}
	for _, pl := range s.Plan.Spec.Stores() {
		tell(pl.Key, s.Plan.Seen.SlotsOf(s.Plan.Spec, pl.Key), s.Plan.Writes(pl.Key))
	}
	for _, c := range s.Plan.Seen.Consumers {
		tell(c.Key, c.Slots, stepID(Propagate, c.Key))
	}
	return out
}
