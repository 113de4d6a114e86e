package sop

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

func (c *credential) consumers() {
	n, common := get(c.node, "consumers"), get(c.node, "consumer")
	if n == nil || n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		c.wrong(orNode(n, c.key), "", "it has no consumers, "+c.from()+": a credential without users needs no rotation", "")
		return
	}
	for i, item := range n.Content {
		under := "consumers." + strconv.Itoa(i)
		item = overlay(common, item)
		var s Place
		var kind string
		if s.Vendor, kind = c.vendorOf(item, under, "consumer"); kind == "" {
			continue
		}
		def := "consumer." + kind
		s.Settings = c.settings(def, without(item, "vendor", "slots"), under)
		id := c.consumerID(def, item, under)
		s.Key = s.Vendor + ":" + id
		if thing := kind + ":" + strings.ToLower(path.Clean(id)); thing != s.Key {
			s.Alias = thing
		}
		s.Slots = c.slotsOf(item, under, s.Key)
		s.At = c.file + ":" + strconv.Itoa(item.Line)
		c.readBackAll(s.Slots)
		if slices.ContainsFunc(c.spec.Further, func(f Place) bool { return f.Key == s.Key }) {
			c.wrong(item, under, s.Key+" is a store of this credential already", "a place is written once, as a store or as a consumer")
		}
		for _, other := range c.spec.Consumers {
			if other.Key == s.Key {
				c.wrong(item, under, s.Key+" is given twice", "put all its slots into one entry: one write, one restart")
			}
		}
		c.spec.Consumers = append(c.spec.Consumers, s)
	}
}

// consumerID reads what tells a consumer from the vendor's others. A vendor may
// know several ways (an app; a pipeline and a stage); exactly one is used, whole.
func (c *credential) consumerID(def string, item *yaml.Node, under string) string {
	var found, words []string
	given, taken := map[string]bool{}, 0
	for _, w := range c.texts(def, "x-id") {
		keys := strings.Split(w, "+")
		words = append(words, strings.Join(keys, " and "))
		var said []string
		for _, k := range keys {
			if v := value(get(item, k)); v != "" {
				given[k] = true
				said = append(said, v)
			}
		}
		// "repo and environment" says more than "repo" alone.
		if len(said) == len(keys) && len(keys) > taken {
			found, taken = said, len(keys)
		}
	}
	if taken == 0 || len(given) != taken {
		c.wrong(item, under, "want "+strings.Join(words, ", or "), "")
	}
	return strings.Join(found, "/")
}

func value(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	return n.Value
}

func orNode(n, other *yaml.Node) *yaml.Node {
	if n != nil {
		return n
	}
	return other
}
