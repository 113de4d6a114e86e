package sop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"errors"

	"go.yaml.in/yaml/v4"
)

// External is the type of a vendor whose driver is a program of its own.
const External = "external"

var sumOfProgram = regexp.MustCompile(`^[0-9a-f]{64}$`)

// outside reports whether a file has such a vendor.
func outside(root *yaml.Node) (found bool) {
	each(get(root, "vendors"), func(_, v *yaml.Node) {
		found = found || value(get(v, "vendor")) == External
	})
	return found
}

// description is the part of what a driver says of itself that settings are checked by.
type description struct {
	Name       string
	Connection map[string]any
	Issuers    []struct {
		Kind     string
		Settings map[string]any
		Fields   []string
		Optional []string
		NameMax  int `json:"name_max"`
		Verifies bool
	}
	Store, Consumer *struct {
		Settings map[string]any
		ID       string
	}
	Refers string // form of references to what it holds; "": there are none
}

// external reads what a driver outside says of itself from the file beside rekey.yaml,
// and adds the definitions that its settings are checked by. kind is "" if something
// was wrong, which is told.
func (p *parser) external(k, v *yaml.Node) (kind string, described []byte) {
	at, d := "vendors."+k.Value, p.doc(v)
	command := value(get(v, "command"))
	if command == "" {
		d.at(k, at, "the key command is missing: the path of the driver, as ./rekey-driver-NAME", "")
		return "", nil
	}
	if !sumOfProgram.MatchString(value(get(v, "sha256"))) {
		d.at(orNode(get(v, "sha256"), k), at+".sha256", "want the SHA-256 of the driver, in 64 hexadecimal digits: rekey driver describe "+command+" tells it", "")
	}
	path := value(get(v, "described"))
	if path == "" {
		path = command + ".json"
	}
	wrong := func(format string, args ...any) (string, []byte) {
		d.at(orNode(get(v, "described"), get(v, "command")), at, fmt.Sprintf(format, args...), "")
		return "", nil
	}
	described, err := readFile(p.within(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return wrong("there is no %s, which describes this driver: make it with rekey driver describe %s > %s", path, command, path)
	case err != nil || len(described) > maxFile:
		return wrong("%s cannot be read", path)
	}
	var in description
	if err := json.Unmarshal(described, &in); err != nil || in.Name == "" {
		return wrong("%s is not the description of a driver: make it with rekey driver describe %s > %s", path, command, path)
	}
	for _, other := range p.config.Vendors {
		if other.Type == in.Name && other.Described != nil && bytes.Equal(other.Described, described) {
			return in.Name, described // known already
		}
	}
	if p.definition("connection."+in.Name) != nil {
		return wrong("there is a vendor of type %s already: an external driver needs a name of its own", in.Name)
	}
	for _, def := range p.define(in) {
		if _, err := p.compiler.Compile(p.url + "#/$defs/" + def); err != nil {
			return wrong("%s: the schema of its settings (%s) is not one", path, def)
		}
	}
	return in.Name, described
}

// formatRefs is a secret setting of a driver outside.
const formatRefs = "rekey-references"

// define adds the definitions of one driver and returns their names.
func (p *parser) define(in description) (added []string) {
	defs, _ := p.schemas.root["$defs"].(map[string]any)
	add := func(name string, d map[string]any) {
		defs[name] = d
		added = append(added, name)
	}
	connection := closed(in.Connection, "vendor", "command", "sha256", "described")
	if in.Refers != "" {
		connection["x-refers"] = map[string]any{"form": in.Refers}
	}
	add("connection."+in.Name, connection)
	for _, i := range in.Issuers {
		d := closed(i.Settings)
		d["x-fields"], d["x-optional"], d["x-verifies"] = list(i.Fields), list(i.Optional), i.Verifies
		if i.NameMax > 0 {
			d["x-name-max"] = float64(i.NameMax)
		}
		add("issuer."+in.Name+"."+i.Kind, d)
	}
	if in.Store != nil {
		d := closed(in.Store.Settings)
		d["x-id"] = in.Store.ID
		add("store."+in.Name, d)
	}
	if in.Consumer != nil {
		d := closed(in.Consumer.Settings)
		d["x-id"] = []any{in.Consumer.ID}
		add("consumer."+in.Name, d)
	}
	clear(p.prefixed)
	return added
}

func list(texts []string) []any {
	out := []any{}
	for _, t := range texts {
		out = append(out, t)
	}
	return out
}

// closed is a driver's schema with nothing in it that it does not name, secrets as
// references, and keys of Rekey's own.
func closed(s map[string]any, own ...string) map[string]any {
	out, props := map[string]any{}, map[string]any{}
	for k, v := range s {
		out[k] = v
	}
	had, _ := s["properties"].(map[string]any)
	for k, v := range had {
		p, _ := v.(map[string]any)
		if p["secret"] == true {
			v = map[string]any{"type": []any{"string", "array"}, "items": map[string]any{"type": "string"}, "format": formatRefs}
		}
		props[k] = v
	}
	for _, k := range own {
		props[k] = map[string]any{"type": "string"}
	}
	out["type"], out["properties"], out["additionalProperties"] = "object", props, false
	return out
}

// within is a path as seen from the folder of rekey.yaml.
func (p *parser) within(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(p.config.Dir, path)
}

// beside makes the path of a driver one from the root: it is read and started wherever
// Rekey was started.
func (p *parser) beside(settings any) any {
	m, ok := settings.(map[string]any)
	if !ok {
		return settings
	}
	command, _ := m["command"].(string)
	if abs, err := filepath.Abs(p.within(command)); err == nil && command != "" {
		m["command"] = abs
	}
	return m
}

// isRefs is the form of a secret setting of a driver outside.
func isRefs(v any) error {
	var texts []any
	switch v := v.(type) {
	case string:
		texts = []any{v}
	case []any:
		texts = v
	}
	for _, x := range texts {
		if s, ok := x.(string); !ok || strings.TrimSpace(s) == "" || Ref(s).Check() != nil {
			return Ref("").Check()
		}
	}
	return nil
}
