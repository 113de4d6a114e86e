package sop

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"
	"go.yaml.in/yaml/v4"

	"rekey/internal/visible"
)

// slotsOf reads slots: one with <name> in it stands for the name and for every
// former name. place identifies what holds them, to find two writers of one slot.
func (c *credential) slotsOf(n *yaml.Node, under, place string) []Slot {
	slots := get(n, "slots")
	if slots == nil || len(slots.Content) == 0 {
		c.wrong(n, under, "the key slots is missing", "")
		return nil
	}
	out := make([]Slot, 0, len(slots.Content)/2)
	where, given := c.holder(place), c.spec.Issuer.Fields
	if len(c.optional) > 0 {
		given = slices.Concat(given, c.optional)
	}
	for _, name := range append([]string{c.spec.Name}, c.spec.Former...) {
		each(slots, func(k, v *yaml.Node) {
			slot := strings.ReplaceAll(k.Value, "<name>", name)
			if slot == k.Value && name != c.spec.Name {
				return // not made from the name: it stands once
			}
			at := func() string { return under + ".slots." + k.Value }
			if len(slot) > unknownNameMax || strings.ContainsAny(slot, " \t\r\n=") || visible.Text(slot) != slot {
				c.wrong(k, at(), fmt.Sprintf("this is not the name of a slot: expected letters, digits and _, and at most %d of them", unknownNameMax), "")
				return
			}
			t, err := c.template(v.Value)
			if err != nil {
				c.wrong(v, at(), err.Error(), "")
				return
			}
			for _, f := range t.Fields() {
				if !contains(given, f) && len(given) > 0 {
					c.wrong(v, at(), "the issuer gives no field {"+f+"}; it gives {"+strings.Join(given, "}, {")+"}", didYouMean(f, given))
				}
			}
			here := held{where, slot}
			if other, taken := c.slots[here]; taken {
				c.wrong(k, at(), "slot "+slot+" is already written for "+other, "")
			}
			c.slots[here] = name
			out = append(out, Slot{Name: slot, Template: t, For: name})
		})
	}
	return out
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func (c *credential) probes() {
	n := get(c.node, "validate")
	if n == nil && c.verifies {
		c.spec.Validate = []Probe{{URL: IssuerItself}}
		return
	}
	if n == nil || n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		c.wrong(orNode(n, c.key), "", "it has no validate, "+c.from()+": without a protected place nothing proves that a new credential works", "")
		return
	}
	for i, item := range n.Content {
		c.spec.Validate = append(c.spec.Validate, c.probe(item, "validate."+strconv.Itoa(i), c.spec.Validate))
	}
}

func (c *credential) checks() {
	n := get(c.node, "verify")
	if n == nil || n.Kind != yaml.SequenceNode {
		return
	}
	for i, item := range n.Content {
		under := "verify." + strconv.Itoa(i)
		jq := get(item, "jq")
		k := c.question(item, under)
		if jq != nil {
			if err := c.compiles(k); err != nil {
				c.wrong(jq, under+".jq", "this is not a jq expression: "+err.Error(), "")
			}
		}
		c.headers(get(item, "headers"), join(c.path, under+".headers"))
		each(get(item, "headers"), func(h, v *yaml.Node) {
			refs := Refs{Ref(v.Value)} // as most are
			if v.Kind != yaml.ScalarNode || v.Tag != "!!str" {
				refs = nil
				_ = refs.UnmarshalJSON(raw(c.doc(v).plain(v, "")))
			}
			if k.Headers == nil {
				k.Headers = map[string]Refs{}
			}
			k.Headers[h.Value] = refs
		})
		c.spec.Verify = append(c.spec.Verify, k)
	}
}

// named fills in the name, which slots keep for each of the names.
func (c *credential) named(n *yaml.Node) string {
	return strings.ReplaceAll(value(n), "<name>", c.spec.Name)
}

// address checks a URL by the one rule for all of them.
func (c *credential) address(n *yaml.Node, under string) {
	if n == nil {
		return // told by the schema
	}
	address := c.named(n)
	if strings.Contains(address, "<") {
		return // told with its word
	}
	if err := CheckAddress(address, simulates(c.root)); err != nil {
		c.wrong(n, under, err.Error(), "")
	}
}

