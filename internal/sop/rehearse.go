package sop

import (
	"strconv"

	"go.yaml.in/yaml/v4"
)

// rehearse reads where the procedure is practised: the store's settings laid
// under what differs, and the name's own slots only.
func (c *credential) rehearse() {
	n := get(c.node, "rehearse")
	if n == nil {
		return
	}
	real, other := get(c.node, "store"), get(n, "store")
	if real == nil || other == nil {
		return // told
	}
	merged := overlay(real, other)
	var p Place
	var kind string
	if p.Vendor, kind = c.vendorOf(merged, "rehearse.store", "store"); kind == "" {
		return
	}
	p.Settings = c.settings("store."+kind, without(merged, "vendor", "slots"), "rehearse.store")
	id, _ := c.definition("store." + kind)["x-id"].(string)
	p.Key = p.Vendor + ":" + value(get(merged, id))
	if string(p.Settings) == string(c.spec.Store.Settings) && p.Vendor == c.spec.Store.Vendor {
		c.wrong(other, "rehearse.store", "this is where the real one is stored", "give another folder: path: /rekey-rehearsal/")
		return
	}
	for _, s := range c.slotsOf(merged, "rehearse.store", string(p.Settings)+p.Vendor) {
		if s.For == c.spec.Name {
			p.Slots = append(p.Slots, s)
		}
	}
	r := &Rehearsed{Store: p}
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
