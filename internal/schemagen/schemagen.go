// Package schemagen makes the JSON Schema of rekey.yaml and the vendors' pages from the types and values that the program goes by.
package schemagen

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/invopop/jsonschema"

	"rekey/internal/provider"
	"rekey/internal/sop"
)

// Schema returns the schema as JSON. root is the module's folder: the comments
// of the types become the descriptions that an editor shows.
func Schema(root string, vendors []provider.Descriptor) ([]byte, error) {
	r := &jsonschema.Reflector{
		Anonymous: true, RequiredFromJSONSchemaTags: true, ExpandedStruct: false,
		Mapper: special(vendors),
	}
	if err := r.AddGoComments("rekey", root); err != nil {
		return nil, err
	}
	s := r.Reflect(&sop.File{})
	s.ID = "https://rekey.invalid/rekey.schema.json"
	s.Title = "rekey.yaml"

	bind := binder{s: s}
	add := func(name string, settings any) *jsonschema.Schema {
		reflected := r.Reflect(settings)
		for _, def := range reflected.Definitions {
			s.Definitions[name] = def
			return def
		}
		if bind.err == nil {
			bind.err = fmt.Errorf("%s: settings are a pointer to a struct that has a name of its own", name)
		}
		return &jsonschema.Schema{Properties: jsonschema.NewProperties()}
	}
	connection := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema}
	connection.Properties.Set("vendor", &jsonschema.Schema{Type: "string", Description: "Type of the vendor, where the key is another name than the type."})
	for _, v := range vendors {
		c := add("connection."+v.Name, v.Connection)
		c.Properties.Set("vendor", &jsonschema.Schema{Type: "string"})
		if v.Queries {
			c.Extras = map[string]any{"x-queries": true}
		}
		if v.Refers.Form != "" {
			if c.Extras == nil {
				c.Extras = map[string]any{}
			}
			c.Extras["x-refers"] = map[string]any{"form": v.Refers.Form, "pattern": v.Refers.Pattern}
		}
		bind.merge(connection, "Connection", c, "connection."+v.Name, v)
		for _, sheet := range v.Issuers {
			d := add("issuer."+v.Name+"."+sheet.Kind, sheet.Settings)
			d.Extras = map[string]any{"x-fields": sheet.Fields}
			if len(sheet.Optional) > 0 {
				d.Extras["x-optional"] = sheet.Optional
			}
			if sheet.NameMax > 0 {
				d.Extras["x-name-max"] = sheet.NameMax
			}
			if sheet.NameChars != "" {
				d.Extras["x-name-chars"] = sheet.NameChars
			}
			if sheet.GraceMax > 0 {
				d.Extras["x-grace-max"] = sheet.GraceMax.String()
			}
			if !sheet.Label && sheet.Create {
				d.Extras["x-nameless"] = true
			}
			if sheet.Person {
				d.Extras["x-person"] = true
			}
			if sheet.Verifies {
				d.Extras["x-verifies"] = true
			}
			bind.merge(s.Definitions["IssuerBinding"], "IssuerBinding", d, "issuer."+v.Name+"."+sheet.Kind, v)
			bind.merge(s.Definitions["Probe"], "Probe", d, "issuer."+v.Name+"."+sheet.Kind, v)
		}
		if v.Store != nil {
			d := add("store."+v.Name, v.Store)
			d.Extras = map[string]any{"x-id": v.StoreID}
			bind.merge(s.Definitions["StoreBinding"], "StoreBinding", d, "store."+v.Name, v)
			bind.merge(s.Definitions["CheckpointSlot"], "CheckpointSlot", d, "store."+v.Name, v)
		}
		if v.Consumer != nil {
			d := add("consumer."+v.Name, v.Consumer)
			d.Extras = map[string]any{"x-id": v.ConsumerID}
			bind.merge(s.Definitions["ConsumerBinding"], "ConsumerBinding", d, "consumer."+v.Name, v)
		}
	}
	s.Definitions["Connection"] = connection
	file := s.Definitions["File"]
	vs, _ := file.Properties.Get("vendors")
	vs.AdditionalProperties = &jsonschema.Schema{Ref: "#/$defs/Connection"}
	if bind.err != nil {
		return nil, bind.err
	}
	bind.conditions(vs)
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("make the schema: %w", err)
	}
	return append(b, '\n'), nil
}

// special gives the types that are written as text their shape.
func special(vendors []provider.Descriptor) func(reflect.Type) *jsonschema.Schema {
	kinds := []string{"env", "file", "cmd"}
	for _, v := range vendors {
		if v.Refers.Form != "" {
			kinds = append(kinds, v.Name)
		}
	}
	refs := sop.RefPattern(kinds)
	return func(t reflect.Type) *jsonschema.Schema { return shape(t, refs) }
}

func shape(t reflect.Type, refs string) *jsonschema.Schema {
	text := func(pattern string, examples ...any) *jsonschema.Schema {
		return &jsonschema.Schema{Type: "string", Pattern: pattern, Examples: examples}
	}
	oneOrMany := func(item *jsonschema.Schema) *jsonschema.Schema {
		minimum := uint64(1)
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{item, {Type: "array", Items: item, MinItems: &minimum}}}
	}
	switch t {
	case reflect.TypeFor[sop.Duration]():
		s := text(`^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$`, "90d", "30s")
		s.Format = sop.FormatLength
		return s
	case reflect.TypeFor[sop.Every]():
		s := text(`^(off|([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+)$`, "1h", "24h", "off")
		s.Format = sop.FormatPositive
		return s
	case reflect.TypeFor[sop.Refs]():
		return oneOrMany(text(refs, "env:NAME", "file:PATH", "cmd:COMMAND"))
	case reflect.TypeFor[sop.Text]():
		return oneOrMany(text(``, "env:NAME"))
	}
	return nil
}
