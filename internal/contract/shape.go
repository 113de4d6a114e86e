package contract

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// document is a JSON document with schemas that refer to each other by pointers.
// It must not be changed once it is asked.
type document struct {
	root map[string]any
	seen sync.Map // what stands where pointers lead
	res  sync.Map // patterns, compiled
}

func parse(b []byte) (*document, error) {
	d := &document{}
	err := json.Unmarshal(b, &d.root)
	return d, err
}

// at follows a pointer: #/definitions/app. nil: there is nothing.
func (d *document) at(pointer string) any {
	if v, ok := d.seen.Load(pointer); ok {
		return v
	}
	v := d.follow(pointer)
	d.seen.Store(pointer, v)
	return v
}

func (d *document) follow(pointer string) any {
	var v any = d.root
	for _, part := range strings.Split(strings.TrimPrefix(pointer, "#/"), "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		switch x := v.(type) {
		case map[string]any:
			v = x[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// branches are a schema and everything that it is composed of.
func (d *document) branches(schema any) []map[string]any {
	m, ok := schema.(map[string]any)
	for ok {
		ref, isRef := m["$ref"].(string)
		if !isRef {
			break
		}
		m, ok = d.at(ref).(map[string]any)
	}
	if !ok {
		return nil
	}
	out := []map[string]any{m}
	for _, word := range []string{"allOf", "anyOf", "oneOf"} {
		list, _ := m[word].([]any)
		for _, s := range list {
			out = append(out, d.branches(s)...)
		}
	}
	return out
}

// shape walks a value along its schema and tells which fields are not declared,
// which no schema language forbids by itself; with whole, also which are missing.
func (d *document) shape(schemas []any, value any, at string, whole bool, tell func(format string, args ...any)) {
	var all []map[string]any
	for _, s := range schemas {
		all = append(all, d.branches(s)...)
	}
	switch v := value.(type) {
	case []any:
		var items []any
		for _, b := range all {
			if i, ok := b["items"]; ok {
				items = append(items, i)
			}
		}
		for _, x := range v {
			d.shape(items, x, at+"[]", whole, tell)
		}
	case map[string]any:
		d.fields(all, v, at, whole, tell)
		return
	case nil:
		return
	}
	// A schema language lets anything but an object pass where properties are
	// declared and no type is.
	typed, props := false, false
	for _, b := range all {
		typed, props = typed || b["type"] != nil, props || b["properties"] != nil
	}
	if props && !typed {
		tell("%s is no object", strings.TrimPrefix(at, "."))
	}
}

func (d *document) fields(all []map[string]any, v map[string]any, at string, whole bool, tell func(string, ...any)) {
	declared, free := map[string][]any{}, true
	patterns := map[string][]any{}
	var more []any
	for _, b := range all {
		props, _ := b["properties"].(map[string]any)
		for name, s := range props {
			declared[name] = append(declared[name], s)
		}
		pats, _ := b["patternProperties"].(map[string]any)
		for p, s := range pats {
			patterns[p] = append(patterns[p], s)
		}
		switch a := b["additionalProperties"].(type) {
		case bool:
			if a {
				more = append(more, map[string]any{})
			}
			free = free && a
		case map[string]any:
			more = append(more, a)
		}
		free = free && len(props) == 0 && len(pats) == 0
	}
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		found := slices.Clone(declared[name])
		for p, s := range patterns {
			if d.pattern(p).MatchString(name) {
				found = append(found, s...)
			}
		}
		if len(found) == 0 {
			found = more
		}
		if len(found) == 0 && !free {
			tell("%s is not declared", strings.TrimPrefix(at+"."+name, "."))
			continue
		}
		d.shape(found, v[name], at+"."+name, whole, tell)
	}
	if !whole {
		return
	}
	for name := range declared {
		if _, has := v[name]; !has {
			tell("%s is missing", strings.TrimPrefix(at+"."+name, "."))
		}
	}
}

func (d *document) pattern(p string) *regexp.Regexp {
	if re, ok := d.res.Load(p); ok {
		return re.(*regexp.Regexp)
	}
	re := regexp.MustCompile(p)
	d.res.Store(p, re)
	return re
}

// decode reads JSON; what cannot be read is told.
func decode(b []byte, tell func(format string, args ...any)) (any, bool) {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		tell("is no JSON: %v", err)
		return nil, false
	}
	return v, true
}

// pathLike matches a path with a published one: /apps/{app}/dynos.
func pathLike(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && !(strings.HasPrefix(want[i], "{") && got[i] != "") {
			return false
		}
	}
	return true
}
