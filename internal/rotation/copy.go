package rotation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/sop"
)

// Copy is a place that holds something of a credential in slots that rekey.yaml
// does not name. It has no values.
type Copy struct {
	Key        string          `json:"key"` // "heroku:other-app"
	Vendor     string          `json:"vendor"`
	Settings   json.RawMessage `json:"settings"`             // as they would stand in rekey.yaml
	Consumer   bool            `json:"consumer"`             // it can be registered as one; otherwise it is a folder of a store
	Registered bool            `json:"registered,omitempty"` // the place is; these slots of it are not
	Kept       bool            `json:"kept,omitempty"`       // rekey.yaml says that it keeps what it holds
	Slots      []CopySlot      `json:"slots"`
}

// How a slot holds a credential.
const (
	HoldsWhole  = "holds"   // the value that a template makes, or the secret alone
	HoldsInside = "inside"  // the secret stands in a longer value
	HoldsFormer = "earlier" // the value of an earlier generation
	OnlyNames   = "names"   // its public half only: it is known there, not had
)

// CopySlot is one slot of it.
type CopySlot struct {
	Slot        string           `json:"slot"`
	How         string           `json:"how"`
	Template    string           `json:"template,omitempty"`   // as it would be written; "": that cannot be told without telling what else is there
	Generation  string           `json:"generation,omitempty"` // name of the generation
	Live        bool             `json:"live"`                 // that generation is live
	Fingerprint cred.Fingerprint `json:"fingerprint"`
}

// Blind is a place that could not be looked at: not "nothing there".
type Blind struct {
	Key string `json:"key"` // of the place, or the vendor: all of it
	Why string `json:"why"`
}

// InUse are the slots that hold the generation in use.
func (c Copy) InUse() []string {
	var out []string
	for _, s := range c.Slots {
		if s.How == HoldsWhole || s.How == HoldsInside {
			out = append(out, s.Slot)
		}
	}
	return out
}

// losesAccess reports whether a process there would be without a credential once the one
// in use is gone.
func (c Copy) losesAccess() bool { return c.Consumer && !c.Kept && len(c.InUse()) > 0 }

// LosingAccess are those of the copies that lose access and are not named in despite.
func LosingAccess(copies []Copy, despite []string) []Copy {
	var out []Copy
	for _, c := range copies {
		if c.losesAccess() && !slices.Contains(despite, c.Key) {
			out = append(out, c)
		}
	}
	return out
}

// Says is the copy in words.
func (c Copy) Says() string {
	what := "is not registered"
	if c.Registered {
		what = "is registered without that"
	}
	return fmt.Sprintf("%s holds it in %s and %s", c.Key, strings.Join(c.InUse(), ", "), what)
}

// unregistered refuses to begin a run that would leave somebody without a working credential.
func unregistered(spec sop.Spec, seen *Observation, add adder) {
	for _, c := range LosingAccess(seen.Copies, spec.Despite) {
		add(UnregisteredConsumer, fmt.Sprintf("register it (rekey discover %s prints the lines), take it out there, or leave it without: --despite %s", spec.Name, c.Key), "%s: it would lose access", c.Says())
	}
	if !spec.Looks() {
		return
	}
	// A name that is written wrongly would excuse nobody now, and somebody else on
	// another day.
	for _, key := range spec.Despite {
		known := slices.ContainsFunc(seen.Copies, func(c Copy) bool { return c.Key == key }) ||
			slices.ContainsFunc(seen.Blind, func(b Blind) bool { return b.Key == key })
		if !known {
			add(UnknownPlace, "leave it out, or write it as rekey discover does: heroku:some-app", "--despite %s: nobody of that name holds the credential", key)
		}
	}
}

// others says in the plan what is known of others, and what is not.
func (p *Plan) others(note func(string, ...any)) {
	if p.Spec.Discover == "off" {
		note("other holders are not searched for (discover: off)")
		return
	}
	for _, c := range p.Seen.Copies {
		switch {
		case !c.losesAccess():
			if c.Kept && len(c.InUse()) > 0 {
				note("%s, and keeps it, dead, as rekey.yaml says", c.Says())
			}
		default:
			note("%s: it loses access, as --despite allows", c.Says())
		}
	}
	for _, b := range p.Seen.Blind {
		note("whether %s holds it could not be seen: %s", b.Key, b.Why)
	}
}

// survey adds the check for other holders of the old one: immediately before the first
// step that takes something away from it, and after the confirmation, for which a
// person may have taken a day.
func (p *Plan) survey(b *builder, when string, needs []string) []string {
	if !p.Spec.Looks() {
		return needs
	}
	return append(slices.Clone(needs), b.add(Step{Verb: Survey, Target: when, Needs: needs, Ask: true,
		Title: "check who else holds the old one " + when}))
}

// Despite are the places that a person has named, for this run or for going on
// with it.
func (s *State) Despite() []string {
	return slices.Concat(s.Plan.Spec.Despite, s.Named)
}

// found are the copies because of which a step does not go on.
func (s *State) found(id string) []Copy {
	p := s.Steps[id]
	if p == nil || p.Last == nil || p.Status != Broken {
		return nil
	}
	return LosingAccess(p.Last.Copies, s.Despite())
}

// Held are the copies because of which the run is stuck.
func (s *State) Held() []Copy {
	if s.Plan == nil {
		return nil
	}
	for _, st := range s.Plan.Steps {
		if c := s.found(st.ID); st.Verb == Survey && len(c) > 0 {
			return c
		}
	}
	return nil
}
