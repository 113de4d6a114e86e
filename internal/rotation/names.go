package rotation

import (
	"fmt"
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/sop"
)

// RetireName takes a former name out of every consumer, then out of the store:
// the cleanup card of the written procedure. Nothing is made and nothing is
// ended; the credential goes on under its name.
const RetireName = "retire name"

// Reasons against retiring a name.
const (
	NameRead    = "name-read"    // something else in the store refers to it
	NameAbsent  = "name-absent"  // no place holds it any more
	NameInstead = "name-instead" // a place holds the former name and not the name
)

// compileRetireName lays out the end of a former name. Nobody can see whether a
// program reads a variable, so it is taken away where that can be undone at once,
// the checks are watched, and only then the store forgets it.
func compileRetireName(spec sop.Spec, seen Observation, can Capabilities, run string) (Plan, []Refusal) {
	refusals := refuse(spec, &seen, can, RetireName, "")
	add := func(code, then, what string, args ...any) {
		refusals = append(refusals, Refusal{Code: code, What: fmt.Sprintf(what, args...), Then: then})
	}
	held := 0
	look := func(p sop.Place, slots []SlotSeen) {
		dropped, kept := p.Dropped(), 0
		for _, s := range slots {
			switch {
			case !s.Present:
			case !slices.Contains(dropped, s.Slot):
				kept++
			default:
				held++
				if len(s.ReadBy) > 0 {
					add(NameRead, "make it read "+spec.Name+" instead", "%s: %s is read by %s", p.Key, s.Slot, strings.Join(s.ReadBy, ", "))
				}
			}
		}
		if kept == 0 && len(present(slots)) > 0 {
			add(NameInstead, "give it the name first: rekey repair "+spec.Name, "%s holds %s and nothing under %s", p.Key, strings.Join(present(slots), ", "), spec.Name)
		}
	}
	for _, pl := range spec.Stores() {
		look(pl, seen.SlotsOf(spec, pl.Key))
	}
	for i, c := range spec.Consumers {
		look(c, seen.Consumers[i].Slots)
	}
	if held == 0 {
		add(NameAbsent, "take it out of former in rekey.yaml", "no place holds anything under %s any more", spec.Target)
	}
	if len(refusals) > 0 {
		return Plan{}, refusals
	}
	old, _ := seen.handle(seen.Issuer.Owner)
	p := Plan{Version: PlanVersion, Strategy: RetireName, Run: run, Spec: spec, Seen: seen, Old: old}
	p.Seen.Issuer.Live, p.Seen.Admission = []cred.Handle{old}, AdmissionSeen{}
	p.retireName(can)
	return p, nil
}

func present(slots []SlotSeen) []string {
	var out []string
	for _, s := range slots {
		if s.Present {
			out = append(out, s.Slot)
		}
	}
	return out
}

// doomed are the slots of a place that are there and will not be.
func doomed(p sop.Place, slots []SlotSeen) []string {
	dropped := p.Dropped()
	return slices.DeleteFunc(present(slots), func(s string) bool { return !slices.Contains(dropped, s) })
}

