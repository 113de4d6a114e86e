package runner

import (
	"slices"
	"sort"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// Seeker looks for one credential in what places hold. It has values and gives
// none away.
type Seeker struct {
	spec   sop.Spec
	keyer  secret.Keyer
	search secret.Search
	inUse  string                                   // name of the generation in use
	past   map[cred.Fingerprint]rotation.Generation // what was ever written of earlier ones
	live   []cred.Handle
}

// seeker prepares to look for what b holds, and for what the journal remembers.
// What the issuer lists openly, and what its sheet calls public, is not a secret: it
// names the credential only.
func (r *Runner) seeker(spec sop.Spec, b secret.Bundle, issuer rotation.IssuerSeen, past []rotation.Generation) *Seeker {
	k := &Seeker{spec: spec, keyer: r.Keyer, past: map[cred.Fingerprint]rotation.Generation{}, live: issuer.Live}
	// Of what the issuer lists only that is kept which stands somewhere: lists are long.
	open := map[cred.Fingerprint]bool{}
	for _, v := range b {
		open[r.Keyer.Of(v)] = false
	}
	for _, g := range past {
		for _, slots := range g.Prints {
			for _, fp := range slots {
				open[fp] = false
			}
		}
	}
	opens := func(h cred.Handle) {
		for _, text := range []string{h.ID, h.Public, h.Name} {
			fp := r.Keyer.OfText(text)
			if _, stands := open[fp]; stands {
				open[fp] = true
			}
		}
	}
	for _, h := range issuer.Live {
		if h.ID == issuer.Owner {
			k.inUse = h.Name
		}
		opens(h)
	}
	public := func(field string) bool { return slices.Contains(r.Can.Public, field) }
	named := map[string]bool{} // slots that hold public fields only
	var templates []cred.Template
	for _, p := range spec.Places() {
		for _, s := range p.Slots {
			templates = append(templates, s.Template)
			named[p.Key+"\x00"+s.Name] = !slices.ContainsFunc(s.Template.Fields(), func(f string) bool { return !public(f) })
		}
	}
	k.search = secret.NewSearch(b, func(field string, v secret.Value) bool { return public(field) || open[r.Keyer.Of(v)] }, templates)
	for _, g := range past { // oldest first: of equal values the newest generation counts
		opens(g.Handle)
		for place, slots := range g.Prints {
			for slot, fp := range slots {
				if !named[place+"\x00"+slot] {
					k.past[fp] = g
				}
			}
		}
	}
	for fp, listed := range open {
		if listed {
			delete(k.past, fp)
		}
	}
	return k
}

// Manner says in which spellings it looks.
func (k *Seeker) Manner() string { return k.search.Manner() }

// In returns what a place holds of the credential in slots that are not
// registered; false if nothing.
func (k *Seeker) In(vendor string, s provider.Spot) (rotation.Copy, bool) {
	c := rotation.Copy{Key: s.Key, Vendor: vendor, Settings: s.Settings, Consumer: s.Consumer, Kept: s.Kept}
	known := map[string]bool{}
	places := k.spec.Places()
	if k.spec.Rehearse != nil {
		places = append(append(places, k.spec.Rehearse.Store), k.spec.Rehearse.Further...)
	}
	for _, p := range places {
		if p.Vendor != vendor || !s.Is(p.Settings) {
			continue
		}
		c.Registered = true
		for _, slot := range p.Slots {
			known[slot.Name] = true
		}
	}
	for name, v := range s.Slots {
		if known[name] {
			continue
		}
		if slot, ok := k.slot(name, v); ok {
			c.Slots = append(c.Slots, slot)
		}
	}
	sort.Slice(c.Slots, func(i, j int) bool { return c.Slots[i].Slot < c.Slots[j].Slot })
	return c, len(c.Slots) > 0
}

func (k *Seeker) slot(name string, v secret.Value) (rotation.CopySlot, bool) {
	s := rotation.CopySlot{Slot: name, Generation: k.inUse, Live: k.inUse != "", Fingerprint: k.keyer.Of(v)}
	match, template := k.search.In(v)
	s.Template = template
	switch match {
	case secret.Whole:
		s.How = rotation.HoldsWhole
		return s, true
	case secret.Inside:
		s.How = rotation.HoldsInside
		return s, true
	}
	g, ok := k.past[s.Fingerprint]
	if !ok {
		g, ok = k.past[k.keyer.Of(v.Trimmed())]
	}
	if ok && s.Fingerprint != "" {
		s.How, s.Generation, s.Live, s.Template = rotation.HoldsFormer, g.Handle.Name, g.Ended.IsZero() && slices.ContainsFunc(k.live, func(h cred.Handle) bool { return h.ID == g.Handle.ID }), ""
		return s, true
	}
	s.How = rotation.OnlyNames
	return s, match == secret.Names
}
