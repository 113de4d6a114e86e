package sop

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Config is a checked file.
type Config struct {
	File     string            // as given
	Dir      string            // folder of the file: relative paths start here
	Simulate string            // "" on real vendors
	Journal  string            // folder of the journal, absolute or relative to Dir
	Database string            // reference to the address of the journal's database, or the address; "": it is in the folder
	Vendors  map[string]Vendor // by name
	Evidence Attested          // how checkpoints are signed and where they are sent
	Specs    []Spec            // in the file's order
	Advice   Problems          // worth a look, not wrong
	Patterns map[string]string // of names that each procedure applies to, as written
	Identity *Identity         // nil: whoever runs Rekey is believed

	FingerprintKey Refs       // none: it is in the folder of the journal
	Schedule       Scheduling // how what is due is begun, and how often is looked
	Notify         *Notices   // nil: nobody is told

	identityLine int
	formerLines  map[string]int // where rekey.yaml names each former name
}

// Vendor is how to reach one vendor.
type Vendor struct {
	Type     string
	Settings json.RawMessage
	// Described is what a driver outside says of itself; nil: it is one of Rekey's own.
	Described json.RawMessage
	At        string // where it stands: "rekey.yaml:12"
}

// Spec returns the credential with this name or former name.
func (c *Config) Spec(name string) (Spec, error) {
	var known []string
	for _, s := range c.Specs {
		if s.Name == name {
			return s, nil
		}
		known = append(known, s.Name)
	}
	for _, s := range c.Specs {
		for _, f := range s.Former {
			if f == name {
				return Spec{}, fmt.Errorf("%s is a former name of %s; use that", name, s.Name)
			}
		}
	}
	err := fmt.Errorf("%s has no credential %s", c.File, name)
	if hint := didYouMean(name, known); hint != "" {
		err = fmt.Errorf("%w (%s)", err, hint)
	}
	return Spec{}, err
}

// Load reads and checks a file. The error is Problems where the file is wrong.
func Load(path string) (*Config, error) {
	src, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, src)
}

// Parse checks a file's content. All mistakes are found in one go.
func Parse(file string, src []byte) (*Config, error) {
	root, problems := read(file, src)
	if root == nil {
		return nil, problems
	}
	sch, err := schemasFor(simulates(root), outside(root))
	if err != nil {
		return nil, err
	}
	d := doc{file: file, node: root, problems: &problems}
	whole := d.plain(withoutCredentials(root), "")
	if credentials := get(root, "credentials"); credentials != nil && credentials.Kind == yaml.MappingNode {
		if m, ok := whole.(map[string]any); ok {
			m["credentials"] = map[string]any{} // each is checked by itself
		}
	}
	sch.check("File", d, whole, "")

	p := &parser{schemas: sch, once: newOnce(), file: file, root: root, problems: &problems, told: map[mistake]bool{},
		config: &Config{File: file, Dir: filepath.Dir(file), Journal: ".rekey", Vendors: map[string]Vendor{}, Patterns: map[string]string{}}}
	p.simulate()
	p.vendors()
	p.storedRefs()
	p.identity()
	p.procedures()
	p.credentials()
	if p.parts > maxParts {
		return nil, problems[len(problems)-1:] // the others are of a file that cannot stay
	}
	p.database()
	p.evidence()
	p.schedule()
	p.notify()
	if len(problems) > 0 {
		return nil, problems.sorted()
	}
	p.top(whole)
	p.adviseRoles()
	p.adviseApprovals()
	p.config.Advice = p.advice.sorted()
	return p.config, nil
}

type parser struct {
	*schemas
	once
	file     string
	root     *yaml.Node
	problems *Problems
	advice   Problems
	told     map[mistake]bool // advice that is given already: a procedure's is the same for each of its credentials
	config   *Config
	applies  []applies             // procedures that apply by name
	slots    map[held]string       // the credential that writes it
	holders  map[string]int        // places by a short name each: there are many slots in each of them
	places   map[string]string     // of issuers that show no name of ours -> the credential that is made there
	bases    map[string]*yaml.Node // what each procedure says of its credentials
	parts    int                   // of the credentials so far, their procedures laid under them
}

