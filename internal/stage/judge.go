package stage

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/world"
)

// judge collects the promises that were broken.
type judge struct {
	then, now truth // before the run, and now
	st        *rotation.State
	lostTail  bool
	misled    bool // one kind of look was answered for another account for ever
	notes     bool // the store's
	journal   string
	at        time.Time
	end       time.Time     // of the run
	edge      time.Duration // how late a gate learns
	deeds     []deed
	doubled   []deed
	changes   []int // calls that changed something
	events    []rotation.Event
	told      []string // what they say to people, one by one
	broken    []string
}

func (j *judge) bad(format string, args ...any) {
	j.broken = append(j.broken, fmt.Sprintf(format, args...))
}

// Judge compares world and journal with the promises and returns every one that was
// broken, by what the doubles say of themselves: whatever vendors they are.
func (s *Stage) Judge(result runner.Result) []string {
	j := &judge{then: s.then, now: s.truth(), st: result.State, lostTail: s.LostTail, misled: s.misled, notes: s.Notes, journal: s.Log.Text(), at: s.Clock.Now(), end: s.Clock.Now(), deeds: s.deeds, doubled: s.doubled, changes: s.changes}
	s.World.See(func(w *world.State) { j.edge = w.Knobs.EdgeDelay.Std() })
	if events, err := s.Log.Events(); err != nil {
		j.bad("the journal cannot be read: %v", err)
	} else {
		j.events = events
		for _, e := range events {
			j.told = append(j.told, says(e))
		}
	}
	j.outages()
	j.respected()
	for what, secret := range j.now.secrets {
		if secret != "" && strings.Contains(j.journal, secret) {
			j.bad("promise 4: %s stands in the journal", what)
		}
	}
	j.untouched()
	switch st := j.st; {
	case st.Closed == nil && st.Stuck == nil:
		j.bad("promise 6: the run ended without an ending")
	case st.Stuck != nil:
		if len(st.Stuck.Live) == 0 || !strings.HasPrefix(st.Stuck.Next, "rekey ") || st.Stuck.Why == "" {
			j.bad("promise 6: stuck without saying what is live and what to do: %+v", st.Stuck)
		}
	case st.Closed.Ending == rotation.RefusedRun:
		j.refused()
	case st.Opened.Spec.Purpose == sop.ToRehearse:
		j.rehearsed()
	case st.Opened.Spec.Purpose == sop.ToRevoke, st.Opened.Spec.Purpose == sop.ToDelete:
		j.revoked()
	default:
		j.rotated()
	}
	return j.broken
}

// outages: nobody is without, unless the plan says so: a roll at once has no overlap,
// and an emergency takes it away.
func (j *judge) outages() {
	spec, plan := j.st.Opened.Spec, j.st.Plan
	switch {
	case spec.Purpose == sop.ToRevoke, spec.Purpose == sop.ToDelete, spec.Purpose == sop.AfterRevoke,
		plan != nil && plan.Strategy == rotation.RollAtOnce, plan == nil && j.lostTail && spec.Issuer.Strategy == "roll":
		return
	}
	for _, o := range j.now.outages {
		if j.byOthers(o) || j.byTheWay(o) {
			continue
		}
		j.bad("promise 1: outage of %s (%s) from %s: %s", o.Process, o.Var, o.From.Format(time.TimeOnly), o.Why)
	}
}

// untouched: what is no slot and no generation of this credential is as it was.
func (j *judge) untouched() {
	spec := j.st.Opened.Spec
	then := j.expected()
	now, want := j.now.others(spec), then.others(spec)
	for _, one := range []map[place]string{now, want} {
		maps.DeleteFunc(one, func(p place, _ string) bool { return j.lost(p) })
	}
	if !maps.Equal(want, now) {
		j.bad("what is not ours was changed: %d values besides, and %d before", len(now), len(want))
	}
	for _, was := range then.generations {
		if ours(spec, was) || j.theirs(was.ID) {
			continue
		}
		i := slices.IndexFunc(j.now.generations, func(g world.Generation) bool { return g.ID == was.ID && g.Kind == was.Kind })
		if i < 0 || j.now.generations[i].Live != was.Live || j.now.generations[i].On != was.On || j.now.generations[i].Named != was.Named {
			j.bad("%s %s is not ours, and was changed", was.Kind, was.Name)
		}
	}
}

// refused: nothing was changed. A run that began anew, because its journal was set
// back, in a world that it had changed, names what it had made.
func (j *judge) refused() {
	spec := j.st.Opened.Spec
	if j.lostTail {
		told := fmt.Sprint(j.st.Closed.Refusals)
		if slices.ContainsFunc(j.st.Closed.Refusals, func(r rotation.Refusal) bool { return r.Code == rotation.MadeNotSeen }) {
			return // it could not look, and says so
		}
		for _, g := range j.now.generations {
			if g.Live && strings.Contains(g.Name, j.st.Run) && !strings.Contains(told, g.Name) && !strings.Contains(told, g.ID) {
				j.bad("promise 3: the journal was restored to an earlier state, and %s, which lives, is not told", g.Name)
			}
		}
		return
	}
	then := j.expected()
	if len(j.now.generations) != len(then.generations) || len(j.now.ours(spec)) != len(then.ours(spec)) || !maps.Equal(j.now.kept, then.kept) {
		j.bad("promise 8: refused, but something was changed")
	}
}

