package sop

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

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
	p.slots, p.holders = map[held]string{}, map[string]int{}
	p.bases = map[string]*yaml.Node{}
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
	base := c.base(procedure)
	if procedure != "" && base == nil {
		return // told; whatever it would have said is not missing
	}
	if n := get(v, "scope"); n != nil && c.usable(n, scopeName) {
		scope = n.Value
	}
	s.Scope = strings.ToLower(scope)
	if f := get(v, "former"); f != nil && f.Kind == yaml.SequenceNode {
		for _, n := range f.Content {
			switch {
			case !c.usable(n, credentialName):
			case n.Value == s.Name || slices.Contains(s.Former, n.Value):
				c.wrong(n, "former", n.Value+" is already a name of this credential: remove it here", "")
			default:
				s.Former = append(s.Former, n.Value)
				c.config.formerLines[n.Value] = n.Line
			}
		}
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

// base is what a procedure says of its credentials; nil: there is no such procedure.
func (p *parser) base(procedure string) *yaml.Node {
	if known, ok := p.bases[procedure]; ok {
		return known
	}
	n := get(get(p.root, "procedures"), procedure)
	if n != nil {
		n = without(n, "applies_to")
	}
	p.bases[procedure] = n
	return n
}

// usable tells of a name that is none.
func (c *credential) usable(n *yaml.Node, form *regexp.Regexp) bool {
	switch {
	case n.Kind != yaml.ScalarNode || !form.MatchString(n.Value):
		c.wrong(n, "", "this is not a usable name: expected letters, digits, _, . and -", "")
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
		c.wrong(nil, "", fmt.Sprintf("the credentials up to here have more than %d parts, with their procedures: split this file", maxParts), "")
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
