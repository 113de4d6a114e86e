package stage

import (
	"slices"
	"strings"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/world"
)

// byOthers reports whether somebody else brought an outage about.
func (j *judge) byOthers(o world.Outage) bool {
	learned := o.From.Add(-j.edge) // when it was changed, if what protects learned late
	for i, d := range j.deeds {
		if d.at.After(o.From) {
			continue
		}
		soon := learned.Sub(d.at) <= shared
		given := j.given(o.From).Sub(d.at) <= shared+j.edge
		had := false
		wrote := false
		for p, v := range d.before.kept {
			had = had || p.slot == o.Var && v == o.Held
		}
		for _, e := range j.deeds[:i] { // what runs there runs on what they wrote over
			for p, v := range e.before.kept {
				had = had || p.slot == o.Var && v == o.Held && e.after.kept[p] != v
			}
		}
		for _, p := range d.wrote() {
			wrote = wrote || p.slot == o.Var && d.after.kept[p] == o.Held
		}
		switch {
		case soon && j.between(d) && slices.ContainsFunc(d.changed(), func(g world.Generation) bool { return opens(g, o.Held) }):
			return true // between our look and our change: nobody could see it
		case d.unnamed(o.Held) && !had && j.given(o.From).Sub(d.at) > looked:
			// The rules tell of it at once, whatever a protected address knows.
		case d.took(o.Held) && (had || soon || given):
			return true // whoever had it then, or was just being given it
		case wrote && j.hides(o.Var):
			return true // they gave out what nobody but they can see
		case (wrote || d.after.processes[o.Process] && !d.before.processes[o.Process]) && (soon || !j.opened(d, o.Held)):
			return true // they gave it out, or started it on that, while it was being taken away, or it was nothing
		}
	}
	return false
}

// byTheWay reports whether an outage is of a roll that was sent twice on its way: the second
// time ends the secret that everybody holds, before anybody can know of the first.
func (j *judge) byTheWay(o world.Outage) bool { return tookTwice(j.doubled, o) }

// TakenByTheWay is the same for a judge that knows a vendor: of this outage, not of the run.
func (s *Stage) TakenByTheWay(o world.Outage) bool { return tookTwice(s.doubled, o) }

func tookTwice(doubled []deed, o world.Outage) bool {
	return slices.ContainsFunc(doubled, func(d deed) bool { return !d.at.After(o.From) && d.took(o.Held) })
}

// hides reports whether a consumer shows nobody what a slot holds.
func (j *judge) hides(slot string) bool {
	return j.st.Plan != nil && slices.ContainsFunc(j.st.Plan.Seen.Consumers, func(c rotation.ConsumerSeen) bool {
		return slices.ContainsFunc(c.Slots, func(s rotation.SlotSeen) bool { return s.Slot == slot && s.Untold() })
	})
}

// given is when this run last began to write a place before a moment.
func (j *judge) given(before time.Time) (at time.Time) {
	for _, e := range j.events {
		if e.Intent == nil || e.At.After(before) {
			continue
		}
		for _, step := range e.Intent.Steps {
			if strings.HasPrefix(step, string(rotation.Propagate)) || strings.HasPrefix(step, string(rotation.Return)) {
				at = e.At
			}
		}
	}
	return at
}

// looked is how long before a value is given out the rules were looked at: stores are
// written in between.
const looked = 30 * callTime

// looks is how many calls a look right before a change may lie before it.
const looks = 4

// between reports whether it was done right before a change of ours, after the look.
func (j *judge) between(d deed) bool {
	return slices.ContainsFunc(j.changes, func(call int) bool { return call > d.call && call <= d.call+looks || call == d.call && d.gap })
}

// opened reports whether what somebody gave out was worth something then.
func (j *judge) opened(d deed, held string) bool {
	for _, g := range d.after.generations {
		if g.Live && g.On && opens(g, held) {
			return true
		}
	}
	return false
}
