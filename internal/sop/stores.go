package sop

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// stores reads where the credential is kept: one store, or a list of which the first is
// the truth and the others follow it.
func (c *credential) stores() {
	one, list := get(c.node, "store"), get(c.node, "stores")
	switch {
	case one != nil && list != nil:
		c.both(one, list, "")
		c.eachStore(one, list)
	case one != nil:
		c.spec.Store = c.first(one, "store")
	case list == nil:
		c.wrong(nil, "", "it has no store, "+c.from(), "")
	case list.Kind != yaml.SequenceNode || len(list.Content) == 0:
		c.wrong(list, "stores", "expected a list of stores: the first is the truth, and the others follow it", "")
	default:
		c.spec.Store = c.first(list.Content[0], "stores.0")
		for i, item := range list.Content[1:] {
			if p, ok := c.further(item, "stores."+strconv.Itoa(i+1)); ok {
				c.spec.Further = append(c.spec.Further, p)
			}
		}
	}
}

// both tells that one store and several are given: at the later of the two, which may be
// the credential's own beside its procedure's.
func (c *credential) both(one, list *yaml.Node, under string) {
	at, here, there, line := list, "stores", "store", one.Line
	if one.Line > list.Line {
		at, here, there, line = one, "store", "stores", list.Line
	}
	c.wrong(at, under+here, fmt.Sprintf("%s and %s (line %d) are both given: remove one of them", here, there, line),
		"one store stands under store; of several in stores the first is the truth, and the others follow it")
}

// eachStore tells the mistakes in both, whichever of them is to stay.
func (c *credential) eachStore(one, list *yaml.Node) {
	_, _ = c.storePlace(one, "store")
	if list.Kind != yaml.SequenceNode {
		return // told by the schema
	}
	for i, item := range list.Content {
		if item.Kind == yaml.MappingNode {
			_, _ = c.storePlace(item, "stores."+strconv.Itoa(i))
		}
	}
}

// first reads the store that is the truth.
func (c *credential) first(n *yaml.Node, under string) Place {
	c.truth, c.truthAt = n, under
	p, ok := c.storePlace(n, under)
	if !ok {
		return p
	}
	p.Slots = c.slotsOf(n, under, string(p.Settings)+p.Vendor)
	for _, f := range c.spec.Issuer.Fields {
		c.readBack(f, p.Slots)
	}
	for _, f := range c.optionalIn(p.Slots) {
		c.readBack(f, p.Slots)
	}
	return p
}

// storePlace reads which store a binding means; its slots are left out.
func (c *credential) storePlace(n *yaml.Node, under string) (p Place, ok bool) {
	var kind string
	if p.Vendor, kind = c.vendorOf(n, under, "store"); kind == "" {
		return p, false
	}
	p.Settings = c.settings("store."+kind, without(n, "vendor", "slots"), under)
	id, _ := c.definition("store." + kind)["x-id"].(string)
	p.Key = p.Vendor + ":" + value(get(n, id))
	return p, true
}

// further reads a store that follows the first. Without slots of its own it has those
// of the first.
func (c *credential) further(n *yaml.Node, under string) (p Place, ok bool) {
	if n.Kind != yaml.MappingNode {
		return p, false // told by the schema
	}
	if p, ok = c.storePlace(n, under); !ok {
		return p, false
	}
	for _, other := range c.spec.Stores() {
		switch {
		case other.Vendor == p.Vendor && string(other.Settings) == string(p.Settings):
			c.wrong(n, under, p.Key+" is given twice", "put all its slots into one entry")
			return p, false
		case other.Key == p.Key:
			p.Key += "," + differs(p.Settings, other.Settings)
		}
	}
	if get(n, "slots") == nil && get(c.truth, "slots") != nil {
		n = overlay(n, only(c.truth, "slots"))
	}
	p.Slots = c.slotsOf(n, under, string(p.Settings)+p.Vendor)
	c.readBackAll(p.Slots)
	return p, true
}

// differs tells one place from another that has the same key, by the settings that are
// not the same: environment=staging.
func differs(settings, other json.RawMessage) string {
	var a, b map[string]any
	_, _ = json.Unmarshal(settings, &a), json.Unmarshal(other, &b)
	var out []string
	for _, k := range slices.Sorted(maps.Keys(a)) {
		if x, y := fmt.Sprint(a[k]), fmt.Sprint(b[k]); x != y {
			out = append(out, k+"="+x)
		}
	}
	if len(out) == 0 {
		return "other" // it leaves a setting out that the other one has
	}
	return strings.Join(out, ",")
}

// readBack: what any place is to hold has to stand alone in a slot of the first store.
func (c *credential) readBack(field string, slots []Slot) {
	if len(slots) == 0 {
		return // told
	}
	for _, slot := range slots {
		if got, ok := slot.Template.Alone(); ok && got == field {
			return
		}
	}
	c.wrong(get(c.truth, "slots"), c.truthAt+".slots", "no slot holds {"+field+"} alone, so it could not be read back for a rollback", "")
}

// readBackAll does so for the optional fields that the slots of another place use.
func (c *credential) readBackAll(slots []Slot) {
	for _, f := range c.optionalIn(slots) {
		c.readBack(f, c.spec.Store.Slots)
	}
}

// optionalIn are the optional fields that slots use.
func (c *credential) optionalIn(slots []Slot) (out []string) {
	for _, s := range slots {
		for _, f := range s.Template.Fields() {
			if contains(c.optional, f) {
				out = append(out, f)
			}
		}
	}
	return out
}

// Stores are the first store, which is the truth, and those that follow it.
func (s Spec) Stores() []Place { return append([]Place{s.Store}, s.Further...) }

// Places are all stores and all consumers: whatever is given the credential.
func (s Spec) Places() []Place { return append(s.Stores(), s.Consumers...) }

// OneOfStores returns the store with this key; "" is the first.
func (s Spec) OneOfStores(key string) (p Place, first, ok bool) {
	if key == "" || key == s.Store.Key {
		return s.Store, true, true
	}
	i := slices.IndexFunc(s.Further, func(f Place) bool { return f.Key == key })
	if i < 0 {
		return p, false, false
	}
	return s.Further[i], false, true
}
