package drift

import (
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/rotation"
)

// follows: does a store that follows the first hold what that one holds? It is compared
// as a consumer is, and what is said of it is said of a store.
func (c *comparison) follows(k *rotation.ConsumerSeen) {
	before := len(c.out)
	c.consumer(k)
	for i := range c.out[before:] {
		switch f := &c.out[before+i]; f.Kind {
		case Behind:
			f.Kind = StoreBehind
		case Changed:
			f.Kind = StoreOther
		}
	}
}

// first is the store that is the truth, in words.
func (c *comparison) first() string {
	if len(c.spec.Further) == 0 {
		return "the store"
	}
	return c.spec.Store.Key
}

// consumer: does it hold what the store holds, and if not, what?
func (c *comparison) consumer(k *rotation.ConsumerSeen) {
	defer c.as(len(c.out), k.Slots)
	c.untold(k)
	differing, missing := split(k.Slots)
	if len(missing) > 0 {
		c.add(Missing, k.Key, missing, c.repair(), "%s has no %s", k.Key, strings.Join(missing, ", "))
	}
	if len(differing) == 0 {
		return
	}
	slots := names(differing)
	list := strings.Join(slots, ", ")
	if i := slices.IndexFunc(differing, func(s rotation.SlotSeen) bool { return s.From != "" }); i >= 0 {
		c.add(Revived, k.Key, slots, c.repair(), "%s: %s brought an earlier value back into %s%s", k.Key, differing[i].From, list, c.remembered(k.Key, differing))
		return
	}
	if h, ok := c.live(k.Holds); ok && k.Holds != c.seen.Issuer.Owner {
		c.ahead(k, h, slots)
		return
	}
	if g := c.oneOf(k.Key, differing); g != nil {
		if h, ok := c.live(g.Handle.ID); ok && g == c.latest() {
			c.add(Ahead, k.Key, slots, c.repair(), "%s was given another credential, and %s still holds %s in %s", c.first(), k.Key, h.Name, list)
			return
		}
		c.add(Revived, k.Key, slots, c.repair(), "%s holds %s in %s", k.Key, name(*g), list)
		return
	}
	if c.oneName(k.Key, slots) && len(slots) < len(k.Slots)-len(missing) {
		c.add(Names, k.Key, slots, c.repair(), "%s holds different credentials under its names: %s does not agree with the rest", k.Key, list)
		return
	}
	c.add(Changed, k.Key, slots, c.repair(), "%s holds something in %s that neither %s nor the journal knows", k.Key, list, c.first())
}

// untold: what it holds in these slots is shown to nobody, so nobody can say that it
// agrees. When they were last written tells whether somebody else has written them.
func (c *comparison) untold(k *rotation.ConsumerSeen) {
	var quiet, foreign []string
	var at time.Time
	for _, s := range k.Slots {
		if !s.Untold() {
			continue
		}
		if s.Written.After(at) {
			at = s.Written
		}
		if ours := c.dated(k.Key, s.Slot); !ours.IsZero() && !ours.Equal(s.Written) {
			foreign = append(foreign, s.Slot)
		} else {
			quiet = append(quiet, s.Slot)
		}
	}
	when := "it does not report when they were written"
	if !at.IsZero() {
		when = "last written at " + at.UTC().Format(time.RFC3339) + " by its clock"
	}
	if len(foreign) > 0 {
		c.add(Changed, k.Key, foreign, "find out who wrote it; the next run gives it what "+c.first()+" holds: rekey run "+c.spec.Name,
			"%s does not show what it holds in %s, and somebody else has written it since Rekey did (%s)", k.Key, strings.Join(foreign, ", "), when)
	}
	if len(quiet) > 0 {
		c.add(NotSeen, k.Key, quiet, "look whether what uses it works", "%s does not show what it holds in %s, so whether it agrees is not known (%s)", k.Key, strings.Join(quiet, ", "), when)
	}
}

// dated is when Rekey last wrote a slot that is not shown, by the vendor's clock; zero
// if the journal does not know.
func (c *comparison) dated(place, slot string) time.Time {
	var last time.Time
	for _, g := range c.past {
		if at := g.Dates[place][slot]; at.After(last) {
			last = at
		}
	}
	return last
}

// ahead: the consumer holds a live credential of its own.
func (c *comparison) ahead(k *rotation.ConsumerSeen, h cred.Handle, slots []string) {
	if g := c.latest(); g != nil && g.Handle.ID == h.ID {
		c.add(Ahead, k.Key, slots, c.repair(), "%s was given another credential, and %s still holds %s, which is live", c.first(), k.Key, h.Name)
		return
	}
	then := c.repair() + " --from " + k.Key
	if _, ok := c.live(c.seen.Issuer.Owner); ok {
		then += "   (or the other way round: " + c.repair() + ")"
	}
	c.add(Behind, k.Key, slots, then, "%s holds %s, which is live, and %s holds another", k.Key, h.Name, c.first())
}

// latest is the generation that the journal takes for the one in use.
func (c *comparison) latest() *rotation.Generation {
	for i := len(c.past) - 1; i >= 0; i-- {
		if c.past[i].Ended.IsZero() {
			return &c.past[i]
		}
	}
	return nil
}

// oneOf returns the remembered generation that all the slots hold, or nil.
func (c *comparison) oneOf(place string, slots []rotation.SlotSeen) *rotation.Generation {
	var one *rotation.Generation
	for _, s := range slots {
		g := c.known(place, s)
		if g == nil || one != nil && g != one {
			return nil
		}
		one = g
	}
	return one
}

// oneName reports whether all the slots belong to one of the credential's names.
func (c *comparison) oneName(key string, slots []string) bool {
	of := ""
	for _, p := range c.spec.Places() {
		if p.Key != key {
			continue
		}
		for _, s := range p.Slots {
			if !slices.Contains(slots, s.Name) {
				continue
			}
			if of != "" && of != s.For {
				return false
			}
			of = s.For
		}
	}
	return of != ""
}
