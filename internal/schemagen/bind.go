package schemagen

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/invopop/jsonschema"

	"rekey/internal/provider"
)

// binder puts the settings of drivers beside the common keys of a definition: all of
// them, for an editor to offer, and exactly those of one driver where the entry says
// which it is. What an entry says is checked exactly when the file is read.
type binder struct {
	s    *jsonschema.Schema
	uses map[string]map[string][]string // definition of the common keys -> driver -> definitions of its settings
	of   map[string]map[string]bool     // definition of the common keys -> keys that are drivers'
	err  error
}

// merge adds one driver's settings. A key that several drivers have is any of theirs:
// none shadows another's. A key of Rekey's own is nobody else's.
func (b *binder) merge(into *jsonschema.Schema, name string, from *jsonschema.Schema, ref string, v provider.Descriptor) {
	if b.uses == nil {
		b.uses, b.of = map[string]map[string][]string{}, map[string]map[string]bool{}
	}
	if b.uses[name] == nil {
		b.uses[name], b.of[name] = map[string][]string{}, map[string]bool{}
	}
	b.uses[name][v.Name] = append(b.uses[name][v.Name], ref)
	for p := from.Properties.Oldest(); p != nil; p = p.Next() {
		c := *p.Value
		c.Description = v.Title + ": " + c.Description
		c.Extras = map[string]any{"x-driver": true}
		have, has := into.Properties.Get(p.Key)
		switch {
		case !has:
			b.of[name][p.Key] = true
			into.Properties.Set(p.Key, &c)
		case !b.of[name][p.Key]:
			if p.Key != "vendor" && b.err == nil {
				b.err = fmt.Errorf("driver %s: %s is a key of Rekey's own there (%s): call the setting something else", v.Name, p.Key, ref)
			}
		case have.AnyOf == nil && alike(have, &c):
		case have.AnyOf == nil:
			into.Properties.Set(p.Key, &jsonschema.Schema{AnyOf: []*jsonschema.Schema{have, &c}, Extras: map[string]any{"x-driver": true}})
		case !slices.ContainsFunc(have.AnyOf, func(x *jsonschema.Schema) bool { return alike(x, &c) }):
			have.AnyOf = append(have.AnyOf, &c)
		}
	}
}

// alike are schemas that take the same, whatever they say of it.
func alike(a, b *jsonschema.Schema) bool {
	x, y := *a, *b
	x.Description, y.Description = "", ""
	one, err := json.Marshal(&x)
	two, err2 := json.Marshal(&y)
	return err == nil && err2 == nil && string(one) == string(two)
}

// conditions says which settings belong together: an entry whose vendor is named as
// its type takes that driver's settings and no others.
func (b *binder) conditions(vendors *jsonschema.Schema) {
	for _, name := range slices.Sorted(maps.Keys(b.uses)) {
		def := b.s.Definitions[name]
		for _, driver := range slices.Sorted(maps.Keys(b.uses[name])) {
			def.AllOf = append(def.AllOf, &jsonschema.Schema{
				If:   is("vendor", driver),
				Then: b.only(name, driver),
			})
		}
	}
	vendors.Properties = jsonschema.NewProperties()
	for _, driver := range slices.Sorted(maps.Keys(b.uses["Connection"])) {
		vendors.Properties.Set(driver, &jsonschema.Schema{
			If:   &jsonschema.Schema{Required: []string{"vendor"}},
			Then: &jsonschema.Schema{Ref: "#/$defs/Connection"},
			Else: &jsonschema.Schema{Ref: "#/$defs/connection." + driver},
		})
	}
}

// only is a definition with no drivers' keys but one's.
func (b *binder) only(name, driver string) *jsonschema.Schema {
	names := map[string]bool{}
	for p := b.s.Definitions[name].Properties.Oldest(); p != nil; p = p.Next() {
		if !b.of[name][p.Key] {
			names[p.Key] = true
		}
	}
	for _, ref := range b.uses[name][driver] {
		for p := b.s.Definitions[ref].Properties.Oldest(); p != nil; p = p.Next() {
			names[p.Key] = true
		}
	}
	var keys []any
	for _, k := range slices.Sorted(maps.Keys(names)) {
		keys = append(keys, k)
	}
	return &jsonschema.Schema{PropertyNames: &jsonschema.Schema{Enum: keys}}
}

// is holds where a key has a value.
func is(key, value string) *jsonschema.Schema {
	s := &jsonschema.Schema{Properties: jsonschema.NewProperties(), Required: []string{key}}
	s.Properties.Set(key, &jsonschema.Schema{Const: value})
	return s
}
