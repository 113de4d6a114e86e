package stage

import (
	"strings"
	"time"

	"rekey/internal/world"
)

// Kinds of what is no fault: somebody else, a person or another program, does at that
// moment what they may do (Fault.Act), and the call goes its way.
const (
	OthersBefore Kind = "somebody else, before" // right before the call
	OthersAfter  Kind = "somebody else, after"  // right after its effect, before its answer
)

// Others are the two.
var Others = []Kind{OthersBefore, OthersAfter}

// Acts are the names of all that somebody else can do in this world.
func (s *Stage) Acts() (out []string) {
	s.World.See(func(*world.State) {
		for _, a := range s.acts() {
			out = append(out, a.Name)
		}
	})
	return out
}

func (s *Stage) acts() (out []world.Act) {
	for _, d := range s.World.Doubles() {
		if shared, ok := d.(world.Shared); ok {
			out = append(out, shared.Others()...)
		}
	}
	return out
}

// deed is what somebody else did, and the world right before and after it.
type deed struct {
	act           string
	at            time.Time
	line          int // entries that the journal had
	call          int
	alone         bool // no process was there
	inAnswer      bool // right after a call that changed something, before any look
	gap           bool // the very next call changes something: no look can come between
	before, after truth
}

// Deeds is how often somebody else did something so far.
func (s *Stage) Deeds() int { return len(s.deeds) }

// theyDo lets somebody else do something now.
func (s *Stage) theyDo(f Fault, changes bool) {
	d := deed{act: f.Act, at: s.Clock.Now(), line: len(s.Log.Lines), call: s.Calls, before: s.truth()}
	d.gap = changes && f.Kind == OthersBefore
	d.alone = s.died == s.Calls-1
	d.inAnswer = changes && f.Kind == OthersAfter || s.wrote && f.Kind == OthersBefore
	did := false
	s.World.Do(func() {
		for _, a := range s.acts() {
			if a.Name == f.Act {
				did = a.Do()
			}
		}
	})
	if did {
		d.after = s.truth()
		s.deeds = append(s.deeds, d)
	}
}

// callComes: what was done right before a change could be seen by nobody.
func (s *Stage) callComes(changes bool) {
	for i := range s.deeds {
		if d := &s.deeds[i]; d.call == s.Calls-1 && changes {
			d.gap = true
		}
	}
}

// callWent notes what the last call was.
func (s *Stage) callWent(changed bool) {
	if s.wrote = changed; changed {
		s.changes = append(s.changes, s.Calls)
	}
}

// wrote tells the slots that it changed.
func (d deed) wrote() (out []place) {
	for p, v := range d.after.kept {
		if was, there := d.before.kept[p]; !there || was != v {
			out = append(out, p)
		}
	}
	for p := range d.before.kept {
		if _, there := d.after.kept[p]; !there {
			out = append(out, p)
		}
	}
	return out
}

// changed tells the generations that it changed or made.
func (d deed) changed() (out []world.Generation) {
	for _, g := range d.after.generations {
		if was, ok := d.before.generation(g.ID); !ok || !same(was, g) {
			out = append(out, g)
		}
	}
	return out
}

func same(a, b world.Generation) bool {
	if a.Live != b.Live || a.On != b.On || a.Named != b.Named || a.Earlier != b.Earlier || !a.Until.Equal(b.Until) || len(a.Fields) != len(b.Fields) {
		return false
	}
	for f, v := range a.Fields {
		if b.Fields[f] != v {
			return false
		}
	}
	return true
}

// took reports whether it made a value that is held useless: the generation that it is
// of was ended, switched off, given another secret, or taken out of a rule.
func (d deed) took(held string) bool {
	for _, was := range d.before.generations {
		if !opens(was, held) {
			continue
		}
		now, there := d.after.generation(was.ID)
		if was.Live && was.On && (!there || !now.Live || !now.On || !opens(now, held) || now.Named < was.Named) {
			return true
		}
	}
	return false
}

// opens reports whether a value is made of a secret of a generation.
func opens(g world.Generation, held string) bool {
	for _, v := range g.Fields {
		if v != "" && strings.Contains(held, v) {
			return true
		}
	}
	return g.Earlier != "" && strings.Contains(held, g.Earlier)
}

// unnamed reports whether it only took the generation of a value out of a rule.
func (d deed) unnamed(held string) bool {
	for _, was := range d.before.generations {
		if now, there := d.after.generation(was.ID); opens(was, held) && there && now.Live && now.On && now.Named < was.Named {
			return true
		}
	}
	return false
}
