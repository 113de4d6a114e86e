package rotation

import (
	"slices"

	"rekey/internal/cred"
)

// Naming are the rules that name some generation: of the others there may be many,
// and none of them matters until it should name this one.
func Naming(all []cred.Place) []cred.Place {
	out := []cred.Place{}
	for _, p := range all {
		if len(p.Names) > 0 {
			out = append(out, p)
		}
	}
	return out
}

// Lost compares the rules as they are, all of them, with what the journal remembers
// of a generation: which rules accepted it and are there, and no longer name it;
// and whether no rule is left that could accept it.
func Lost(all []cred.Place, h cred.Handle, past []Generation) (lost []cred.Place, shut bool) {
	known := remembered(past, h.ID)
	if known == nil {
		return nil, false
	}
	open := true // where no rule was ever known to accept it, none can be missing
	for _, was := range known.Places {
		open = open && !was.Admits
	}
	for _, p := range all {
		was, should := known.Places[p.Key()]
		switch {
		case p.Admits && (p.Everyone || p.NamesAny(h)):
			open = true
		case should && was.Admits && p.Admits:
			lost, open = append(lost, p), true
		}
	}
	return lost, !open
}

// Formerly are the rules, of those that are there, that accepted a generation before it
// ended: its successor belongs into them.
func Formerly(all []cred.Place, id string, past []Generation) []cred.Place {
	known := remembered(past, id)
	if known == nil {
		return nil
	}
	var out []cred.Place
	for _, p := range all {
		was, named := known.Places[p.Key()]
		if !named {
			was = known.Left[p.Key()]
		}
		if was.Admits && p.Admits {
			out = append(out, p)
		}
	}
	return out
}

// Strays are the rules that name a generation which, as the journal knows, has ended.
func Strays(all []cred.Place, live []cred.Handle, past []Generation) map[string][]Generation {
	out := map[string][]Generation{}
	for _, p := range all {
		for _, g := range past {
			alive := slices.ContainsFunc(live, func(h cred.Handle) bool { return h.ID == g.Handle.ID })
			if !g.Ended.IsZero() && !alive && p.NamesAny(g.Handle) {
				out[p.Key()] = append(out[p.Key()], g)
			}
		}
	}
	return out
}

// remembered is the newest that the journal knows of a generation; nil if nothing.
func remembered(past []Generation, id string) *Generation {
	for i := len(past) - 1; i >= 0; i-- {
		if past[i].Handle.ID == id && id != "" {
			return &past[i]
		}
	}
	return nil
}

// admitted notes what the outcome of a step says of who is named where.
func (g *Generation) admitted(verb Verb, key string, now *cred.Place) {
	switch verb {
	case Admit, Readmit:
		if now != nil {
			g.place(*now)
		}
	case Dismiss, Withdraw:
		if p, ok := g.Places[key]; ok {
			if g.Left == nil {
				g.Left = map[string]cred.Place{}
			}
			g.Left[key] = p
		}
		delete(g.Places, key)
	}
}

func (g *Generation) place(p cred.Place) {
	if g.Places == nil {
		g.Places = map[string]cred.Place{}
	}
	g.Places[p.Key()] = p
}
