package sop

import (
	"regexp"
	"slices"
)

// conventional is <VENDOR>_<FUNCTION>_<SCOPE>: words in capitals, three or more.
var conventional = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+){2,}$`)

// WithoutName is the spec of a run that retires a former name: its slots are
// taken away, everything else stays as it is.
func (s Spec) WithoutName(former string) Spec {
	s.Purpose, s.Target = ToForget, former
	drop := func(p Place) Place {
		p.Slots = slices.Clone(p.Slots)
		for i := range p.Slots {
			p.Slots[i].Dropped = p.Slots[i].For == former
		}
		return p
	}
	s.Store, s.Further, s.Consumers = drop(s.Store), slices.Clone(s.Further), slices.Clone(s.Consumers)
	for _, places := range [][]Place{s.Further, s.Consumers} {
		for i := range places {
			places[i] = drop(places[i])
		}
	}
	return s
}

// Kept returns the slots that stay.
func (p Place) Kept() []string { return p.which(false) }

// Dropped returns the slots that are taken away.
func (p Place) Dropped() []string { return p.which(true) }

func (p Place) which(dropped bool) []string {
	var out []string
	for _, s := range p.Slots {
		if s.Dropped == dropped {
			out = append(out, s.Name)
		}
	}
	return out
}

// Formerly returns the credential to which a former name belongs, and the line
// at which rekey.yaml says so.
func (c *Config) Formerly(name string) (spec Spec, line int, ok bool) {
	for _, s := range c.Specs {
		if slices.Contains(s.Former, name) {
			return s, c.formerLines[name], true
		}
	}
	return Spec{}, 0, false
}
