// Package drift says where issuer, store and consumers of a credential disagree, and which command fixes it.
package drift

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// Kind of a disagreement.
type Kind string

// The kinds, the worst first.
const (
	NotIssued   Kind = "not-issued"       // what the store holds belongs to no live credential
	SwitchedOff Kind = "switched-off"     // it belongs to one that is switched off
	Expired     Kind = "expired"          // it belongs to one whose time is over
	Revived     Kind = "revived"          // a consumer holds a generation that was replaced before
	Ahead       Kind = "store-ahead"      // the store was given another one, and consumers have what they had
	Behind      Kind = "consumer-ahead"   // a consumer holds a live credential, and the store holds another
	Changed     Kind = "consumer-changed" // a consumer holds something that nobody knows
	Names       Kind = "names-differ"     // the name and a former name hold different generations
	StoreBehind Kind = "store-behind"     // a store that follows the first holds another live credential than the first
	StoreOther  Kind = "store-changed"    // a store that follows the first holds something that nobody knows
	Missing     Kind = "slot-missing"     // a slot is not there
	RuleLost    Kind = "rule-lost"        // a rule that accepted the generation in use does not name it any more
	RuleShut    Kind = "rule-shut"        // no rule is left that accepts it
	RuleStray   Kind = "rule-stray"       // a rule names a generation that has ended
	NameRetired Kind = "name-retired"     // rekey.yaml still has a former name that was retired
	NotSeen     Kind = "not-seen"         // it could not be looked at, so nothing is known
)

// Finding is one disagreement. It holds no secret.
type Finding struct {
	Kind   Kind     `json:"kind"`
	Where  string   `json:"where"` // key of the place; "" for the issuer
	Slots  []string `json:"slots,omitempty"`
	What   string   `json:"what"`
	Repair string   `json:"repair"` // command, or what a person has to do
	// As tells one content of these slots from another, where the words are the same: a keyed
	// hash of their fingerprints and dates.
	As string `json:"as,omitempty"`
}

// Serious reports whether it is a disagreement and not a gap in what was seen.
func (f Finding) Serious() bool { return f.Kind != NotSeen }

// Compare says everything that disagrees. seen comes from runner.Compare; past is
// what the journal remembers, oldest first.
func Compare(spec sop.Spec, seen rotation.Observation, past []rotation.Generation) []Finding {
	c := comparison{spec: spec, seen: &seen, past: past}
	c.issuer()
	c.rules()
	c.store()
	for _, f := range seen.Further {
		c.follows(&rotation.ConsumerSeen{Key: f.Key, Slots: f.Slots, Holds: f.Holds})
	}
	for i := range seen.Consumers {
		c.consumer(&seen.Consumers[i])
	}
	for _, u := range seen.Unseen {
		c.add(NotSeen, "", nil, "rekey check "+spec.Name, "%s", u)
	}
	return c.out
}

type comparison struct {
	spec sop.Spec
	seen *rotation.Observation
	past []rotation.Generation
	out  []Finding
}

func (c *comparison) add(k Kind, where string, slots []string, repair, format string, args ...any) {
	c.out = append(c.out, Finding{Kind: k, Where: where, Slots: slots, Repair: repair, What: fmt.Sprintf(format, args...)})
}

func (c *comparison) repair() string { return "rekey repair " + c.spec.Name }

