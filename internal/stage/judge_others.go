package stage

import (
	"maps"
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/world"
)

// about are the places and generations that a broken promise is about.
type about struct {
	slots []place
	ids   []string
}

func (a about) touched(d deed) bool {
	return slices.ContainsFunc(d.wrote(), func(p place) bool { return slices.Contains(a.slots, p) }) ||
		slices.ContainsFunc(d.changed(), func(g world.Generation) bool { return slices.Contains(a.ids, g.ID) })
}

// badAbout notes a broken promise, unless it was brought about by somebody else: then
// that is told, or came too late to be seen.
func (j *judge) badAbout(a about, format string, args ...any) {
	theirs := false
	for _, d := range j.deeds {
		if !a.touched(d) {
			continue
		}
		if slices.ContainsFunc(a.slots, func(p place) bool { return j.untold(d, p) }) {
			return
		}
		if j.late(d) || j.tells(d, a) {
			return
		}
		theirs = true
	}
	if theirs {
		format += "; somebody else brought it about, and nothing tells of it"
	}
	j.bad(format, args...)
}

// shared is how long the runner takes one look for one of just now, and the time of the
// calls that it lies between.
const shared = 3*time.Second + 20*callTime

// late: it was done after the last look of the run.
func (j *judge) late(d deed) bool {
	end, looked := j.end, false
	for _, e := range j.events {
		if o := e.Outcome; o != nil && (strings.HasPrefix(o.Step, string(rotation.Running)) || o.Step == string(rotation.Look)) {
			end, looked = e.At, true // an ending says when this was
		}
	}
	if c := j.st.Closed; c != nil && c.Ending == rotation.RolledBack && !looked {
		return true // nothing was written, and it says that it has not looked again
	}
	return end.Sub(d.at) <= shared
}

// tells reports whether the journal says something of it, after it was done.
func (j *judge) tells(d deed, a about) bool {
	for _, text := range j.told[min(d.line, len(j.told)):] {
		for _, p := range a.slots {
			if strings.Contains(text, "slot "+p.slot) || strings.Contains(text, "held: "+p.where) {
				return true
			}
		}
		for _, id := range a.ids {
			g, _ := j.now.generation(id)
			if strings.Contains(text, id) || g.Name != "" && strings.Contains(text, g.Name) {
				return true
			}
		}
	}
	return false
}

// standsFor reports whether a run stands still because of something that somebody else
// did, and names it: a person has to decide.
func (s *Stage) standsFor(stuck *rotation.Stuck) bool {
	if stuck == nil {
		return false
	}
	j := &judge{now: s.truth(), told: []string{says(rotation.Event{Stuck: &rotation.Stuck{Why: stuck.Why}})}}
	return slices.ContainsFunc(s.deeds, func(d deed) bool {
		a := about{slots: d.wrote()}
		for _, g := range d.changed() {
			a.ids = append(a.ids, g.ID)
		}
		d.line = 0
		return j.tells(d, a)
	})
}

// says is what an event says to people, of what was seen and what came of it.
func says(e rotation.Event) string {
	var out []string
	if o := e.Outcome; o != nil {
		out = append(append(append(append(out, o.Why), o.Evidence...), o.Unseen...), o.Missing...)
		for _, key := range o.Held {
			out = append(out, "held: "+key)
		}
	}
	if p := e.Planned; p != nil {
		out = append(out, p.Notes...)
	}
	if t := e.Turned; t != nil {
		out = append(out, t.Why)
	}
	if s := e.Stuck; s != nil {
		out = append(append(out, s.Why), s.Live...)
	}
	if c := e.Closed; c != nil {
		out = append(out, c.Why)
		for _, r := range c.Refusals {
			out = append(out, r.What)
		}
	}
	return strings.Join(out, "\n")
}

// respected: what somebody else wrote or made is still there, or it is told that it is not.
func (j *judge) respected() {
	for i, d := range j.deeds {
		for _, p := range d.wrote() {
			later := slices.ContainsFunc(j.deeds[i+1:], func(o deed) bool { return slices.Contains(o.wrote(), p) })
			is, there := d.after.kept[p]
			was, had := j.then.kept[p]
			if now := j.now.kept[p]; now != is && !later && (!j.lostTail || j.notes) && slices.ContainsFunc(j.told, func(text string) bool {
				return strings.Contains(text, p.where+": slot "+p.slot+" is given back what somebody else wrote")
			}) {
				j.bad("it says that slot %s of %s was given back what somebody else wrote (%s), and it was not", p.slot, p.where, d.act)
			}
			if (d.alone || j.lostTail) && is == was && there == had {
				continue // as if a write of ours had not happened: nobody can tell
			}
			if c := j.st.Closed; c != nil && j.ofRun(d, is) && (c.Ending == rotation.RolledBack || !j.lives(is)) {
				continue // as if it were a write of ours, and those are taken back, and those of an earlier attempt written over
			}
			if j.replaced(d, p, is) {
				continue
			}
			if now, still := j.now.kept[p]; later || d.gap || j.untold(d, p) || now == is && still == there {
				continue
			}
			j.badAbout(about{slots: []place{p}}, "what somebody else did (%s) was undone: slot %s of %s", d.act, p.slot, p.where)
		}
		for _, g := range d.changed() {
			if _, known := d.before.generation(g.ID); known {
				continue
			}
			if now, _ := j.now.generation(g.ID); now.Live != g.Live || now.On != g.On {
				j.badAbout(about{ids: []string{g.ID}}, "what somebody else made (%s) was ended or switched off: %s", d.act, g.Name)
			}
		}
	}
}

