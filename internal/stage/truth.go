package stage

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/world"
)

// truth is what the world knows and the program does not, at one moment.
type truth struct {
	generations []world.Generation
	kept        map[place]string
	secrets     map[string]string // by what they are
	outages     []world.Outage
	processes   map[string]bool // that live, by their ids
}

// generation finds one by its id.
func (t truth) generation(id string) (world.Generation, bool) {
	for _, g := range t.generations {
		if g.ID == id {
			return g, true
		}
	}
	return world.Generation{}, false
}

func (t truth) clone() truth {
	t.generations, t.kept = slices.Clone(t.generations), maps.Clone(t.kept)
	return t
}

// place is a slot of a store or consumer.
type place struct{ where, slot string }

// truth looks at every double.
func (s *Stage) truth() truth {
	t := truth{kept: map[place]string{}, secrets: map[string]string{}, processes: map[string]bool{}}
	s.World.See(func(w *world.State) {
		t.outages = slices.Clone(w.Outages)
		for _, d := range s.World.Doubles() {
			if i, ok := d.(world.Issues); ok {
				t.generations = append(t.generations, i.Generations()...)
			}
			if k, ok := d.(world.Keeps); ok {
				k.Kept(func(k world.Kept) { t.kept[place{k.Where, k.Slot}] = k.Value })
			}
			if r, ok := d.(world.Runs); ok {
				r.Processes(func(p world.Process) { t.processes[p.ID] = t.processes[p.ID] || p.Alive(w.At) })
			}
			if h, ok := d.(world.Hides); ok {
				maps.Copy(t.secrets, h.Secrets())
			}
		}
	})
	for _, g := range t.generations {
		for field, v := range g.Fields {
			t.secrets[fmt.Sprintf("%s of the %s %s (%s)", field, g.Kind, g.Name, g.ID)] = v
		}
		if g.Earlier != "" {
			t.secrets["the earlier secret of "+g.Name] = g.Earlier
		}
	}
	return t
}

// ours reports whether a generation bears the name of a credential.
func ours(spec sop.Spec, g world.Generation) bool {
	fixed, _, _ := strings.Cut(spec.Issuer.Name, "<")
	return strings.HasPrefix(g.Name, fixed) || strings.HasPrefix(g.Name+"-", fixed)
}

// ours are the generations that are live and bear its name.
func (t truth) ours(spec sop.Spec) (out []world.Generation) {
	for _, g := range t.generations {
		if g.Live && ours(spec, g) {
			out = append(out, g)
		}
	}
	return out
}

// made is what a slot should hold of a generation; false: its bundle does not say.
func made(t cred.Template, g world.Generation, earlier bool) (secret.Value, bool) {
	b := secret.Bundle{}
	for _, fields := range []map[string]string{g.Public, g.Fields} {
		for f, v := range fields {
			b[f] = secret.New(v)
		}
	}
	if earlier && g.Earlier != "" {
		for f := range g.Fields {
			b[f] = secret.New(g.Earlier)
		}
	}
	v, err := b.Render(t)
	return v, err == nil
}

// others is everything that is kept and no slot of this credential.
func (t truth) others(spec sop.Spec) map[place]string {
	out := maps.Clone(t.kept)
	for _, p := range spec.Places() {
		for _, n := range p.SlotNames() {
			delete(out, place{p.Key, n})
		}
	}
	return out
}