func number(n *yaml.Node) int {
	i, _ := strconv.Atoi(value(n))
	return i
}

// advise tells what is not wrong but worth a look.
func (c *credential) advise() {
	tell := func(n *yaml.Node, under, msg string) {
		path := c.path
		if under != "" {
			path = join(path, under)
		}
		p := Problem{File: c.file, Path: path, Msg: msg, Line: c.key.Line, Col: c.key.Column}
		if n != nil && n.Line > 0 {
			p.Line, p.Col = n.Line, n.Column
		}
		if !c.told[p.mistake()] {
			c.told[p.mistake()] = true
			c.advice = append(c.advice, p)
		}
	}
	if !conventional.MatchString(c.spec.Name) {
		tell(c.key, "", "this name is not of the form <VENDOR>_<FUNCTION>_<SCOPE>, as CF_ACCESS_SVC_CONSOLE: people look for credentials by it. A new name goes above, this one under former")
	}
	if c.spec.Cadence == 0 && c.spec.BeforeExpiry == 0 {
		tell(nil, "", "neither cadence nor before_expiry: it will never be due")
	}
	if n := get(c.node, "issuer"); n != nil && c.spec.Issuer.Name != "" && !strings.Contains(c.spec.Issuer.Name, "<date>") && !strings.Contains(c.spec.Issuer.Name, "<run>") {
		tell(get(n, "name"), "issuer.name", "without <date> the name does not show when a credential was made")
	}
	if n := get(get(c.node, "timing"), "watch"); n != nil && c.spec.Timing.Watch == 0 {
		tell(n, "timing.watch", "without a watch nothing shows who still needs the old one before it is deleted")
	}
	if len(c.spec.Verify) == 0 {
		tell(nil, "", "no verify: only reading back the consumer will prove that it uses the new credential")
	}
	if c.spec.Jitter > 0 && c.spec.Cadence == 0 {
		tell(get(c.node, "jitter"), "jitter", "without a cadence this has no effect")
	}
	for _, key := range lives {
		n := get(get(c.node, "issuer"), key)
		life, err := ParseDuration(value(n))
		switch {
		case err != nil || c.spec.Cadence == 0:
		case life > 2*c.spec.Cadence:
			tell(n, "issuer."+key, "a forgotten credential would live much longer than the cadence; twice the cadence is enough")
		case life <= c.spec.Cadence && c.spec.BeforeExpiry == 0:
			tell(n, "issuer."+key, "a credential ends before the cadence says to rotate it; say before_expiry")
		}
	}
}

// lives are the settings by which an issuer is told how long a generation lives.
var lives = []string{"duration", "expires_in"}

// lengths: one that is no shorter than what it is taken from makes a credential due
// at every moment, or as soon as it is made.
func (c *credential) lengths() {
	s := c.spec
	if s.Cadence > 0 && s.Jitter >= s.Cadence {
		c.wrong(get(c.node, "jitter"), "jitter", fmt.Sprintf("this is not shorter than the cadence (%s): a credential could be due as soon as it is made", value(get(c.node, "cadence"))), "")
	}
	for _, key := range lives {
		n := get(get(c.node, "issuer"), key)
		if life, err := ParseDuration(value(n)); err == nil && life > 0 && s.BeforeExpiry >= life {
			c.wrong(get(c.node, "before_expiry"), "before_expiry", fmt.Sprintf("a credential does not live longer than that (issuer.%s is %s): it would always be due", key, value(n)), "")
		}
	}
}

// Code compiles the jq expression; its one variable is $since.
func (k Check) Code() (*gojq.Code, error) {
	query, err := gojq.Parse(k.JQ)
	if err != nil {
		return nil, err
	}
	return gojq.Compile(query, gojq.WithVariables([]string{"$since"}))
}

// windows reads when a run may start.
func (c *credential) windows() {
	n := get(c.node, "windows")
	if n == nil || n.Kind != yaml.SequenceNode {
		return
	}
	for i, item := range n.Content {
		w, err := ParseWindow(item.Value)
		if err != nil {
			c.wrong(item, "windows."+strconv.Itoa(i), err.Error(), "")
			continue
		}
		c.spec.Windows = append(c.spec.Windows, w)
	}
}
