package sop

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Stored are the parts of a reference to a secret of a store, as it stands in
// rekey.yaml: infisical:prod/team/KEY, or infisical:NAME:prod/team/KEY where vendors
// has several of that type.
type Stored struct {
	Vendor      string // as named under vendors; "": the only one of its type
	Environment string
	Path        string // from the root: /team
	Key         string
}

// Stored reads the reference; false if it is none to a store, or not complete.
func (r Ref) Stored() (s Stored, ok bool) {
	scheme, rest := r.Split()
	place, where, found := strings.Cut(rest, "/")
	if vendor, environment, named := strings.Cut(place, ":"); named {
		s.Vendor, s.Environment = vendor, environment
		found = found && vendor != ""
	} else {
		s.Environment = place
	}
	slash := strings.LastIndex(where, "/")
	s.Path, s.Key = "/"+strings.Trim(where[:max(slash, 0)], "/"), where[slash+1:]
	return s, scheme == "infisical" && found && s.Environment != "" && s.Key != ""
}

// storedRefs checks every reference to a store: that it says which one where there
// are several, that this one is there, and that no vendor is reached by what only it
// could be asked for.
func (p *parser) storedRefs() {
	var stores []string
	for name, v := range p.config.Vendors {
		if v.Type == "infisical" {
			stores = append(stores, name)
		}
	}
	slices.Sort(stores)
	each(p.root, func(k, v *yaml.Node) {
		switch k.Value {
		case "vendors":
			each(v, func(name, settings *yaml.Node) { p.storedIn(settings, "vendors."+name.Value, name.Value, stores) })
		case "evidence", "identity":
			p.storedIn(v, k.Value, "", stores)
		}
	})
}

func (p *parser) storedIn(n *yaml.Node, at, of string, stores []string) {
	if n.Kind == yaml.AliasNode && n.Alias != nil && n.Alias.Kind == yaml.ScalarNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.MappingNode:
		each(n, func(k, v *yaml.Node) { p.storedIn(v, at+"."+k.Value, of, stores) })
		return
	case yaml.SequenceNode:
		for i, v := range n.Content {
			p.storedIn(v, fmt.Sprintf("%s[%d]", at, i), of, stores)
		}
		return
	}
	if !strings.HasPrefix(n.Value, "infisical:") {
		return
	}
	s, ok := Ref(n.Value).Stored()
	if s.Vendor == "" && len(stores) == 1 {
		s.Vendor = stores[0]
	}
	d, list := p.doc(n), strings.Join(stores, ", ")
	switch {
	case !ok:
		d.at(n, at, "want infisical:ENV/path/KEY, or infisical:NAME:ENV/path/KEY where NAME is one of vendors", "")
	case len(stores) == 0:
		d.at(n, at, "there is no vendor of type infisical under vendors", "")
	case s.Vendor == "":
		d.at(n, at, "several vendors are of type infisical ("+list+"), and this reference does not say which is meant", "write infisical:"+stores[0]+":ENV/path/KEY")
	case !slices.Contains(stores, s.Vendor):
		d.at(n, at, "there is no vendor "+s.Vendor+" of type infisical under vendors; known are "+list, didYouMean(s.Vendor, stores))
	case s.Vendor == of:
		d.at(n, at, "vendor "+of+" is reached by this, so it cannot be what is asked for it", "name it in another way: env:NAME, file:PATH, cmd:COMMAND")
	}
}
