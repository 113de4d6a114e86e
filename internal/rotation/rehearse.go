package rotation

import (
	"fmt"
	"slices"
	"strings"

	"rekey/internal/sop"
)

// Rehearse practises the procedure on a throwaway credential and takes everything
// away again.
const Rehearse = "rehearse"

// compileRehearsal lays out a rehearsal. The spec's store and places are those of
// the rehearsal; the consumers were asked and are not written.
func compileRehearsal(spec sop.Spec, seen Observation, can Capabilities, run string) (Plan, []Refusal) {
	var refusals []Refusal
	refuse := func(code, then, what string, args ...any) {
		refusals = append(refusals, Refusal{Code: code, What: fmt.Sprintf(what, args...), Then: then})
	}
	for _, pl := range spec.Stores() {
		for _, s := range seen.SlotsOf(spec, pl.Key) {
			if s.Present {
				refuse(StoreUnwritable, "empty the folder, or give rehearse.store another", "%s is not empty: it holds %s", pl.Key, s.Slot)
			}
		}
	}
	if !can.Create {
		refuse(NoStrategy, "rehearse by hand", "%s %s cannot make a second credential, so there is nothing to throw away", spec.Issuer.Vendor, spec.Issuer.Kind)
	}
	gates(seen, refuse)
	for _, h := range seen.Issuer.Live {
		if g := attemptOf(h, run); g > 0 && (g > seen.Lost || len(refusals) > 0) {
			refuse(RunTaken, "delete it at the issuer", "%s lists %q, which bears the label of this rehearsal, and the journal does not know it", spec.Issuer.Vendor, h.Name)
		}
	}
	if len(refusals) > 0 {
		return Plan{}, refusals
	}
	p := Plan{Version: PlanVersion, Strategy: Rehearse, Run: run, Spec: spec, Seen: seen, NewName: NewName(spec, seen.At, run)}
	p.Seen.Issuer.Live, p.Seen.Admission = nil, AdmissionSeen{}
	if can.Nameless && can.OwnScope {
		p.Seen.Issuer.Live = seen.Issuer.Live // the throwaway is what is not among them
	}
	p.rehearse(can)
	if len(spec.Validate) == 0 {
		p.Notes = append(p.Notes, "no protected address is rehearsed: name a sandbox under rehearse.validate whose rules accept any valid credential")
	}
	p.Notes = append(p.Notes, "no rule, consumer or real slot is changed")
	return p, nil
}

// rehearse lays out: made, accepted, stored, switched off, denied, deleted,
// denied for good, and the folder emptied.
func (p *Plan) rehearse(can Capabilities) {
	var b, back builder
	create := b.add(Step{Verb: Create, Title: "create a throwaway", Call: can.Calls["create"],
		Change: fmt.Sprintf("%s: new %s named %s", p.Spec.Issuer.Vendor, p.Spec.Issuer.Kind, p.Named(p.first()))})
	ready := p.validate(&b, []string{create})
	last := p.keep(&b, can, ready)
	turnedAway := func(when string) {
		var out []string
		for _, probe := range p.Spec.Validate {
			out = append(out, b.add(Step{Verb: Denied, Target: probe.URL + " " + when, Needs: last, Within: p.Spec.Timing.Confirm,
				Title: "confirm " + when + ": " + probe.Title() + " denies it"}))
		}
		last = append(slices.Clone(last), out...)
	}
	if can.Disable {
		last = []string{b.add(Step{Verb: Disable, Needs: last, Title: "switch it off", Call: can.Calls["disable"]})}
		turnedAway("while it is off")
	}
	last = []string{b.add(Step{Verb: Discard, Target: atTheEnd, Needs: last, Title: "delete it", Call: can.Calls["delete"]})}
	turnedAway("after its end")
	for i, s := range p.Spec.Stores() {
		emptied := strings.TrimSpace(target(s.Key, i == 0) + " " + atTheEnd)
		b.add(Step{Verb: Restore, Target: emptied, Needs: last, Within: p.Spec.Timing.Settle, Title: "empty " + s.Key + " again"})
	}
	b.add(Step{Verb: Sweep, Needs: last, Strays: true, Title: "clean up: nothing that this rehearsal made is left"})
	p.Steps = b.steps

	var emptied []string
	for i, s := range p.Spec.Stores() {
		emptied = append(emptied, back.add(Step{Verb: Restore, Target: target(s.Key, i == 0), Undoes: p.Writes(s.Key), Within: p.Spec.Timing.Settle, Title: "empty " + s.Key + " again"}))
	}
	discard := back.add(Step{Verb: Discard, Undoes: create, Needs: emptied, Title: "delete the throwaway"})
	back.add(Step{Verb: Sweep, Target: "after going back", Needs: []string{discard}, Strays: true, Title: "clean up: nothing that this rehearsal made is left"})
	p.Back = back.steps
}
