package sop

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// vendorOf reads which vendor a binding means and of which type that is.
func (c *credential) vendorOf(n *yaml.Node, under, role string) (name, kind string) {
	v := get(n, "vendor")
	if v == nil {
		c.wrong(n, under, "the key vendor is missing", "")
		return "", ""
	}
	vendor, ok := c.config.Vendors[v.Value]
	if !ok {
		known := []string{}
		for k := range c.config.Vendors {
			known = append(known, k)
		}
		if get(get(c.root, "vendors"), v.Value) == nil {
			c.wrong(v, under+".vendor", "there is no vendor of this name under vendors", didYouMean(v.Value, known))
		}
		return v.Value, ""
	}
	if len(c.having(role+"."+vendor.Type)) == 0 {
		c.wrong(v, under+".vendor", vendor.Type+" cannot be "+article(role)+" "+role+"; "+role+"s are "+strings.Join(c.roles(role), ", "), "")
		return v.Value, ""
	}
	return v.Value, vendor.Type
}

// roles lists the vendor types that play a role.
func (c *credential) roles(role string) []string {
	var out []string
	for _, d := range c.having(role + ".") {
		t, _, _ := strings.Cut(d, ".")
		if len(out) == 0 || out[len(out)-1] != t {
			out = append(out, t)
		}
	}
	return out
}

// settings checks a vendor's own settings exactly.
func (c *credential) settings(def string, n *yaml.Node, under string) []byte {
	n = fill(n, map[string]string{"name": c.spec.Name})
	if known, ok := c.known(def, n); ok {
		return known
	}
	d, before := c.doc(n), len(*c.problems)
	path := join(c.path, under)
	v := d.plain(n, path)
	c.check(def, d, v, path)
	out := raw(v)
	if len(*c.problems) == before {
		c.keep(out)
	}
	return out
}

// texts reads a list that the schema's maker left for us.
func (c *credential) texts(def, key string) []string {
	list, _ := c.definition(def)[key].([]any)
	var out []string
	for _, x := range list {
		out = append(out, x.(string))
	}
	return out
}
