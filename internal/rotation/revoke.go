package rotation

import (
	"fmt"
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/sop"
)

// Revoke takes a credential away now, proven or not: an emergency.
const Revoke = "revoke"

// compileRevoke lays out an emergency. Only what is needed to find the right
// generation is demanded; what cannot be seen besides is told, and stops nothing.
func compileRevoke(spec sop.Spec, seen Observation, can Capabilities, run string) (Plan, []Refusal) {
	old, refusal := meant(spec, seen)
	if refusal != nil {
		return Plan{}, []Refusal{*refusal}
	}
	p := Plan{Version: PlanVersion, Strategy: Revoke, Run: run, Spec: spec, Seen: seen, Old: old}
	p.Seen.Issuer.Live = related(seen.Issuer.Live, spec, old)
	p.Seen.Admission.Places = naming(seen.Admission.Places, old)
	forGood := spec.Purpose == sop.ToDelete || !can.Disable
	if forGood {
		for _, pl := range p.Seen.Admission.Places {
			for _, id := range []string{old.ID, old.Public} {
				if why := pl.Problems[id]; why != "" && id != "" {
					return Plan{}, []Refusal{{Code: PlaceStuck, What: fmt.Sprintf("%s %q: %s", pl.Kind, pl.Name, why), Then: p.withoutDelete(can)}}
				}
			}
		}
		if can.Admits && len(seen.Unseen) > 0 {
			return Plan{}, []Refusal{{Code: NotSeen, What: "not every rule could be read, and a credential that a rule still names cannot be deleted: " + strings.Join(seen.Unseen, "; "), Then: p.withoutDelete(can)}}
		}
	}
	p.revoke(can, forGood)
	p.Notes = p.losing()
	return p, nil
}

func (p *Plan) withoutDelete(can Capabilities) string {
	if can.Disable {
		return "switch it off now instead: rekey revoke " + p.Spec.Name
	}
	return "end it by hand at the vendor"
}

// meant finds the generation that is to go: the one in use, or the one named.
func meant(spec sop.Spec, seen Observation) (cred.Handle, *Refusal) {
	var candidates []string
	for _, h := range seen.Issuer.Live {
		if spec.Target != "" && (h.ID == spec.Target || h.Name == spec.Target || h.Public == spec.Target) ||
			spec.Target == "" && h.ID == seen.Issuer.Owner {
			return h, nil
		}
		if BearsName(spec, h.Name) {
			candidates = append(candidates, h.Name)
		}
	}
	what := fmt.Sprintf("%s lists no live %s to which the stored credential belongs", spec.Issuer.Vendor, spec.Issuer.Kind)
	if spec.Target != "" {
		what = fmt.Sprintf("%s lists no live %s with the name or id %s", spec.Issuer.Vendor, spec.Issuer.Kind, spec.Target)
	}
	if spec.Target == "" && len(seen.Unseen) > 0 {
		what = "which one is in use could not be seen: " + strings.Join(seen.Unseen, "; ")
	}
	then := "name the one that is meant: --generation NAME"
	if len(candidates) > 0 {
		then += "; live are " + strings.Join(candidates, ", ")
	}
	return cred.Handle{}, &Refusal{Code: NotIssued, What: what, Then: then}
}

