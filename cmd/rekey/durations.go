package main

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"rekey/internal/report"
)

// withDurations adds to what is printed as JSON, beside every length of time in
// nanoseconds, the words and the seconds: took, took_text, took_seconds. What has
// none is returned as it is, in the order of its fields.
func withDurations(v any) any {
	if !hasDuration(reflect.ValueOf(v)) {
		return v
	}
	b, err := json.Marshal(v)
	if err != nil {
		return v // the caller meets the same
	}
	var tree any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if d.Decode(&tree) != nil {
		return v
	}
	annotate(reflect.ValueOf(v), tree)
	return tree
}

// length is what a value that lasts is typed as.
func length() reflect.Type { return reflect.TypeFor[time.Duration]() }

// opaque values encode themselves; what is in them is theirs.
func opaque(v reflect.Value) bool {
	return v.IsValid() && v.Type().Implements(reflect.TypeFor[json.Marshaler]())
}

func hasDuration(v reflect.Value) bool {
	switch {
	case !v.IsValid() || opaque(v):
		return false
	case v.Type() == length():
		return true
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return !v.IsNil() && hasDuration(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && hasDuration(v.Field(i)) {
				return true
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if hasDuration(v.Index(i)) {
				return true
			}
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			if hasDuration(v.MapIndex(k)) {
				return true
			}
		}
	}
	return false
}

func annotate(v reflect.Value, tree any) {
	if !v.IsValid() || opaque(v) {
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			annotate(v.Elem(), tree)
		}
	case reflect.Struct:
		m, ok := tree.(map[string]any)
		if !ok {
			return
		}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.Anonymous && name == "" {
				annotate(v.Field(i), m)
				continue
			}
			if name == "" {
				name = f.Name
			}
			within(v.Field(i), m, name)
		}
	case reflect.Map:
		if m, ok := tree.(map[string]any); ok && v.Type().Key().Kind() == reflect.String {
			for _, k := range v.MapKeys() {
				within(v.MapIndex(k), m, k.String())
			}
		}
	case reflect.Slice, reflect.Array:
		if list, ok := tree.([]any); ok {
			for i := range min(v.Len(), len(list)) {
				annotate(v.Index(i), list[i])
			}
		}
	}
}

func within(v reflect.Value, m map[string]any, name string) {
	sub, there := m[name]
	if !there {
		return
	}
	for v.IsValid() && v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if v.IsValid() && v.Type() == length() {
		d := time.Duration(v.Int())
		m[name+"_text"], m[name+"_seconds"] = report.Span(d), d.Seconds()
		return
	}
	annotate(v, sub)
}
