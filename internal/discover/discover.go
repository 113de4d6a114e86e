// Package discover says who has to do with a credential without being registered, how bad that is, and what to do about it.
package discover

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Kind of a finding.
type Kind string

// The kinds, the worst first.
const (
	Unregistered Kind = "unregistered-consumer" // something that is to be switched and is not in rekey.yaml
	StoredCopy   Kind = "stored-copy"           // another folder or environment of a store holds it
	Earlier      Kind = "earlier-copy"          // the value of an earlier generation is still kept somewhere
	Orphan       Kind = "orphan"                // a run made it, and nobody has it
	Unclaimed    Kind = "unclaimed"             // live at the issuer, and no credential's
	NotSeen      Kind = "not-seen"              // it could not be looked at, so nothing is known
	Named        Kind = "named"                 // its public half stands there: it is known, not had
)

// Finding is one thing that nobody registered. It holds no secret.
type Finding struct {
	Kind       Kind         `json:"kind"`
	Credential string       `json:"credential,omitempty"` // "": of no credential
	Where      string       `json:"where"`                // key of the place, or the issuer's vendor and kind
	Slots      []string     `json:"slots,omitempty"`
	What       string       `json:"what"`
	Next       string       `json:"next"`                           // command, or what a person has to do
	YAML       string       `json:"yaml,omitempty" visible:"lines"` // lines for rekey.yaml
	Under      string       `json:"under,omitempty"`                // where they belong there
	Handle     *cred.Handle `json:"handle,omitempty"`               // of an orphan or unclaimed one
	Rules      []string     `json:"rules,omitempty"`                // that name that one
	risk       int
}

// Counts reports whether it is something that nobody registered, and neither a gap
// in what was seen nor a mere name.
func (f Finding) Counts() bool { return f.Kind != NotSeen && f.Kind != Named }

// Rule is a rule that has to do with a credential.
type Rule struct {
	Kind  string `json:"kind"`
	Name  string `json:"name"`
	How   string `json:"how"`             // admits, names, anyone
	Scope string `json:"scope,omitempty"` // a zone, where it is none of the account's
	Gates int    `json:"gates"`           // applications that it decides on
}

// How a rule has to do with a credential.
const (
	Admits  = "admits" // it accepts whom it names, and names it
	Mention = "names"  // it names it, and accepting is not what it does
	Anyone  = "anyone" // it accepts any valid token
)

// Run is what has to be known of a run to tell whose a label is.
type Run struct {
	ID, Credential string
	Open           bool
	Current        string // id of the generation that it left in use; "" if none
	Old            string // id of the generation that it replaces, while it is open; "" if none
}

// Seen is everything that was looked at about one credential.
type Seen struct {
	Spec   sop.Spec
	Issuer rotation.IssuerSeen // Live nil: the list could not be read
	Rules  rotation.AdmissionSeen
	Copies []rotation.Copy
	Unseen []string
}

// Findings says everything that nobody registered, the worst first.
func Findings(all []Seen, blind []rotation.Blind, runs []Run, now time.Time) []Finding {
	d := discovery{all: all, runs: map[string]Run{}, now: now}
	for _, r := range slices.Backward(runs) {
		d.runs[r.ID] = r // of two with one id the first counts
		if !slices.Contains(d.lengths, len(r.ID)) {
			d.lengths = append(d.lengths, len(r.ID))
		}
	}
	for i := range all {
		d.copies(&all[i])
		for _, u := range all[i].Unseen {
			d.add(Finding{Kind: NotSeen, Credential: all[i].Spec.Name, Where: all[i].Spec.Issuer.Vendor, What: u, Next: "rekey check " + all[i].Spec.Name}, 60)
		}
	}
	for _, b := range blind {
		d.add(Finding{Kind: NotSeen, Where: b.Key, What: fmt.Sprintf("what %s holds could not be seen: %s", b.Key, b.Why), Next: "give Rekey's token there the right to read it, or look by hand"}, 60)
	}
	d.generations()
	slices.SortStableFunc(d.out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.risk, b.risk), cmp.Compare(a.Credential, b.Credential), cmp.Compare(a.Where, b.Where))
	})
	return d.out
}

