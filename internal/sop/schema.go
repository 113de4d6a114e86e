package sop

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"rekey/internal/packed"
)

//go:generate sh -c "cd ../.. && go run ./internal/schemagen/list && go run ./internal/schemagen/gen && go run ./internal/schemagen/list -linked"

//go:embed rekey.schema.json.gz
var schemaPacked []byte

var schemaJSON = packed.Text(schemaPacked)

// Schema returns the JSON Schema (2020-12) of rekey.yaml: rekey.schema.json.
func Schema() []byte { return schemaJSON() }

// schemas compiles definitions of the schema, once each; for use side by side.
type schemas struct {
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	url      string
	root     map[string]any
	done     map[string]*jsonschema.Schema
	prefixed map[string][]string // what having has found, by prefix
}

// Where the compiler is told that the schema stands. What stands at json-schema.org it
// takes for valid, and everything else it holds against the schema of schemas at every
// start, for most of the time that reading a file takes. Ours is the same in every
// process, and a test does that once; what a driver outside says of its settings is
// whatever it likes, so with one of those the schema stands where everybody's do.
const (
	schemaURL = "https://rekey.invalid/rekey.schema.json"
	provenURL = "https://json-schema.org/rekey.invalid/rekey.schema.json"
)

// The schemas of files without a driver outside, of which nothing is changed once they
// are read: a process that reads many files compiles them once.
var (
	ofReal      = sync.OnceValues(func() (*schemas, error) { return newSchemas(false, false) })
	ofSimulated = sync.OnceValues(func() (*schemas, error) { return newSchemas(true, false) })
)

// schemasFor returns the schemas for a file; those of one with drivers outside, which
// add definitions of their own, are its own.
func schemasFor(simulated, open bool) (*schemas, error) {
	switch {
	case open:
		return newSchemas(simulated, open)
	case simulated:
		return ofSimulated()
	}
	return ofReal()
}

// newSchemas reads the embedded schema; in a simulated world addresses need no
// encryption. open: there are drivers outside, whose keys the schema does not know.
func newSchemas(simulated, open bool) (*schemas, error) {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		return nil, fmt.Errorf("embedded schema: %w", err)
	}
	root := v.(map[string]any)
	loosen(root, open)
	url := schemaURL
	if !open {
		url = provenURL
		delete(root, "$id") // it would stand there after all
	}
	c := jsonschema.NewCompiler()
	register(c, simulated)
	if err := c.AddResource(url, v); err != nil {
		return nil, fmt.Errorf("embedded schema: %w", err)
	}
	return &schemas{compiler: c, url: url, root: root, done: map[string]*jsonschema.Schema{}, prefixed: map[string][]string{}}, nil
}

// loosen takes out of the schema what is there for editors: which settings belong to
// which driver is checked exactly, by the definition of that driver's settings.
func loosen(root map[string]any, open bool) {
	defs, _ := root["$defs"].(map[string]any)
	for _, name := range []string{"Connection", "IssuerBinding", "StoreBinding", "ConsumerBinding", "CheckpointSlot", "Probe"} {
		d, _ := defs[name].(map[string]any)
		delete(d, "allOf")
		if open {
			delete(d, "additionalProperties")
		}
		props, _ := d["properties"].(map[string]any)
		for k, v := range props {
			if p, ok := v.(map[string]any); ok && p["x-driver"] == true {
				props[k] = true // a driver's own, and the entry may be of another one
			}
		}
	}
	file, _ := defs["File"].(map[string]any)
	props, _ := file["properties"].(map[string]any)
	vendors, _ := props["vendors"].(map[string]any)
	delete(vendors, "properties")
}

// definition returns the raw definition, nil if there is none.
func (s *schemas) definition(name string) map[string]any {
	defs, _ := s.root["$defs"].(map[string]any)
	d, _ := defs[name].(map[string]any)
	return d
}

// having lists the definitions that begin with a prefix, without it.
func (s *schemas) having(prefix string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.prefixed[prefix]; ok {
		return known
	}
	defs, _ := s.root["$defs"].(map[string]any)
	var out []string
	for name := range defs {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			out = append(out, rest)
		}
	}
	sort.Strings(out)
	out = slices.Clip(out) // who appends to it changes nobody else's
	s.prefixed[prefix] = out
	return out
}

