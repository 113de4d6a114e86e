package api

import (
	"bytes"
	_ "embed"
	"fmt"
	"reflect"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"rekey/internal/packed"
)

// openapi is openapi.json, which people read, in a tenth of its size: every command
// carries it, and only a server has a use for it.
//
//go:embed openapi.json.gz
var openapi []byte

var document = packed.Text(openapi)

// Document is the OpenAPI 3.1 document.
func Document() []byte { return document() }

const documentURL = "https://rekey.invalid/openapi.json"

// Bodies checks bodies against the document.
type Bodies struct {
	schemas map[reflect.Type]*jsonschema.Schema
}

// NewBodies compiles the schemas of all bodies. An error is one of the program.
func NewBodies() (*Bodies, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Document()))
	if err != nil {
		return nil, fmt.Errorf("the API's document: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource(documentURL, doc); err != nil {
		return nil, fmt.Errorf("the API's document: %w", err)
	}
	out := &Bodies{schemas: map[reflect.Type]*jsonschema.Schema{}}
	for _, w := range Ways() {
		if w.Body == nil || out.schemas[w.Body] != nil {
			continue
		}
		at := fmt.Sprintf("%s#/paths/%s/%s/requestBody/content/application~1json/schema", documentURL, pointer(Base+w.Path), strings.ToLower(w.Method))
		if out.schemas[w.Body], err = c.Compile(at); err != nil {
			return nil, fmt.Errorf("the API's document: %w", err)
		}
	}
	return out, nil
}

// pointer writes a key as part of a JSON pointer in a URL.
func pointer(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(key)
}

// Check returns all mistakes of a body of a type. What it says wrong is not repeated:
// it may be a secret that does not belong there.
func (b *Bodies) Check(t reflect.Type, body []byte) []Mistake {
	if m := wellFormed(body); m != nil {
		return []Mistake{*m}
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return []Mistake{{What: "this is not JSON"}}
	}
	err = b.schemas[t].Validate(value)
	if e, is := err.(*jsonschema.ValidationError); is {
		return mistakes(e)
	}
	return nil
}

// mistakes turns the library's errors into ours.
func mistakes(e *jsonschema.ValidationError) (out []Mistake) {
	at := "/" + strings.Join(e.InstanceLocation, "/")
	if len(e.InstanceLocation) == 0 {
		at = ""
	}
	say := func(what string) { out = append(out, Mistake{At: at, What: what}) }
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, p := range k.Properties {
			out = append(out, Mistake{At: at + "/" + shown(p), What: "this field is not known here"})
		}
	case *kind.Required:
		for _, m := range k.Missing {
			out = append(out, Mistake{At: at + "/" + m, What: "this field is missing"})
		}
	case *kind.Type:
		say("want " + strings.Join(k.Want, " or ") + ", not " + k.Got)
	case *kind.Format:
		say("want a " + k.Want)
	default:
		for _, c := range e.Causes {
			out = append(out, mistakes(c)...)
		}
		if len(e.Causes) == 0 {
			say("this value is out of range")
		}
	}
	return out
}

// shown is a key that somebody sent, cut short.
func shown(key string) string {
	if len(key) > 40 {
		key = key[:40] + "…"
	}
	return strings.ToValidUTF8(key, "�")
}
