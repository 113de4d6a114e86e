package sop

import (
	"fmt"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// rehearse reads where the procedure is practised: the settings of each store laid
// under what differs, and the name's own slots only.
func (c *credential) rehearse() {
	n := get(c.node, "rehearse")
	if n == nil {
		return
	}
	r := &Rehearsed{}
	one, list := get(n, "store"), get(n, "stores")
	switch {
	case c.truth == nil:
		return // told
	case one != nil && list != nil:
		c.both(one, list, "rehearse.")
		return
	case one == nil && list == nil:
		c.wrong(n, "rehearse", "the key store is missing", "")
		return
	case one != nil:
		p, ok := c.rehearsed(one, "rehearse.store", c.truth, c.spec.Store)
		if !ok {
			return
		}
		r.Store = p
	default:
		if !c.rehearsedStores(list, r) {
			return
		}
	}
	if places := get(n, "validate"); places != nil && places.Kind == yaml.SequenceNode {
		for i, item := range places.Content {
			r.Validate = append(r.Validate, c.probe(item, "rehearse.validate."+strconv.Itoa(i), r.Validate))
		}
	}
	if len(r.Validate) == 0 && c.verifies {
		r.Validate = []Probe{{URL: IssuerItself}}
	}
	c.spec.Rehearse = r
}

// rehearsedStores reads what differs for each of several stores, in their order.
func (c *credential) rehearsedStores(list *yaml.Node, r *Rehearsed) bool {
	if list.Kind != yaml.SequenceNode || len(list.Content) == 0 {
		return false // told by the schema
	}
	real := []*yaml.Node{c.truth}
	if all := get(c.node, "stores"); all != nil {
		real = all.Content
	}
	stores := c.spec.Stores()
	switch {
	case len(real) != len(stores):
		return false // one of them is told
	case len(list.Content) > len(real):
		c.wrong(list.Content[len(real)], "rehearse.stores."+strconv.Itoa(len(real)), fmt.Sprintf("the credential has %d of them only", len(real)), "")
		return false
	}
	for i, other := range list.Content {
		under := real[i]
		if get(under, "slots") == nil {
			under = overlay(under, only(c.truth, "slots"))
		}
		p, ok := c.rehearsed(other, "rehearse.stores."+strconv.Itoa(i), under, stores[i])
		if !ok {
			return false
		}
		if i == 0 {
			r.Store = p
			continue
		}
		for _, other := range append([]Place{r.Store}, r.Further...) {
			if other.Key == p.Key {
				p.Key += "," + differs(p.Settings, other.Settings)
			}
		}
		r.Further = append(r.Further, p)
	}
	return true
}

// rehearsed is a store with what differs laid over it.
func (c *credential) rehearsed(other *yaml.Node, under string, real *yaml.Node, of Place) (p Place, ok bool) {
	merged := overlay(real, other)
	if p, ok = c.storePlace(merged, under); !ok {
		return p, false
	}
	if string(p.Settings) == string(of.Settings) && p.Vendor == of.Vendor {
		c.wrong(other, under, "this is where the real one is stored", "give another folder: path: /rekey-rehearsal/")
		return p, false
	}
	for _, s := range c.slotsOf(merged, under, string(p.Settings)+p.Vendor) {
		if s.For == c.spec.Name {
			p.Slots = append(p.Slots, s)
		}
	}
	return p, true
}