// revoke lays out: off at once, denied everywhere; and for good: out of every
// rule, deleted. Everything waits for the typed name.
func (p *Plan) revoke(can Capabilities, forGood bool) {
	var b, back builder
	var first, proofs []string
	if can.Disable {
		first = append(first, b.add(Step{Verb: Disable, Ask: true,
			Title: "switch " + p.Old.Name + " off", Call: strings.ReplaceAll(can.Calls["disable"], "{id}", p.Old.ID),
			Change: fmt.Sprintf("%s: %s %s is switched off", p.Spec.Issuer.Vendor, p.Spec.Issuer.Kind, p.Old.Named())}))
		on := back.add(Step{Verb: Enable, Undoes: first[0], Title: "switch it on again"})
		if p.Old.ID == p.Seen.Issuer.Owner && !p.Old.Disabled {
			for _, probe := range p.Spec.Validate {
				back.add(Step{Verb: Revalidate, Target: probe.URL, Undoes: first[0], Needs: []string{on}, Within: p.Spec.Timing.Settle,
					Title: "validate: " + probe.Title() + " accepts it again"})
			}
		}
	}
	end := slices.Clone(first)
	if forGood {
		for _, pl := range p.Seen.Admission.Places {
			end = append(end, b.add(Step{Verb: Dismiss, Target: pl.Key(), Needs: first, Ask: true,
				Title: fmt.Sprintf("remove it from %s %q", pl.Kind, pl.Name), Call: can.edit(pl),
				Change: fmt.Sprintf("%s: %s %q no longer names it", p.Spec.Issuer.Vendor, pl.Kind, pl.Name)}))
			back.add(Step{Verb: Readmit, Target: pl.Key(), Undoes: stepID(Dismiss, pl.Key()),
				Title: fmt.Sprintf("name it again in %s %q", pl.Kind, pl.Name)})
		}
		title := "delete " + p.Old.Name
		if can.End != "" {
			title = "end " + p.Old.Name + ": it is " + can.End
		}
		end = []string{b.add(Step{Verb: Delete, Needs: end, Ask: true, Final: true,
			Title: title, Call: strings.ReplaceAll(can.Calls["delete"], "{id}", p.Old.ID),
			Change: fmt.Sprintf("%s: %s %s ends for good", p.Spec.Issuer.Vendor, p.Spec.Issuer.Kind, p.Old.Named())})}
	}
	if p.Old.ID == p.Seen.Issuer.Owner {
		for _, probe := range p.Spec.Validate {
			proofs = append(proofs, b.add(Step{Verb: Denied, Target: probe.URL, Needs: end, Within: p.Spec.Timing.Confirm,
				Title: "confirm: " + probe.Title() + " denies it"}))
		}
	}
	if p.OfOurs() {
		p.Steps, p.Back = b.steps, back.steps
		return // nobody is left who could ask for the list
	}
	b.add(Step{Verb: Gone, Needs: slices.Concat(end, proofs), Within: p.Spec.Timing.Confirm,
		Title: "the issuer no longer lists it, or lists it as switched off"})
	p.Steps, p.Back = b.steps, back.steps
}

// losing tells who is without a credential afterwards, before anybody confirms.
func (p *Plan) losing() []string {
	var out []string
	if p.OfOurs() {
		out = append(out, "Rekey itself: it reaches "+p.Spec.Issuer.Vendor+" with this one, and can do nothing there afterwards")
	}
	switch p.Seen.Issuer.Owner {
	case "":
		out = append(out, "which one the store holds is not known, so nobody can say who loses access")
	case p.Old.ID:
		for _, c := range p.Seen.Consumers {
			held, untold := 0, 0
			for _, s := range c.Slots {
				switch {
				case s.Untold():
					untold++
				case s.Present && s.Expected != "" && s.Fingerprint == s.Expected:
					held++
				}
			}
			switch {
			case held == 0 && untold > 0:
				out = append(out, fmt.Sprintf("%s may lose access: what it holds in %s is not shown to anybody", c.Key, count(untold, "slot")))
			case held > 0 && c.Units == 0:
				out = append(out, fmt.Sprintf("%s loses access: it holds it in %s, and which processes read that is not known", c.Key, count(held, "slot")))
			case held > 0:
				out = append(out, fmt.Sprintf("%s loses access: %s hold it in %s", c.Key, count(c.Units, "process"), count(held, "slot")))
			case len(c.Slots) == 0:
				out = append(out, c.Key+" may lose access: it could not be asked")
			}
		}
		for _, o := range p.Spec.Others {
			out = append(out, "may lose access too, and is not registered: "+o)
		}
	default:
		out = append(out, "it is not the one that the store holds: no registered consumer should notice")
	}
	for _, u := range p.Seen.Users {
		out = append(out, u.String()+" uses it now, and goes without")
	}
	if !p.Old.LastSeen.IsZero() {
		out = append(out, "it was last used "+brief(max(0, p.Seen.Theirs().Sub(p.Old.LastSeen).Truncate(1e9)))+" ago")
	}
	return append(out, p.Seen.Unseen...)
}
