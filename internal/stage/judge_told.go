package stage

import (
	"slices"
	"strings"
	"time"

	"rekey/internal/rotation"
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
		if slices.ContainsFunc(a.slots, func(p place) bool { return j.unseen(d, p) }) {
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
