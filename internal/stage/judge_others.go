package stage

import (
	"maps"
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/world"
)

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
			if j.lostTail && strings.Contains(g.Name, j.st.Run) {
				continue // it bears this run's label, and what was told of its end was in the tail
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
func (j *judge) untold(d deed, p place) bool { return j.unseen(d, p) || d.alone && j.dark(p) }

// unseen reports whether nobody can tell that a slot holds somebody else's. While no process
// was there is none of it: the next one finds a date that nobody knows, and writes once more.
func (j *judge) unseen(d deed, p place) bool {
	first := slices.IndexFunc(j.events, func(e rotation.Event) bool { return e.Planned != nil })
	return j.dark(p) && (d.inAnswer || d.line <= first)
}

// dark reports whether a slot is shown to nobody.
func (j *judge) dark(p place) bool {
	return j.st.Plan != nil && slices.ContainsFunc(j.st.Plan.Seen.SlotsOf(j.st.Plan.Spec, p.where), func(s rotation.SlotSeen) bool {
		return s.Slot == p.slot && (s.Untold() || j.unshown(p))
	})
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
