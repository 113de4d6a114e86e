package contract

import (
	_ "embed"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var (
	//go:embed testdata/heroku.schema.json
	herokuJSON []byte
	//go:embed testdata/heroku-more.schema.json
	herokuMoreJSON []byte
)

// hyperSchema is Heroku's contract: a draft 4 hyper-schema. Each resource has
// links; a link has a method, a path, what goes in and what comes out.
type hyperSchema struct {
	links    []*link
	raw      *document
	compiled sync.Map // pointer to *jsonschema.Schema
	compiler *jsonschema.Compiler
	mu       sync.Mutex
}

type link struct {
	method, name string
	rel          string
	parts        []string // of the path; a pointer to a schema, or a word
	schema       string   // pointers; "": none
	target       string
}

const herokuURL = "heroku.schema.json"

var herokuContract = sync.OnceValue(func() *hyperSchema {
	raw, err := parse(herokuJSON)
	if err != nil {
		panic(err)
	}
	more, err := parse(herokuMoreJSON)
	if err != nil {
		panic(err)
	}
	definitions := raw.root["definitions"].(map[string]any)
	maps.Copy(definitions, more.root["definitions"].(map[string]any))
	dropDialect(raw.root)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	c.AssertFormat()
	c.UseRegexpEngine(goRegexp)
	if err := c.AddResource(herokuURL, raw.root); err != nil {
		panic(err)
	}
	h := &hyperSchema{raw: raw, compiler: c}
	for _, name := range slices.Sorted(maps.Keys(definitions)) {
		links, _ := definitions[name].(map[string]any)["links"].([]any)
		for i, l := range links {
			h.links = append(h.links, readLink(fmt.Sprintf("#/definitions/%s/links/%d", name, i), l.(map[string]any)))
		}
	}
	return h
})

// goRegexp leaves out the one look-ahead there is, that a space's name has no two
// hyphens in a row: Go's expressions have none.
func goRegexp(s string) (jsonschema.Regexp, error) {
	re, err := regexp.Compile(strings.ReplaceAll(s, "(?!-)", ""))
	return re, err
}

// dropDialect takes $schema away: the validator knows draft 4, of which the
// hyper-schema is the same with links, under another address.
func dropDialect(v any) {
	switch v := v.(type) {
	case map[string]any:
		if s, ok := v["$schema"].(string); ok && strings.Contains(s, "hyper-schema") {
			delete(v, "$schema")
		}
		for _, x := range v {
			dropDialect(x)
		}
	case []any:
		for _, x := range v {
			dropDialect(x)
		}
	}
}

// readLink: in a path {(%23%2Fdefinitions%2Fapp%2Fdefinitions%2Fidentity)} stands
// for a pointer to the schema of what goes there.
func readLink(at string, m map[string]any) *link {
	l := &link{method: m["method"].(string), rel: m["rel"].(string)}
	for _, part := range strings.Split(m["href"].(string), "/") {
		shown := part
		if inner, ok := strings.CutPrefix(part, "{("); ok {
			pointer, err := url.PathUnescape(strings.TrimSuffix(inner, ")}"))
			if err != nil {
				panic(err)
			}
			part = pointer
			shown = "{" + strings.Split(pointer, "/")[2] + "}"
		}
		l.parts = append(l.parts, part)
		l.name += "/" + shown
	}
	l.name = "heroku " + l.method + " " + l.name[1:]
	if m["schema"] != nil {
		l.schema = at + "/schema"
	}
	if m["targetSchema"] != nil {
		l.target = at + "/targetSchema"
	}
	return l
}

// valid tells what a schema has against a value.
func (h *hyperSchema) valid(pointer string, v any) error {
	s, ok := h.compiled.Load(pointer)
	if !ok {
		h.mu.Lock()
		defer h.mu.Unlock()
		made, err := h.compiler.Compile(herokuURL + pointer)
		if err != nil {
			panic(err)
		}
		h.compiled.Store(pointer, made)
		s = made
	}
	return s.(*jsonschema.Schema).Validate(v)
}

// find returns the links of a method and path: there can be two, one to create a
// release, one to roll back.
func (h *hyperSchema) find(x Exchange) []*link {
	var out []*link
	for _, l := range h.links {
		if l.method == x.Method && pathLike(strings.TrimPrefix(l.name, "heroku "+l.method+" "), x.URL.EscapedPath()) {
			out = append(out, l)
		}
	}
	return out
}

func (h *hyperSchema) operation(x Exchange) (string, bool) {
	if found := h.find(x); len(found) > 0 {
		return found[0].name, true
	}
	return "heroku " + x.Method + " " + x.URL.Path, false
}

// check holds an exchange against the link that has the least against it.
func (h *hyperSchema) check(x Exchange, tell func(part, format string, args ...any)) {
	type said struct {
		part, what string
	}
	var least []said
	for i, l := range h.find(x) {
		all := []said{}
		h.checkLink(l, x, func(part, format string, args ...any) { all = append(all, said{part, fmt.Sprintf(format, args...)}) })
		if i == 0 || len(all) < len(least) {
			least = all
		}
	}
	for _, s := range least {
		tell(s.part, "%s", s.what)
	}
}