// held is a slot of a place.
type held struct {
	place int
	slot  string
}

// holder is the short name of a place.
func (p *parser) holder(place string) int {
	n, known := p.holders[place]
	if !known {
		n = len(p.holders)
		p.holders[place] = n
	}
	return n
}

type applies struct {
	prefix, suffix, procedure string
}

func (p *parser) doc(n *yaml.Node) doc { return doc{file: p.file, node: n, problems: p.problems} }

func (p *parser) top(whole any) {
	m, _ := whole.(map[string]any)
	p.config.Simulate, _ = m["simulate"].(string)
	if j, _ := m["journal"].(string); j != "" {
		p.config.Journal = j
	} else if p.config.Simulate != "" {
		p.config.Journal += "-simulated" // simulated and real runs are never mixed
	}
}

func (p *parser) vendors() {
	each(get(p.root, "vendors"), func(k, v *yaml.Node) {
		d, at := p.doc(v), "vendors."+k.Value
		kind := k.Value
		if t := get(v, "vendor"); t != nil {
			kind = t.Value
		}
		var described []byte
		if kind == External {
			if kind, described = p.external(k, v); kind == "" {
				return
			}
		}
		if p.definition("connection."+kind) == nil {
			known := append(p.having("connection."), External)
			d.at(k, at, "there is no vendor of this type; known are "+strings.Join(known, ", "), didYouMean(kind, known))
			return
		}
		settings := d.plain(v, at)
		if settings == nil {
			settings = map[string]any{}
		}
		p.check("connection."+kind, d, settings, at)
		if described != nil {
			settings = p.beside(settings)
		}
		p.config.Vendors[k.Value] = Vendor{Type: kind, Settings: raw(settings), Described: described, At: p.file + ":" + strconv.Itoa(k.Line)}
	})
}

func (p *parser) procedures() {
	each(get(p.root, "procedures"), func(k, v *yaml.Node) {
		if a := get(v, "applies_to"); a != nil {
			if prefix, suffix, ok := strings.Cut(a.Value, "<SCOPE>"); ok {
				p.applies = append(p.applies, applies{prefix, suffix, k.Value})
				p.config.Patterns[k.Value] = a.Value
			}
		}
	})
}

// withoutCredentials returns a file's mapping in which the credentials have nothing in
// them: there may be very many, and each is read when its turn comes.
func withoutCredentials(root *yaml.Node) *yaml.Node {
	empty := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	return replaced(root, "credentials", func(all *yaml.Node) *yaml.Node {
		if all.Kind != yaml.MappingNode {
			return all
		}
		out := *all
		out.Content = append([]*yaml.Node{}, all.Content...)
		for i := 1; i < len(out.Content); i += 2 {
			out.Content[i] = empty
		}
		return &out
	})
}

// replaced returns a mapping in which the values of a key are others.
func replaced(n *yaml.Node, key string, by func(*yaml.Node) *yaml.Node) *yaml.Node {
	out := *n
	out.Content = append([]*yaml.Node{}, n.Content...)
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(out.Content); i += 2 {
		if out.Content[i].Value == key {
			out.Content[i+1] = by(out.Content[i+1])
		}
	}
	return &out
}

// each calls f for every entry of a mapping.
func each(n *yaml.Node, f func(k, v *yaml.Node)) {
	if n == nil || n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		f(n.Content[i], n.Content[i+1])
	}
}

// without returns a mapping without some keys.
func without(n *yaml.Node, keys ...string) *yaml.Node {
	out := *n
	out.Content = make([]*yaml.Node, 0, len(n.Content))
	each(n, func(k, v *yaml.Node) {
		for _, drop := range keys {
			if k.Value == drop {
				return
			}
		}
		out.Content = append(out.Content, k, v)
	})
	return &out
}

func raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return b
}