// issuer: is what the store holds alive?
func (c *comparison) issuer() {
	if c.seen.Issuer.Live == nil || c.seen.Store.Slots == nil {
		return // told as not seen
	}
	if h, ok := c.live(c.seen.Issuer.Owner); ok {
		switch {
		case h.Expired(c.seen.Theirs()):
			c.add(Expired, "", nil, "rekey run "+c.spec.Name+" --after-revoke", "%s, which the store holds, expired on %s", h.Name, h.Expires.UTC().Format(time.DateOnly))
		case h.Disabled:
			c.add(SwitchedOff, "", nil, "rekey run "+c.spec.Name+" --after-revoke", "%s, which the store holds, is switched off at %s", h.Name, c.spec.Issuer.Vendor)
		}
		return
	}
	then, known := "rekey run "+c.spec.Name+" --after-revoke", c.remembered(c.spec.Store.Key, c.seen.Store.Slots)
	if known == "" {
		then = "find out which credential is in use, and put it into the store; then: rekey check " + c.spec.Name
	}
	for _, k := range c.seen.Consumers {
		if _, ok := c.live(k.Holds); ok {
			then = c.repair() + " --from " + k.Key
		}
	}
	for _, f := range c.seen.Further {
		if _, ok := c.live(f.Holds); ok {
			then = c.repair() + " --from " + f.Key
		}
	}
	c.add(NotIssued, "", nil, then, "%s lists no live %s to which the stored credential belongs%s", c.spec.Issuer.Vendor, c.spec.Issuer.Kind, known)
}

// remembered says what the journal knows of what a place holds.
func (c *comparison) remembered(place string, slots []rotation.SlotSeen) string {
	for _, s := range slots {
		if g := c.known(place, s); g != nil {
			return ": it is " + name(*g)
		}
	}
	return ""
}

func (c *comparison) live(id string) (cred.Handle, bool) {
	for _, h := range c.seen.Issuer.Live {
		if h.ID == id && id != "" {
			return h, true
		}
	}
	return cred.Handle{}, false
}

// known returns the newest remembered generation whose value the slot holds.
func (c *comparison) known(place string, s rotation.SlotSeen) *rotation.Generation {
	for i := len(c.past) - 1; i >= 0; i-- {
		if fp := c.past[i].Prints[place][s.Slot]; fp != "" && fp == s.Fingerprint {
			return &c.past[i]
		}
	}
	return nil
}

func name(g rotation.Generation) string {
	if g.Ended.IsZero() {
		return g.Handle.Name
	}
	return g.Handle.Name + ", which ended on " + g.Ended.UTC().Format(time.DateOnly)
}

// store: do its own slots agree?
func (c *comparison) store() {
	defer c.as(len(c.out), c.seen.Store.Slots)
	differing, missing := split(c.seen.Store.Slots)
	if len(differing) > 0 {
		c.add(Names, c.spec.Store.Key, names(differing), c.repair(), "%s holds something else in %s than its other slots say%s",
			c.spec.Store.Key, strings.Join(names(differing), ", "), c.remembered(c.spec.Store.Key, differing))
	}
	if len(missing) > 0 && len(missing) < len(c.seen.Store.Slots) {
		c.add(Missing, c.spec.Store.Key, missing, c.repair(), "%s has no %s", c.spec.Store.Key, strings.Join(missing, ", "))
	}
}

// as marks what was found since with what the slots hold.
func (c *comparison) as(since int, slots []rotation.SlotSeen) {
	for i := range c.out[since:] {
		f := &c.out[since+i]
		h := sha256.New()
		for _, s := range slots {
			if slices.Contains(f.Slots, s.Slot) {
				_, _ = fmt.Fprintf(h, "%q %q %d\n", s.Slot, s.Fingerprint, s.Written.UnixNano())
			}
		}
		if len(f.Slots) > 0 {
			f.As = hex.EncodeToString(h.Sum(nil)[:5])
		}
	}
}

// split tells the slots that hold something else than they should from those that
// are not there.
func split(slots []rotation.SlotSeen) (differing []rotation.SlotSeen, missing []string) {
	for _, s := range slots {
		switch {
		case !s.Present:
			missing = append(missing, s.Slot)
		case s.Untold(): // told of by itself
		case s.Expected != "" && s.Fingerprint != s.Expected:
			differing = append(differing, s)
		}
	}
	return differing, missing
}

func names(slots []rotation.SlotSeen) []string {
	var out []string
	for _, s := range slots {
		out = append(out, s.Slot)
	}
	return out
}
