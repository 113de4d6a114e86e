package sop

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// storedRefs checks every reference to a value of a vendor: that it says which one
// where there are several of its type, that this one is there, that it has the form
// that the vendor's page names, and that no vendor is reached by what only it could be
// asked for.
func (p *parser) storedRefs() {
	each(p.root, func(k, v *yaml.Node) {
		switch k.Value {
		case "vendors":
			each(v, func(name, settings *yaml.Node) { p.storedIn(settings, "vendors."+name.Value, name.Value) })
		case "evidence", "identity", "notify":
			p.storedIn(v, k.Value, "")
		}
	})
}

// ofType lists the vendors of a type, by name.
func (p *parser) ofType(kind string) []string {
	var out []string
	for name, v := range p.config.Vendors {
		if v.Type == kind {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func (p *parser) storedIn(n *yaml.Node, at, of string) {
	if n.Kind == yaml.AliasNode && n.Alias != nil && n.Alias.Kind == yaml.ScalarNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.MappingNode:
		each(n, func(k, v *yaml.Node) { p.storedIn(v, at+"."+k.Value, of) })
		return
	case yaml.SequenceNode:
		for i, v := range n.Content {
			p.storedIn(v, fmt.Sprintf("%s[%d]", at, i), of)
		}
		return
	}
	kind, name, rest, ok := Ref(n.Value).Vendor()
	if !ok {
		return
	}
	those := p.ofType(kind)
	if before, after, said := strings.Cut(rest, ":"); name == "" && said {
		if _, there := p.config.Vendors[before]; there || !p.formed(kind, rest) {
			name, rest = before, after
		}
	}
	if name == "" && len(those) == 1 {
		name = those[0]
	}
	form := p.form(kind)
	d, list := p.doc(n), strings.Join(those, ", ")
	switch {
	case len(those) > 0 && p.refers(kind, "form") == "":
		d.at(n, at, "a vendor of type "+kind+" cannot be asked for a secret by a reference", "name it in another way: env:NAME, file:PATH, cmd:COMMAND")
	case !p.formed(kind, rest):
		d.at(n, at, fmt.Sprintf("want %s:%s, or %s[NAME]:%s where NAME is one of vendors", kind, form, kind, form), "")
	case len(those) == 0:
		d.at(n, at, "there is no vendor of type "+kind+" under vendors", "")
	case name == "":
		d.at(n, at, "several vendors are of type "+kind+" ("+list+"), and this reference does not say which is meant", "write "+kind+"["+those[0]+"]:"+form)
	case !slices.Contains(those, name):
		d.at(n, at, "there is no vendor "+name+" of type "+kind+" under vendors; known are "+list, didYouMean(name, those))
	case name == of:
		d.at(n, at, "vendor "+of+" is reached by this, so it cannot be what is asked for it", "name it in another way: env:NAME, file:PATH, cmd:COMMAND")
	}
}

// refers is what the schema's maker left for us of how a type's values are named.
func (p *parser) refers(kind, key string) string {
	x, _ := p.definition("connection." + kind)["x-refers"].(map[string]any)
	s, _ := x[key].(string)
	return s
}

func (p *parser) form(kind string) string {
	if f := p.refers(kind, "form"); f != "" {
		return f
	}
	return "…"
}

// formed reports whether what follows a type is how its values are named.
func (p *parser) formed(kind, rest string) bool {
	pattern, err := regexp.Compile(p.refers(kind, "pattern"))
	return err != nil || pattern.MatchString(rest)
}
