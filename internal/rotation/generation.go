package rotation

import (
	"slices"
	"time"

	"rekey/internal/cred"
)

// Generation is one generation of a credential as the journal remembers it.
type Generation struct {
	Handle cred.Handle
	From   time.Time // when Rekey made it, or first saw it in use
	Ended  time.Time // zero: as far as the journal knows it lives
	// Prints are the fingerprints of every value made from it, by place and slot.
	Prints map[string]map[string]cred.Fingerprint
	// Dates are when slots that are not shown to anybody were given it, by place, slot
	// and the vendor's clock.
	Dates map[string]map[string]time.Time
	// Places are the rules that name it, by key, as they were last seen to; Left those
	// that it was taken out of.
	Places, Left map[string]cred.Place
}

// Generations reads from the events of a credential's runs, oldest first, which
// generations there were and what each place held of them.
func Generations(events []Event) []Generation {
	var out []Generation
	known := func(h cred.Handle, at time.Time) *Generation {
		for i := len(out) - 1; i >= 0; i-- {
			if out[i].Handle.ID == h.ID && out[i].Ended.IsZero() {
				return &out[i]
			}
		}
		out = append(out, Generation{Handle: h, From: at, Prints: map[string]map[string]cred.Fingerprint{}})
		return &out[len(out)-1]
	}
	note := func(g *Generation, place string, slots []SlotSeen) {
		for _, s := range slots {
			if s.Present && s.Fingerprint == s.Expected {
				g.print(place, s.Slot, s.Fingerprint)
			}
		}
	}
	runs := map[string]*Plan{}
	made := map[string]cred.Handle{} // by run: the newest generation that it made
	// What a repair found in the store may be anything: it is what a generation makes only
	// once the gate has accepted it. By run: what is noted then.
	unproven := map[string][]func(){}
	proven := func(run string, plan *Plan, note func()) {
		gated := func(s Step) bool { return s.Verb == Validate }
		if plan.Strategy == Repair && slices.ContainsFunc(plan.Steps, gated) {
			unproven[run] = append(unproven[run], note)
			return
		}
		note()
	}
	for _, e := range events {
		plan := runs[e.Run]
		switch {
		case e.Planned != nil:
			runs[e.Run] = e.Planned
			if e.Planned.Old.ID == "" || e.Planned.Old.ID != e.Planned.Seen.Issuer.Owner {
				continue
			}
			g := known(e.Planned.Old, e.At)
			proven(e.Run, e.Planned, func() {
				g := known(e.Planned.Old, e.At)
				note(g, e.Planned.Spec.Store.Key, e.Planned.Seen.Store.Slots)
				for _, f := range e.Planned.Seen.Further {
					note(g, f.Key, f.Slots)
				}
				for _, c := range e.Planned.Seen.Consumers {
					note(g, c.Key, c.Slots)
				}
			})
			for _, p := range naming(e.Planned.Seen.Admission.Places, e.Planned.Old) {
				g.place(p)
			}
		case e.Outcome != nil && e.Outcome.Handle != nil && e.Outcome.Makes != nil && plan != nil && plan.Strategy != Rehearse:
			var named map[string]cred.Place
			if plan.Maker() == string(Roll) {
				before := known(*e.Outcome.Handle, e.At)
				before.Ended, named = e.At, before.Places // the same handle, which rules go on naming; another secret
			}
			g := known(*e.Outcome.Handle, e.At)
			for _, p := range named {
				g.place(p)
			}
			made[e.Run] = *e.Outcome.Handle
			proven(e.Run, plan, func() {
				g := known(*e.Outcome.Handle, e.At)
				for place, slots := range e.Outcome.Makes {
					for slot, fp := range slots {
						g.print(place, slot, fp)
					}
				}
			})
		case e.Outcome != nil && e.Outcome.Class == cred.Done && plan != nil:
			step, _ := plan.Step(e.Outcome.Step)
			if step.Verb == Validate {
				for _, note := range unproven[e.Run] {
					note()
				}
				delete(unproven, e.Run)
			}
			switch fresh, ok := made[e.Run]; {
			case step.Verb == Return, step.Verb == Resettle:
				known(plan.Old, e.At).dated(step.Target, e.Outcome.Slots)
			case ok && (step.Verb == Propagate || step.Verb == Settle):
				known(fresh, e.At).dated(step.Target, e.Outcome.Slots)
			case step.Verb == Restore && hides(e.Outcome.Slots):
				known(plan.Old, e.At).dated(plan.StoreOf(step).Key, e.Outcome.Slots)
			case ok && step.Verb == Store && hides(e.Outcome.Slots):
				known(fresh, e.At).dated(plan.StoreOf(step).Key, e.Outcome.Slots)
			case step.Verb == Dismiss, step.Verb == Readmit:
				known(plan.Old, e.At).admitted(step.Verb, step.Target, e.Outcome.Place)
			case ok && (step.Verb == Admit || step.Verb == Withdraw):
				known(fresh, e.At).admitted(step.Verb, step.Target, e.Outcome.Place)
			}
			for i := range out {
				ended := step.Verb == Delete && out[i].Handle.ID == plan.Old.ID
				for _, id := range e.Outcome.Gone {
					ended = ended || out[i].Handle.ID == id && plan.Maker() != string(Roll)
				}
				if ended && out[i].Ended.IsZero() {
					out[i].Ended = e.At
				}
			}
		}
	}
	return out
}

// Makes reports whether one of the runs has made the generation with this id anew:
// nothing before that is about it. One that is rolled keeps its id, and what was
// known of it.
func Makes(events []Event, id string) bool {
	runs := map[string]*Plan{}
	for _, e := range events {
		switch plan := runs[e.Run]; {
		case e.Planned != nil:
			runs[e.Run] = e.Planned
		case e.Outcome == nil || e.Outcome.Handle == nil || e.Outcome.Makes == nil || plan == nil:
		case e.Outcome.Handle.ID == id && id != "" && plan.Strategy != Rehearse && plan.Maker() != string(Roll):
			return true
		}
	}
	return false
}

// hides reports whether some slot is shown to nobody.
func hides(slots []cred.SlotState) bool {
	return slices.ContainsFunc(slots, func(s cred.SlotState) bool { return s.Hidden })
}

// dated notes when hidden slots were given the generation.
func (g *Generation) dated(place string, slots []cred.SlotState) {
	for _, s := range slots {
		if !s.Hidden || s.Written.IsZero() {
			continue
		}
		if g.Dates == nil {
			g.Dates = map[string]map[string]time.Time{}
		}
		if g.Dates[place] == nil {
			g.Dates[place] = map[string]time.Time{}
		}
		g.Dates[place][s.Slot] = s.Written
	}
}

func (g *Generation) print(place, slot string, fp cred.Fingerprint) {
	if g.Prints[place] == nil {
		g.Prints[place] = map[string]cred.Fingerprint{}
	}
	g.Prints[place][slot] = fp
}