// RulesOf says which rules have to do with a credential.
func RulesOf(s Seen) []Rule {
	out := []Rule{} // none is a list as well
	add := func(p cred.Place, how string) {
		out = append(out, Rule{Kind: p.Kind, Name: p.Name, How: how, Scope: p.Scope, Gates: len(p.Guards)})
	}
	for _, h := range s.Issuer.Live {
		if h.ID != s.Issuer.Owner {
			continue
		}
		for _, p := range s.Rules.Places {
			switch {
			case !p.NamesAny(h):
			case p.Admits:
				add(p, Admits)
			default:
				add(p, Mention)
			}
		}
	}
	for _, p := range s.Rules.Everyone {
		add(p, Anyone)
	}
	return out
}

type discovery struct {
	all     []Seen
	runs    map[string]Run // by id
	lengths []int          // of their ids
	now     time.Time
	out     []Finding
}

func (d *discovery) add(f Finding, risk int) {
	f.risk = risk
	d.out = append(d.out, f)
}

// copies: who holds it, or what was it, or its name.
func (d *discovery) copies(s *Seen) {
	for _, c := range s.Copies {
		by := map[string][]rotation.CopySlot{}
		for _, slot := range c.Slots {
			how := slot.How
			switch {
			case how == rotation.HoldsInside:
				how = rotation.HoldsWhole
			case how == rotation.HoldsFormer && slot.Live:
				how = "live"
			}
			by[how] = append(by[how], slot)
		}
		if held := by[rotation.HoldsWhole]; len(held) > 0 {
			d.held(s.Spec, c, held)
		}
		if old := by["live"]; len(old) > 0 {
			d.add(Finding{Kind: Earlier, Credential: s.Spec.Name, Where: c.Key, Slots: names(old),
				What: fmt.Sprintf("%s holds an earlier credential in %s: %s, which is still live", c.Key, list(old), old[0].Generation),
				Next: "give it what the store holds, then revoke that one"}, 20)
		}
		if old := by[rotation.HoldsFormer]; len(old) > 0 {
			d.add(Finding{Kind: Earlier, Credential: s.Spec.Name, Where: c.Key, Slots: names(old),
				What: fmt.Sprintf("%s holds an earlier credential in %s: %s, which no longer works", c.Key, list(old), old[0].Generation),
				Next: "take it out there, or register the place"}, 50)
		}
		if only := by[rotation.OnlyNames]; len(only) > 0 && len(by[rotation.HoldsWhole]) == 0 {
			d.add(Finding{Kind: Named, Credential: s.Spec.Name, Where: c.Key, Slots: names(only),
				What: fmt.Sprintf("%s names it in %s: the public half alone, which proves nothing", c.Key, list(only)),
				Next: "look whether the secret half is given to it in another way"}, 70)
		}
	}
}

// held: somebody holds the generation in use.
func (d *discovery) held(spec sop.Spec, c rotation.Copy, held []rotation.CopySlot) {
	f := Finding{Kind: Unregistered, Credential: spec.Name, Where: c.Key, Slots: names(held)}
	risk := 0
	switch {
	case !c.Consumer:
		f.Kind, risk = StoredCopy, 10
		f.What = fmt.Sprintf("%s holds it in %s: anything that reads it there loses access with the next rotation", c.Key, list(held))
		f.Next = "let its readers read " + spec.Store.Key + ", then take it out"
		if c.Registered {
			f.Next = "let its readers read the slots that rekey.yaml names, then take it out"
		}
	case c.Kept:
		risk = 15
		f.What = fmt.Sprintf("%s holds it in %s, and rekey.yaml allows that it keeps it, without access, after the next rotation", c.Key, list(held))
		f.Next = "recreate that app after the rotation"
	case c.Registered:
		f.What = fmt.Sprintf("%s also holds it in %s, which rekey.yaml does not name: the next rotation breaks that slot", c.Key, list(held))
		f.Next = "add the slots to its entry, or take them out there"
		f.YAML, f.Under = slotLines(spec, held, ""), "its entry under "+under(spec)
	default:
		f.What = fmt.Sprintf("%s holds it in %s and is not registered: it loses access with the next rotation", c.Key, list(held))
		f.Next = "add it to rekey.yaml, or take it out there"
		f.YAML, f.Under = Entry(spec, c), under(spec)
	}
	d.add(f, risk)
}

func under(spec sop.Spec) string { return "credentials." + spec.Name + ".consumers" }

func names(slots []rotation.CopySlot) []string {
	var out []string
	for _, s := range slots {
		out = append(out, s.Slot)
	}
	return out
}

func list(slots []rotation.CopySlot) string {
	var out []string
	for _, s := range slots {
		how := s.Slot
		if s.How == rotation.HoldsInside {
			how += " (inside a longer value)"
		}
		out = append(out, how)
	}
	return strings.Join(out, ", ")
}