// replaced: before the run had looked somebody put the generation in use into a place that
// is to hold it, and that is what a run replaces.
func (j *judge) replaced(d deed, p place, is string) bool {
	spec := j.st.Opened.Spec
	if first := slices.IndexFunc(j.events, func(e rotation.Event) bool { return e.Planned != nil }); d.line > first {
		return false
	}
	for _, x := range spec.Places() {
		for _, s := range x.Slots {
			if x.Key != p.where || s.Name != p.slot {
				continue
			}
			for _, g := range j.then.ours(spec) {
				if want, ok := made(s.Template, g, false); ok && want.Equal(secret.New(is)) {
					return true
				}
			}
		}
	}
	return false
}

// untold: what a slot holds is shown to nobody, and only the date of a write is known.
// What was written before the first look is not known for somebody else's; what was
// written right after a write of ours, before its date was read, is taken for that; and
// a write of ours of which a process that died has left no date is made again.
func (j *judge) untold(d deed, p place) bool {
	if j.st.Plan == nil {
		return false
	}
	first := slices.IndexFunc(j.events, func(e rotation.Event) bool { return e.Planned != nil })
	for _, s := range j.st.Plan.Seen.SlotsOf(j.st.Plan.Spec, p.where) {
		if s.Slot == p.slot && (s.Untold() || j.unshown(p)) {
			return d.inAnswer || d.alone || d.line <= first
		}
	}
	return false
}

// unshown reports whether a slot was written by the run, and is shown to nobody.
func (j *judge) unshown(p place) bool {
	for _, e := range j.events {
		if o := e.Outcome; o != nil && strings.HasSuffix(o.Step, " "+p.where) && slices.ContainsFunc(o.Slots, func(s cred.SlotState) bool { return s.Slot == p.slot && s.Hidden }) {
			return true
		}
	}
	return false
}

// ofRun reports whether a value is of what the run made.
func (j *judge) ofRun(d deed, value string) bool {
	return slices.ContainsFunc(d.after.generations, func(g world.Generation) bool {
		was, before := j.then.generation(g.ID)
		return !j.theirs(g.ID) && (opens(g, value) && (!before || !opens(was, value)) || !before && tells(g, value))
	})
}

// lives reports whether a value is of a generation that is live now.
func (j *judge) lives(value string) bool {
	return slices.ContainsFunc(j.now.generations, func(g world.Generation) bool { return g.Live && (opens(g, value) || tells(g, value)) })
}

// tells reports whether a value is what a generation is known by.
func tells(g world.Generation, value string) bool {
	return value != "" && (value == g.ID || slices.Contains(slices.Collect(maps.Values(g.Public)), value))
}

// expected is the world before the run, and with all that others did since.
func (j *judge) expected() truth {
	out := j.then.clone()
	for _, d := range j.deeds {
		for _, p := range d.wrote() {
			if v, there := d.after.kept[p]; there {
				out.kept[p] = v
			} else {
				delete(out.kept, p)
			}
		}
		for _, g := range d.changed() {
			was, _ := d.before.generation(g.ID)
			i := slices.IndexFunc(out.generations, func(x world.Generation) bool { return x.ID == g.ID })
			if i < 0 {
				if was.ID == "" { // theirs
					out.generations = append(out.generations, g)
				}
				continue
			}
			x := &out.generations[i]
			x.Live, x.On, x.Named = g.Live, g.On, x.Named+g.Named-was.Named
		}
	}
	return out
}

// lost reports whether somebody wrote a slot right before a write of ours, which took a
// whole place with it: between a read and a write of it nobody can look.
func (j *judge) lost(p place) bool {
	return slices.ContainsFunc(j.deeds, func(d deed) bool { return d.gap && slices.Contains(d.wrote(), p) })
}

// theirs reports whether somebody else made a generation.
func (j *judge) theirs(id string) bool {
	return slices.ContainsFunc(j.deeds, func(d deed) bool {
		_, before := d.before.generation(id)
		_, after := d.after.generation(id)
		return after && !before
	})
}

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
		case wrote && (soon || !j.opened(d, o.Held)):
			return true // they gave it out while it was being taken away, or it was nothing
		}
	}
	return false
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
