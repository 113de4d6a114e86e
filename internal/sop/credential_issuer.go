package sop

import (
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

func (c *credential) issuer() {
	n := get(c.node, "issuer")
	if n == nil {
		c.wrong(nil, "", "it has no issuer, "+c.from(), "")
		return
	}
	s := &c.spec.Issuer
	var kind string
	s.Vendor, kind = c.vendorOf(n, "issuer", "issuer")
	if kind == "" {
		return
	}
	s.Kind = value(get(n, "kind"))
	known := c.having("issuer." + kind + ".")
	def := "issuer." + kind + "." + s.Kind
	if c.definition(def) == nil {
		c.wrong(orNode(get(n, "kind"), n), "issuer.kind", kind+" issues "+strings.Join(known, ", "), didYouMean(s.Kind, known))
		return
	}
	s.Fields, c.optional = c.texts(def, "x-fields"), c.texts(def, "x-optional")
	c.verifies, _ = c.definition(def)["x-verifies"].(bool)
	if person, _ := c.definition(def)["x-person"].(bool); person && c.spec.Run == AfterApproval {
		c.wrong(orNode(get(c.node, "run"), n), "run", "it says run: after approval, and the plan for others to agree to cannot be made: only a person can tell which of these are live, and nobody is there when it falls due",
			"want run: automatically, with approvals: {before: retiring} where others have to agree; or run: by hand: whoever plans it on its page is asked")
	}
	s.Name = value(get(n, "name"))
	defer func() { c.nameFits(def, orNode(get(n, "name"), n)) }()
	if nameless, _ := c.definition(def)["x-nameless"].(bool); s.Name == "" && !nameless {
		c.wrong(n, "issuer", "the key name is missing: the issuer shows it, and Rekey finds by it what it made", "")
	}
	s.Name = strings.ReplaceAll(s.Name, "<name>", c.spec.Name)
	s.Strategy = value(get(n, "strategy"))
	switch s.Strategy {
	case "", "replace", "roll":
	case "refresh":
		c.wrong(get(n, "strategy"), "issuer.strategy", "refresh extends the expiry and keeps the secret: it is not a rotation, so Rekey never uses it", "replace or roll")
	default:
		c.wrong(get(n, "strategy"), "issuer.strategy", "want replace or roll", didYouMean(s.Strategy, []string{"replace", "roll"}))
	}
	defer c.graceFits(def, get(n, "grace"))
	s.Grace = Duration(value(get(n, "grace"))).Or(7 * 24 * time.Hour)
	s.Settings = c.settings(def, without(n, "vendor", "kind", "name", "strategy", "grace"), "issuer")
	c.alone(def, n)
}

// graceFits: a grace that the vendor does not give is told now, and not by a roll that
// is refused.
func (c *credential) graceFits(def string, n *yaml.Node) {
	most, ok := c.definition(def)["x-grace-max"].(string)
	if d, err := time.ParseDuration(most); ok && err == nil && n != nil && c.spec.Issuer.Grace > d {
		c.wrong(n, "issuer.grace", "the vendor lets a rolled secret's predecessor live for "+most+" at most", "")
	}
}

// alone: where an issuer shows no name that we choose, what a lost answer left is told
// by what was there before, so two credentials cannot be made in one place.
func (c *credential) alone(def string, n *yaml.Node) {
	if nameless, _ := c.definition(def)["x-nameless"].(bool); !nameless {
		return
	}
	where := c.spec.Issuer.Vendor + " " + c.spec.Issuer.Kind + " " + string(c.spec.Issuer.Settings)
	if other, taken := c.places[where]; taken && other != c.spec.Name {
		c.wrong(n, "issuer", "it is made where "+other+" is made, and the vendor shows no name by which the two could be told apart", "")
		return
	}
	c.places[where] = c.spec.Name
}

// article is the one that stands before a word.
func article(word string) string {
	if strings.ContainsAny(word[:1], "aeiou") {
		return "an"
	}
	return "a"
}
