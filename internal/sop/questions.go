package sop

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"rekey/internal/cred"
)

// probe reads one entry of validate: an address, or a vendor that makes a check of its
// own. before are the entries above it.
func (c *credential) probe(item *yaml.Node, under string, before []Probe) Probe {
	u, v := get(item, "url"), get(item, "vendor")
	if c.oneOf(item, under, "url", "vendor") == "" {
		return Probe{}
	}
	if u != nil {
		c.only(item, under, "url", "status")
		c.address(u, under+".url")
		return Probe{URL: c.named(u), Status: number(get(item, "status"))}
	}
	c.not(item, under, "status", "an address")
	name, kind := c.vendorOf(item, under, "issuer")
	own := without(item, "vendor", "kind", "status")
	if kind == "" {
		return Probe{}
	}
	if name == c.spec.Issuer.Vendor && len(own.Content) == 0 && get(item, "kind") == nil {
		return Probe{URL: IssuerItself}
	}
	p := Probe{Vendor: name, Kind: value(get(item, "kind"))}
	ours := c.config.Vendors[c.spec.Issuer.Vendor].Type == kind
	known := c.having("issuer." + kind + ".")
	switch {
	case p.Kind != "":
	case ours:
		p.Kind = c.spec.Issuer.Kind
	case len(known) == 1:
		p.Kind = known[0]
	}
	def := "issuer." + kind + "." + p.Kind
	if c.definition(def) == nil {
		c.wrong(orNode(get(item, "kind"), v), under+".kind", kind+" can be asked about "+strings.Join(known, ", "), didYouMean(p.Kind, known))
		return Probe{}
	}
	if issuer := get(c.node, "issuer"); ours && p.Kind == c.spec.Issuer.Kind && issuer != nil {
		own = overlay(without(issuer, "vendor", "kind", "name", "strategy", "grace"), own)
	}
	p.Settings = c.settings(def, own, under)
	p.URL = OfVendor + name
	for n := 2; slices.ContainsFunc(before, func(b Probe) bool { return b.URL == p.URL }); n++ {
		p.URL = fmt.Sprintf("%s%s-%d", OfVendor, name, n)
	}
	return p
}

// question reads what one entry of verify asks: an address, a command, or a vendor.
func (c *credential) question(item *yaml.Node, under string) Check {
	switch c.oneOf(item, under, "url", "command", "query") {
	case "url":
		c.only(item, under, "url", "headers", "status", "jq")
		u := get(item, "url")
		c.address(u, under+".url")
		return Check{URL: c.named(u), Status: number(get(item, "status")), JQ: c.named(get(item, "jq"))}
	case "command":
		c.only(item, under, "command", "stdin")
		k := Check{Stdin: c.named(get(item, "stdin"))}
		for _, arg := range get(item, "command").Content {
			k.Command = append(k.Command, c.named(arg))
			if t, err := cred.ParseTemplate(arg.Value); err == nil && c.gives(t) {
				c.wrong(arg, under+".command", "a value never stands in an argument, which everybody on the machine can read; give it by stdin", "")
			}
		}
		if len(k.Command) > 0 && strings.TrimSpace(k.Command[0]) == "" {
			c.wrong(get(item, "command"), under+".command", "the first of the list is the program to run", "")
		}
		if n := get(item, "stdin"); n != nil {
			if t, err := cred.ParseTemplate(n.Value); err != nil {
				c.wrong(n, under+".stdin", err.Error(), "")
			} else {
				c.fields(t, n, under+".stdin")
			}
		}
		return k
	case "query":
		c.only(item, under, "query", "vendor")
		name := value(get(item, "vendor"))
		known := []string{}
		for k := range c.config.Vendors {
			known = append(known, k)
		}
		if v, ok := c.config.Vendors[name]; ok {
			d := c.definition("connection." + v.Type)
			if answers, _ := d["x-queries"].(bool); !answers && d != nil { // a driver outside tells when it is opened
				c.wrong(get(item, "vendor"), under+".vendor", v.Type+" answers no queries: check by an address or a command instead", "")
			}
		} else {
			c.wrong(orNode(get(item, "vendor"), item), under+".vendor", "a query is asked of a vendor that is named under vendors", didYouMean(name, known))
		}
		return Check{Vendor: name, Query: c.named(get(item, "query"))}
	}
	return Check{}
}

// oneOf returns which one of several keys stands there; "" after telling that none or
// more than one does.
func (c *credential) oneOf(item *yaml.Node, under string, keys ...string) string {
	var said []string
	for _, k := range keys {
		if get(item, k) != nil {
			said = append(said, k)
		}
	}
	if len(said) != 1 {
		c.wrong(item, under, "want one of the keys "+strings.Join(keys, ", "), "")
		return ""
	}
	return said[0]
}

// only tells of keys that have no meaning beside the others.
func (c *credential) only(item *yaml.Node, under string, keys ...string) {
	each(item, func(k, _ *yaml.Node) {
		if !slices.Contains(keys, k.Value) {
			c.wrong(k, under+"."+k.Value, "this key cannot be combined with "+keys[0], "")
		}
	})
}

func (c *credential) not(item *yaml.Node, under, key, belongs string) {
	if n := get(item, key); n != nil {
		c.wrong(n, under+"."+key, "this key belongs to "+belongs, "")
	}
}

// gives reports whether a template has a field that the issuer gives.
func (c *credential) gives(t cred.Template) bool {
	return slices.ContainsFunc(t.Fields(), func(f string) bool {
		return contains(c.spec.Issuer.Fields, f) || contains(c.optional, f)
	})
}

// fields tells of fields that the issuer does not give.
func (c *credential) fields(t cred.Template, n *yaml.Node, at string) {
	given := slices.Concat(c.spec.Issuer.Fields, c.optional)
	for _, f := range t.Fields() {
		if !contains(given, f) && len(given) > 0 {
			c.wrong(n, at, "the issuer gives no field {"+f+"}; it gives {"+strings.Join(given, "}, {")+"}", didYouMean(f, given))
		}
	}
}
