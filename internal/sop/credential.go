package sop

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

var (
	credentialName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	scopeName      = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
)

// maxName bounds names of credentials and scopes: they become parts of others.
const maxName = 200

func (p *parser) credentials() {
	p.places = map[string]string{}
	p.slots = map[held]string{}
	p.config.formerLines = map[string]int{}
	all := get(p.root, "credentials")
	names := map[string]string{}
	if all != nil {
		p.config.Specs = make([]Spec, 0, min(len(all.Content)/2, 100_000))
	}
	each(all, func(k, v *yaml.Node) {
		if p.parts > maxParts {
			return // told
		}
		c := &credential{parser: p, key: k, path: "credentials." + k.Value}
		d := p.doc(v)
		p.check("Credential", d, d.plain(v, c.path), c.path)
		if !c.usable(k, credentialName) {
			return
		}
		c.resolve(v)
		for _, n := range append([]string{c.spec.Name}, c.spec.Former...) {
			if other, taken := names[n]; taken {
				c.wrong(k, "", n+" is also a name of "+other, "")
			}
			names[n] = c.spec.Name
		}
		p.config.Specs = append(p.config.Specs, c.spec)
	})
}

// credential is one credential on its way to a Spec.
type credential struct {
	*parser
	key  *yaml.Node // its name in the file
	path string
	node *yaml.Node // procedure and credential laid over each other, filled in
	spec Spec
	// optional are fields that the issuer gives and that slots need not hold.
	optional []string
	verifies bool // the issuer tells by itself whether a credential works
	// truth is the node of the first store, and truthAt its path.
	truth   *yaml.Node
	truthAt string
}

func (c *credential) wrong(n *yaml.Node, under, msg, hint string) {
	if n == nil {
		n = c.key
	}
	path := c.path
	if under != "" {
		path = join(path, under)
	}
	c.doc(n).at(n, path, msg, hint)
}

// resolve lays the credential over its procedure and fills everything in.
func (c *credential) resolve(v *yaml.Node) {
	s := &c.spec
	s.Name = c.key.Value
	procedure, scope := c.procedure(v)
	s.Procedure = procedure
	base := get(get(c.root, "procedures"), procedure)
	if procedure != "" && base == nil {
		return // told; whatever it would have said is not missing
	}
	if n := get(v, "scope"); n != nil && c.usable(n, scopeName) {
		scope = n.Value
	}
	s.Scope = strings.ToLower(scope)
	if f := get(v, "former"); f != nil && f.Kind == yaml.SequenceNode {
		for _, n := range f.Content {
			if c.usable(n, credentialName) {
				s.Former = append(s.Former, n.Value)
				c.config.formerLines[n.Value] = n.Line
			}
		}
	}
	if base != nil {
		base = without(base, "applies_to")
	}
	words := map[string]string{}
	if scope != "" {
		words["scope"], words["SCOPE"] = s.Scope, strings.ToUpper(scope)
	}
	c.node = overlay(base, without(v, "procedure", "former", "scope", "canary"))
	if c.tooMuch(len(s.Former)) {
		return
	}
	c.node = fill(c.node, words)
	c.placeholders(c.node, "")

	s.Document, s.Owner, s.Role = c.text("document"), c.text("owner"), c.text("role")
	s.Discover = c.text("discover")
	s.Jitter = Duration(c.text("jitter")).Or(0)
	c.windows()
	c.begins(v)
	s.Cadence = Duration(c.text("cadence")).Or(0)
	s.BeforeExpiry = Duration(c.text("before_expiry")).Or(0)
	s.Timing = c.timing().waits()
	c.issuer()
	c.stores()
	c.consumers()
	c.probes()
	c.checks()
	c.rehearse()
	c.lengths()
	c.advise()
}

// usable tells of a name that is none.
func (c *credential) usable(n *yaml.Node, form *regexp.Regexp) bool {
	switch {
	case n.Kind != yaml.ScalarNode || !form.MatchString(n.Value):
		c.wrong(n, "", "this is not a usable name: want letters, digits, _, . and -", "")
	case len(n.Value) > maxName:
		c.wrong(n, "", fmt.Sprintf("this name is longer than %d characters", maxName), "")
	default:
		return true
	}
	return false
}