// rotated: exactly one live generation bears the name, every place holds it, the rules
// name it as they named the one before, and the ending says which it is.
func (j *judge) rotated() {
	spec, st := j.st.Opened.Spec, j.st
	live := slices.DeleteFunc(j.now.ours(spec), func(g world.Generation) bool { return j.theirs(g.ID) })
	if len(live) == 0 && len(j.deeds) > 0 {
		var ids []string
		for _, g := range j.now.generations {
			if ours(spec, g) {
				ids = append(ids, g.ID)
			}
		}
		j.badAbout(about{ids: ids}, "promise 3: no live generation bears our name")
		return
	}
	if len(live) != 1 {
		var names []string
		for _, g := range live {
			names = append(names, g.Name)
		}
		j.bad("promise 3: %d live generations bear our name: %s", len(live), strings.Join(names, ", "))
		return
	}
	one := live[0]
	back := st.Closed.Ending == rotation.RolledBack
	earlier := back && st.Plan != nil && st.Plan.Strategy == rotation.RollWithGrace && one.Earlier != ""
	if earlier && !one.Until.IsZero() && one.Until.Sub(j.at) < 20*24*time.Hour {
		j.badAbout(about{ids: []string{one.ID}}, "promise 1: the secret in use will not live for long")
	}
	absent := map[place]bool{} // of a store: what was not there before is not there again
	if back && st.Plan != nil {
		for _, p := range spec.Stores() {
			for _, s := range st.Plan.Seen.SlotsOf(st.Plan.Spec, p.Key) {
				absent[place{p.Key, s.Slot}] = !s.Present
			}
		}
	}
	for _, p := range spec.Places() {
		for _, s := range p.Slots {
			want, ok := made(s.Template, one, earlier)
			if absent[place{p.Key, s.Name}] {
				want = secret.Value{}
			}
			if got := secret.New(j.now.kept[place{p.Key, s.Name}]); ok && !got.Equal(want) && !j.forgotten(p.Key, s.Name) {
				j.badAbout(about{slots: []place{{p.Key, s.Name}}, ids: []string{one.ID}}, "promise 3: slot %s of %s is not of the live generation", s.Name, p.Key)
			}
		}
	}
	if !one.On {
		j.badAbout(about{ids: []string{one.ID}}, "promise 3: the live one is switched off")
	}
	j.named(one)
	isNew := strings.Contains(one.Name, st.Run)
	if st.Plan != nil && st.Plan.Strategy == rotation.Replace && isNew != (st.Closed.Ending == rotation.Rotated) {
		j.badAbout(about{ids: []string{one.ID}}, "promise 6: the ending is %q, but %s is live", st.Closed.Ending, one.Name)
	}
}

// forgotten: a journal that was set back may have forgotten which value was its own, and of a
// place whose every answer is another account's nobody knows what it holds; then the
// last look of a run that went back says what the slot holds instead.
func (j *judge) forgotten(key, slot string) bool {
	return (j.misled || j.lostTail && !j.notes) && j.st.Closed.Ending == rotation.RolledBack && strings.Contains(j.journal, "slot "+slot+" of "+key+" holds ")
}

// named: rules name the live one as often as they named the one before, and none that
// is ended.
func (j *judge) named(one world.Generation) {
	before := 0
	for _, g := range j.expected().ours(j.st.Opened.Spec) {
		if !j.theirs(g.ID) {
			before = max(before, g.Named)
		}
	}
	if one.Named != before {
		j.badAbout(about{ids: j.ids()}, "promise 3: the live one is named in %d rules, want %d", one.Named, before)
	}
	for _, g := range j.now.generations {
		if !g.Live && g.Named > 0 {
			j.badAbout(about{ids: []string{g.ID}}, "promise 3: a rule still names %s, which is not live", g.Name)
		}
	}
}

// rehearsed: of the rehearsal nothing is left, and nothing else was touched.
func (j *judge) rehearsed() {
	for _, g := range j.now.generations {
		if g.Live && strings.HasPrefix(g.Name, sop.RehearsalPrefix) && !j.theirs(g.ID) {
			j.bad("promise 3: %s is left of the rehearsal", g.Name)
		}
	}
	then := j.expected().kept
	for p, v := range j.now.kept {
		was, there := then[p]
		if there && was == v || j.lostTail && !j.notes && slices.ContainsFunc(j.told, func(text string) bool { return strings.Contains(text, "slot "+p.slot) }) {
			continue // what it wrote before its journal was restored to an earlier state, it cannot tell from what others wrote
		}
		j.bad("a rehearsal left something in slot %s of %s", p.slot, p.where)
	}
	for p := range then {
		if _, there := j.now.kept[p]; !there {
			j.bad("a rehearsal took slot %s of %s away", p.slot, p.where)
		}
	}
}

// revoked: where it says so, it is off or gone; where it says that it went back, it works.
func (j *judge) revoked() {
	st := j.st
	if st.Plan == nil {
		return
	}
	for _, g := range j.now.generations {
		if g.ID != st.Plan.Old.ID {
			continue
		}
		switch {
		case st.Closed.Ending == rotation.Revoked && g.On:
			j.badAbout(about{ids: []string{g.ID}}, "it says revoked, and it works")
		case st.Closed.Ending == rotation.RolledBack && !g.On:
			j.badAbout(about{ids: []string{g.ID}}, "it says rolled back, and it does not work")
		case st.Opened.Spec.Purpose == sop.ToDelete && st.Closed.Ending == rotation.Revoked && g.Live:
			j.badAbout(about{ids: []string{g.ID}}, "it was to end for good, and did not")
		}
	}
	if !maps.Equal(j.expected().kept, j.now.kept) {
		j.bad("an emergency wrote a slot")
	}
}

// ids of all generations that bear our name.
func (j *judge) ids() (out []string) {
	for _, g := range j.now.generations {
		if ours(j.st.Opened.Spec, g) {
			out = append(out, g.ID)
		}
	}
	return out
}