// properties lists the keys that a definition knows.
func (s *schemas) properties(name string) []string {
	props, _ := s.definition(name)["properties"].(map[string]any)
	var out []string
	for k := range props {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// check validates a value against a definition and adds every mistake.
func (s *schemas) check(name string, d doc, value any, path string) {
	s.mu.Lock()
	sch := s.done[name]
	if sch == nil {
		sch = s.compiler.MustCompile(s.url + "#/$defs/" + name)
		s.done[name] = sch
	}
	s.mu.Unlock()
	err := sch.Validate(value)
	if err == nil {
		return
	}
	if ve, ok := err.(*jsonschema.ValidationError); ok {
		s.report(ve, d, path)
	}
}

// report turns the library's errors into ours. Values are never quoted: one of
// them may be a secret that does not belong into the file.
func (s *schemas) report(e *jsonschema.ValidationError, d doc, path string) {
	value, key := find(d.node, e.InstanceLocation)
	here := path
	for _, step := range e.InstanceLocation {
		here = join(here, step)
	}
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, p := range k.Properties {
			_, at := find(d.node, append(append([]string{}, e.InstanceLocation...), p))
			d.at(at, join(here, p), "this key is unknown here", didYouMean(p, s.properties(definitionOf(e.SchemaURL))))
		}
		return
	case *kind.Required:
		for _, m := range k.Missing {
			at := key
			if at == nil {
				at = value
			}
			d.at(at, here, "the key "+m+" is missing", "")
		}
		return
	case *kind.OneOf, *kind.AnyOf:
		d.at(value, here, oneOrMany(e), "")
		return
	case *kind.Type:
		d.form(value, here, fmt.Sprintf("want %s, not %s", strings.Join(k.Want, " or "), k.Got))
		return
	case *kind.Format:
		d.at(value, here, k.Err.Error(), "")
		return
	case *kind.Pattern:
		d.at(value, here, patternWords(k.Want), "")
		return
	case *kind.Enum:
		var want []string
		for _, w := range k.Want {
			want = append(want, fmt.Sprint(w))
		}
		d.at(value, here, "want "+strings.Join(want, " or "), "")
		return
	}
	if len(e.Causes) > 0 {
		for _, c := range e.Causes {
			s.report(c, d, path)
		}
		return
	}
	d.form(value, here, "this value is out of range")
}

// definitionOf takes the definition's name out of a schema location.
func definitionOf(url string) string {
	_, rest, _ := strings.Cut(url, "#/$defs/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// oneOrMany: only references and texts are written as one or a list.
func oneOrMany(e *jsonschema.ValidationError) string {
	var b strings.Builder
	collect(e, &b)
	if strings.Contains(b.String(), "pattern") {
		return Ref("").Check().Error()
	}
	return "expected a string or a list of strings"
}

func collect(e *jsonschema.ValidationError, b *strings.Builder) {
	if k, ok := e.ErrorKind.(*kind.Pattern); ok && strings.HasPrefix(k.Want, refsBegin) {
		b.WriteString("pattern")
	}
	for _, c := range e.Causes {
		collect(c, b)
	}
}

// patternWords says a pattern in words.
func patternWords(pattern string) string {
	switch {
	case strings.Contains(pattern, "ms|s|m|h|d|w"):
		return "this is not a duration: expected 90d, 12h or 30s"
	case strings.Contains(pattern, "forever"):
		return "expected hours as the issuer writes them: 8760h, or forever"
	case strings.Contains(pattern, "<SCOPE>"):
		return "expected a name with <SCOPE> in it: CF_ACCESS_SVC_<SCOPE>"
	case strings.HasPrefix(pattern, refsBegin):
		return Ref("").Check().Error()
	case strings.Contains(pattern, `[^\s+]`):
		return "expected a name without spaces and +, like example.com/rekey"
	case pattern == "^/", strings.HasPrefix(pattern, "^(/|"):
		return "expected a path that begins with /"
	}
	return "this does not have the form " + pattern
}