// retireName lays out: taken from each consumer in one write, rolled out, checked,
// watched, then removed from the store, which asks.
func (p *Plan) retireName(can Capabilities) {
	var b, back builder
	w := p.Spec.Timing
	ready := []string{b.add(Step{Verb: Take, Target: p.Spec.Store.Key, Title: "see that " + p.Spec.Store.Key + " holds it under " + p.Spec.Name})}
	var settled []string
	for i, c := range p.Spec.Consumers {
		gone := doomed(c, p.Seen.Consumers[i].Slots)
		if len(gone) == 0 {
			continue
		}
		propagate := b.add(Step{Verb: Propagate, Target: c.Key, Needs: ready, Call: can.Calls[c.Key],
			Title:  "take " + strings.Join(gone, ", ") + " from " + c.Key,
			Change: c.Key + ": one write without " + strings.Join(gone, ", ")})
		taken := propagate
		propagate = p.apply(&b, can, c.Key, Step{Needs: []string{propagate}})
		settled = append(settled, b.add(Step{Verb: Settle, Target: c.Key, Needs: []string{propagate}, Within: w.Settle,
			Title: "wait until all of " + c.Key + " runs without it"}))
		ret := back.add(Step{Verb: Return, Target: c.Key, Undoes: taken, Within: w.Settle, Title: "give it back to " + c.Key})
		ret = p.reapply(&back, can, c.Key, taken, ret)
		back.add(Step{Verb: Resettle, Target: c.Key, Undoes: taken, Needs: []string{ret}, Within: w.Settle,
			Title: "wait until all of " + c.Key + " has it again"})
		p.cost(can, p.Seen.Consumers[i])
		for _, n := range p.Seen.Consumers[i].Notes {
			p.Notes = append(p.Notes, c.Key+": "+n)
		}
	}
	ready = append(ready, settled...)
	ready = append(ready, p.checks(&b, ready, "without it")...)
	if w.Watch > 0 && len(settled) > 0 {
		ready = append(ready, b.add(Step{Verb: Pause, Target: "to watch", Needs: ready, After: p.grace() + w.Watch,
			Title: "watch for " + brief(p.grace()+w.Watch) + " whether anything breaks"}))
		ready = append(ready, p.checks(&b, ready, "after the watch")...)
	}
	stores, followed := p.Spec.Stores(), slices.Clone(ready)
	for i := len(stores) - 1; i >= 0; i-- { // the first holds the last copy of the truth
		s, needs := stores[i], ready
		gone := doomed(s, p.Seen.SlotsOf(p.Spec, s.Key))
		if len(gone) == 0 {
			continue
		}
		if i == 0 {
			needs = followed
		}
		removed := b.add(Step{Verb: Remove, Target: target(s.Key, i == 0), Needs: needs, Within: w.Settle, Ask: true, Final: true, Call: can.Calls["remove "+s.Key],
			Title:  fmt.Sprintf("remove it from %s (%s)", s.Key, count(len(gone), "slot")),
			Change: s.Key + ": " + strings.Join(gone, ", ") + " and their history end"})
		followed = append(followed, p.apply(&b, can, s.Key, Step{Needs: []string{removed}, Ask: true, Final: true}))
	}
	p.Steps, p.Back = b.steps, back.steps
	p.Notes = append(p.Notes, "nobody can see whether a program reads a variable: jobs that run rarely, at night or in an emergency may need it after the watch; ask its owner")
	if len(p.Spec.Verify) == 0 {
		p.Notes = append(p.Notes, "there is no check under verify, so nothing but a crash would show that it is missed")
	}
}

// liveRetiringName tells who still has the former name.
func (s *State) liveRetiringName() []string {
	p := s.Plan
	out := []string{fmt.Sprintf("the one in use, %s, is live, and every place has it under %s", p.Old.Named(), p.Spec.Name) + asSeen(p.Seen.At)}
	tell := func(key, step, undo string, slots []string) {
		names := strings.Join(slots, ", ")
		switch {
		case len(slots) == 0:
		case s.done(undo), !s.tried(step):
			out = append(out, key+" has "+names)
		case s.tried(undo), !s.done(step):
			out = append(out, key+" may have "+names+" or not")
		default:
			out = append(out, key+" has no "+names+" any more")
		}
	}
	for i, pl := range p.Spec.Stores() {
		tell(pl.Key, stepID(Remove, target(pl.Key, i == 0)), "", doomed(pl, p.Seen.SlotsOf(p.Spec, pl.Key)))
	}
	for i, c := range p.Spec.Consumers {
		tell(c.Key, stepID(Propagate, c.Key), stepID(Resettle, c.Key), doomed(c, p.Seen.Consumers[i].Slots))
	}
	return out
}
