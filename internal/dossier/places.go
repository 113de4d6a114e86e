package dossier

import (
	"slices"
	"time"

	"rekey/internal/cred"
	"rekey/internal/rotation"
)

// Shown says what a run has shown of a place.
type Shown string

// What a run may have shown. A run that does not touch a place has shown nothing of it
// but what it held before.
const (
	Proven    Shown = "proven"     // it holds, and runs on, what the run was to give it
	NotProven Shown = "not proven" // the run has tried, and that was not shown
	Untouched Shown = "untouched"  // the run has written nothing there
)

// holds are the steps that have to do with what a place holds.
var holds = map[rotation.Verb]string{
	rotation.Store: "store", rotation.Restore: "store", rotation.Remove: "store",
	rotation.Propagate: "consumer", rotation.Settle: "consumer", rotation.Return: "consumer", rotation.Resettle: "consumer",
}

// readBack is what was seen of a place last.
type readBack struct {
	at      time.Time
	slots   map[string]cred.Fingerprint
	release string
}

// places tells every slot before and after, by fingerprint: after is what was read
// back last, and both say when that was.
func (r *Run) places(st *rotation.State, events []rotation.Event) {
	p := st.Plan
	after, tried := map[string]*readBack{}, map[string]bool{}
	for _, e := range events {
		if e.Outcome == nil {
			continue
		}
		step, known := p.Step(e.Outcome.Step)
		if !known || holds[step.Verb] == "" {
			continue
		}
		key := step.Target
		if holds[step.Verb] == "store" {
			key = p.StoreOf(step).Key
		}
		tried[key] = true
		if after[key] == nil {
			after[key] = &readBack{}
		}
		if len(e.Outcome.Slots) > 0 {
			after[key].at, after[key].slots = time.Time{}, map[string]cred.Fingerprint{}
			for _, s := range e.Outcome.Slots {
				if !s.Hidden { // what it was given is known, and was not read back
					after[key].at, after[key].slots[s.Slot] = e.At.UTC(), s.Fingerprint
				}
			}
		}
		if e.Outcome.Mark != "" {
			after[key].release = e.Outcome.Mark
		}
	}
	add := func(key, role string, slots []rotation.SlotSeen, proven bool) {
		pl := Place{Key: key, Role: role, Proven: proven, Shown: NotProven, Seen: p.Seen.At.UTC(), Slots: []Slot{}}
		seen := after[key]
		if seen == nil {
			seen = &readBack{}
		}
		pl.Release, pl.ReadBack = seen.release, seen.at
		switch {
		case proven:
			pl.Shown = Proven
		case !tried[key]:
			pl.Shown = Untouched
		}
		for _, s := range slots {
			pl.Slots = append(pl.Slots, Slot{Slot: s.Slot, Before: s.Fingerprint, After: seen.slots[s.Slot]})
		}
		r.Places = append(r.Places, pl)
	}
	stays := r.Ending == string(rotation.Rotated) || r.Ending == string(rotation.Repaired)
	for _, s := range p.Spec.Stores() {
		add(s.Key, "store", p.Seen.SlotsOf(p.Spec, s.Key), stays && r.stored(p, s.Key))
	}
	for _, c := range p.Seen.Consumers {
		add(c.Key, "consumer", c.Slots, stays && r.ended(rotation.Settle, c.Key))
	}
}

// stored reports whether the step that writes a store has ended well.
func (r *Run) stored(p *rotation.Plan, key string) bool {
	return slices.ContainsFunc(r.Proofs, func(x Proof) bool { return x.Step == p.Writes(key) && x.Holds })
}

// ended reports whether a step of this kind has ended well, for one place or for any.
func (r *Run) ended(v rotation.Verb, target string) bool {
	for _, x := range r.Proofs {
		if x.Verb == v && x.Holds && (target == "" || x.Target == target) {
			return true
		}
	}
	return false
}