// tooMuch adds up what the credentials come to with their procedures laid under
// them, every consumer with what all have in common, every store with the slots of the first,
// and every slot once for each name: a small file can mean very much.
func (c *credential) tooMuch(former int) bool {
	all := parts(c.node)
	if list := get(c.node, "consumers"); list != nil {
		all += len(list.Content) * parts(get(c.node, "consumer"))
	}
	if list := get(c.node, "stores"); list != nil && len(list.Content) > 0 { // they may have the slots of the first
		all += len(list.Content) * parts(get(list.Content[0], "slots"))
	}
	if c.parser.parts += ownParts + all*(1+former) + len(c.applies)/8; c.parser.parts > maxParts {
		c.wrong(nil, "", fmt.Sprintf("up to here the credentials come to more than %d parts, with their procedures: split this file", maxParts), "")
		return true
	}
	return false
}

// procedure finds the credential's procedure, by its own word or by its name.
func (c *credential) procedure(v *yaml.Node) (name, scope string) {
	for _, a := range c.applies {
		rest, ok := strings.CutPrefix(c.key.Value, a.prefix)
		if s, ok2 := strings.CutSuffix(rest, a.suffix); ok && ok2 && s != "" {
			name, scope = a.procedure, s
		}
	}
	n := get(v, "procedure")
	if n == nil {
		return name, scope
	}
	if get(get(c.root, "procedures"), n.Value) == nil {
		known := []string{}
		each(get(c.root, "procedures"), func(k, _ *yaml.Node) { known = append(known, k.Value) })
		c.wrong(n, "procedure", "there is no procedure of this name", didYouMean(n.Value, known))
	}
	return n.Value, scope
}

func (c *credential) text(key string) string {
	if n := get(c.node, key); n != nil && n.Kind == yaml.ScalarNode {
		return n.Value
	}
	return ""
}

// from tells in a message where a missing thing could have been said.
func (c *credential) from() string {
	if c.spec.Procedure == "" {
		return "and no procedure applies to it"
	}
	return "nor does its procedure " + c.spec.Procedure + " say one"
}

func (c *credential) timing() *Timing {
	n := get(c.node, "timing")
	if n == nil {
		return nil
	}
	var t Timing
	read := map[string]*Duration{"poll": &t.Poll, "validate": &t.Validate, "settle": &t.Settle, "verify": &t.Verify, "quiet": &t.Quiet, "watch": &t.Watch, "soak": &t.Soak, "confirm": &t.Confirm}
	each(n, func(k, v *yaml.Node) {
		if d := read[k.Value]; d != nil {
			*d = Duration(v.Value)
		}
	})
	return &t
}

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
		c.wrong(get(n, "strategy"), "issuer.strategy", "refresh extends the expiry and keeps the secret, so it is no rotation and is never used as one", "replace or roll")
	default:
		c.wrong(get(n, "strategy"), "issuer.strategy", "want replace or roll", didYouMean(s.Strategy, []string{"replace", "roll"}))
	}
	defer c.graceFits(def, get(n, "grace"))
	s.Grace = Duration(value(get(n, "grace"))).Or(7 * 24 * time.Hour)
	s.Settings = c.settings(def, without(n, "vendor", "kind", "name", "strategy", "grace"), "issuer")
	c.alone(def, n)
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

func (c *credential) consumers() {
	n, common := get(c.node, "consumers"), get(c.node, "consumer")
	if n == nil || n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		c.wrong(orNode(n, c.key), "", "it has no consumers, "+c.from()+": what nobody uses needs no rotation", "")
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
		s.Key = s.Vendor + ":" + c.consumerID(def, item, under)
		s.Slots = c.slotsOf(item, under, s.Key)
		s.At = c.file + ":" + strconv.Itoa(item.Line)
		c.readBackAll(s.Slots)
		if slices.ContainsFunc(c.spec.Further, func(f Place) bool { return f.Key == s.Key }) {
			c.wrong(item, under, s.Key+" is a store of this credential already", "a place is written once, as a store or as a consumer")
		}
		for _, other := range c.spec.Consumers {
			if other.Key == s.Key {
				c.wrong(item, under, s.Key+" stands here twice", "put all its slots into one entry: one write, one restart")
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
