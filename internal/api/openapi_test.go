package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/invopop/jsonschema"

	"rekey/internal/api"
	"rekey/internal/cred"
	"rekey/internal/estate"
	"rekey/internal/packed"
	"rekey/internal/sop"
)

// update: write openapi.json as the types are now.
var update = flag.Bool("update", false, "write openapi.json")

// TestTheDocumentIsMadeFromTheTypes: what is committed says what goes over the wire.
func TestTheDocumentIsMadeFromTheTypes(t *testing.T) {
	want := document(t)
	if *update {
		small, err := packed.Pack(want)
		if err := errors.Join(err, os.WriteFile("openapi.json", want, 0o644), os.WriteFile("openapi.json.gz", small, 0o644)); err != nil {
			t.Fatal(err)
		}
		return
	}
	committed, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(api.Document(), want) || !bytes.Equal(committed, want) {
		t.Error("openapi.json is not what the types say; run: go test ./internal/api -update, and read the difference: whoever has made a client from it has to live with it")
	}
}

// object keeps no order: encoding/json sorts.
type object = map[string]any

// document makes the OpenAPI document.
func document(t *testing.T) []byte {
	t.Helper()
	d := newDefinitions(t)
	paths, groups := object{}, []object{}
	for _, w := range api.Ways() {
		if len(groups) == 0 || groups[len(groups)-1]["name"] != w.Group {
			groups = append(groups, object{"name": w.Group})
		}
		path, _ := paths[api.Base+w.Path].(object)
		if path == nil {
			path = object{}
			paths[api.Base+w.Path] = path
		}
		path[strings.ToLower(w.Method)] = d.operation(w)
	}
	d.refer(reflect.TypeFor[api.Refusal]())
	out := object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Rekey", "version": api.Version,
			"description": "What can be done with credentials, as rekey serve offers it. Nothing secret goes over it in either direction, but for the text of a new token of the server's own. " +
				"Lengths of time are in nanoseconds. A list that is null has nothing in it. Fields may be added to answers.",
		},
		"servers":    []object{{"url": "http://127.0.0.1:8420", "description": "rekey serve on this machine"}},
		"tags":       groups,
		"security":   []object{{}, {"token": []string{}}},
		"paths":      paths,
		"components": object{"schemas": d.all, "securitySchemes": object{"token": object{"type": "http", "scheme": "bearer", "description": "A token of this server's, or of a CI that rekey.yaml names; needed where rekey.yaml has identity."}}},
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(bytes.ReplaceAll(text, []byte("#/$defs/"), []byte("#/components/schemas/")), '\n')
}

// operation describes one.
func (d *definitions) operation(w api.Way) object {
	media := func(kind string, t reflect.Type) object {
		return object{kind: object{"schema": d.refer(t)}}
	}
	params := []object{}
	if strings.Contains(w.Path, "{run}") {
		params = append(params, object{"name": "run", "in": "path", "required": true, "description": "The run's id.", "schema": object{"type": "string"}})
	}
	for _, p := range w.Params {
		schema := object{"type": p.Type}
		if p.Many {
			schema = object{"type": "array", "items": schema}
		}
		params = append(params, object{"name": p.Name, "in": "query", "description": p.Summary, "schema": schema})
	}
	if w.Named {
		params = append(params, object{"name": api.RequestHeader, "in": "header", "schema": object{"type": "string", "maxLength": 200},
			"description": "Names the request: the same one again, because the answer was lost, changes nothing more and is answered alike, with Idempotent-Replayed: true. Known for 72 hours."})
	}
	ok := object{"description": w.Summary, "content": media(w.Type, w.Answer)}
	answers := object{
		statusText(w.Status): ok,
		"default":            object{"description": "It was refused, or has failed.", "content": media(api.Problem, reflect.TypeFor[api.Refusal]())},
	}
	out := object{"operationId": w.ID, "summary": w.Summary, "tags": []string{w.Group}, "responses": answers}
	if len(params) > 0 {
		out["parameters"] = params
	}
	if w.Body != nil {
		out["requestBody"] = object{"required": true, "content": media(api.JSON, w.Body)}
	}
	return out
}

func statusText(status int) string {
	if status == http.StatusCreated {
		return "201"
	}
	return "200"
}

// definitions are the schemas of everything that goes over the wire.
type definitions struct {
	*testing.T
	r   *jsonschema.Reflector
	all map[string]*jsonschema.Schema
	who map[string]reflect.Type // by name: two types must not share one
	ask map[string]bool         // those of bodies: nothing else is taken in them
}

func newDefinitions(t *testing.T) *definitions {
	d := &definitions{T: t, all: map[string]*jsonschema.Schema{}, who: map[string]reflect.Type{}, ask: map[string]bool{}}
	d.r = &jsonschema.Reflector{Anonymous: true, AllowAdditionalProperties: true, Namer: d.name, Mapper: shape}
	t.Chdir("../..")
	if err := d.r.AddGoComments("rekey", "internal"); err != nil {
		t.Fatal(err)
	}
	t.Chdir("internal/api")
	for _, w := range api.Ways() {
		if w.Body != nil {
			d.asks(w.Body)
		}
	}
	return d
}

// asks notes that a type, and all in it, stands in a body.
func (d *definitions) asks(t reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		d.asks(t.Elem())
	case reflect.Struct:
		if shape(t) != nil || d.ask[d.name(t)] {
			return
		}
		d.ask[d.name(t)] = true
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() && f.Tag.Get("json") != "-" {
				d.asks(f.Type)
			}
		}
	}
}

// name is a type's name in the document: with its package's, where several packages
// have one of that name.
func (d *definitions) name(t reflect.Type) string {
	pkg := t.PkgPath()[strings.LastIndex(t.PkgPath(), "/")+1:]
	switch t {
	case reflect.TypeFor[api.Refusal]():
		return "Problem" // as RFC 9457 calls it; a run has refusals of its own
	case reflect.TypeFor[sop.Problem]():
		return "Line"
	case reflect.TypeFor[sop.Problems]():
		return "Lines"
	case reflect.TypeFor[estate.Summary]():
		return "RunSummary"
	case reflect.TypeFor[estate.Approval]():
		return "Approval"
	case reflect.TypeFor[estate.Signed]():
		return "Signed"
	case reflect.TypeFor[estate.Evidence]():
		return "DossierAndProof"
	case reflect.TypeFor[estate.Status](), reflect.TypeFor[estate.Period]():
		return "Whole" + t.Name() // the API has its own of that name
	}
	switch pkg {
	case "approvals", "schedule", "report", "evidence", "discover", "drift", "dossier", "sop":
		return strings.Replace(strings.ToUpper(pkg[:1])+pkg[1:]+t.Name(), "DossierDossier", "Dossier", 1)
	}
	return t.Name()
}

// shape are the types that encode themselves.
func shape(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return &jsonschema.Schema{Type: "integer", Format: "int64", Description: "In nanoseconds."}
	case reflect.TypeFor[json.RawMessage]():
		return &jsonschema.Schema{Description: "Any JSON."}
	case reflect.TypeFor[sop.Window](), reflect.TypeFor[cred.Template]():
		return &jsonschema.Schema{Type: "string"}
	case reflect.TypeFor[sop.Refs](), reflect.TypeFor[sop.Text]():
		return &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "string"}}
	case reflect.TypeFor[[]byte]():
		return &jsonschema.Schema{Type: "string", Format: "byte", ContentEncoding: "base64"}
	}
	return nil
}

// refer returns a reference to a type's schema, and sees to it that there is one.
func (d *definitions) refer(t reflect.Type) *jsonschema.Schema {
	reflected := d.r.ReflectFromType(t)
	for name, schema := range reflected.Definitions {
		if schema.Properties != nil {
			for p := schema.Properties.Oldest(); p != nil; p = p.Next() {
				if b, err := json.Marshal(p.Value); err == nil && string(b) == "true" {
					p.Value = &jsonschema.Schema{Description: "Any JSON."} // generators want an object
				}
			}
		}
		if d.all[name] == nil { // what was completed stays
			d.all[name] = schema
		}
	}
	d.complete(t)
	return &jsonschema.Schema{Ref: reflected.Ref}
}

// complete adds what the library does not know: what is null where it is nil, and what
// is refused where it is asked.
func (d *definitions) complete(t reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		d.complete(t.Elem())
		return
	case reflect.Struct:
	default:
		return
	}
	if shape(t) != nil || t == reflect.TypeFor[time.Time]() || t.Name() == "" {
		return
	}
	name := d.name(t)
	if known, is := d.who[name]; is {
		if known != t {
			d.Errorf("%s and %s are both called %s", known, t, name)
		}
		return
	}
	d.who[name] = t
	schema := d.all[name]
	if schema == nil {
		d.Fatalf("%s has no schema", t)
	}
	if d.ask[name] {
		schema.AdditionalProperties = jsonschema.FalseSchema
	}
	d.fields(t, schema)
}

func (d *definitions) fields(t reflect.Type, schema *jsonschema.Schema) {
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if key == "-" || !f.IsExported() {
			continue
		}
		if f.Anonymous && key == "" {
			d.fields(f.Type, schema)
			continue
		}
		if key == "" {
			d.Errorf("%s.%s has no name in JSON", t, f.Name)
		}
		d.complete(f.Type)
		nillable := f.Type.Kind() == reflect.Slice || f.Type.Kind() == reflect.Map // a pointer without omitempty is set wherever nothing was refused
		if strings.Contains(options, "omit") || !nillable || f.Type == reflect.TypeFor[json.RawMessage]() {
			continue
		}
		p, ok := schema.Properties.Get(key)
		switch {
		case !ok:
			d.Errorf("%s has no %s", d.name(t), key)
		case p.Type != "":
			p.Extras = object{"type": []string{p.Type, "null"}}
			p.Type = ""
		default:
			d.Errorf("%s of %s may be null, and refers to another type: leave it out instead", key, t)
		}
	}
}

// TestEveryOperationHasItsWay: what estate.Operations offers can be asked for.
func TestEveryOperationHasItsWay(t *testing.T) {
	ids := map[string]string{"Open": "openRun", "Advance": "advanceRun", "GoBack": "goBack", "PlanBack": "planBack", "Check": "check", "Plan": "plan", "Compare": "compare",
		"Discover": "discover", "FormerNames": "formerNames", "Status": "getStatus", "Findings": "listFindings", "Acknowledge": "acknowledge", "Doctor": "doctor", "Document": "document", "Evidence": "evidence", "Verify": "verify",
		"Sign": "sign", "Key": "getKey", "NewKey": "newKey", "Whoami": "whoami", "Runs": "listRuns", "RunsOf": "listRuns", "OneRun": "getRun", "OpenRuns": "listOpenRuns", "Schedule": "getSchedule", "Pause": "pause", "Continue": "continue", "Approvals": "listApprovals", "Approve": "approve", "Refuse": "refuse", "TakeBack": "takeBack", "Log": "getLog"}
	ops := reflect.TypeFor[estate.Operations]()
	for i := range ops.NumMethod() {
		name := ops.Method(i).Name
		if ids[name] == "" {
			t.Errorf("there is no way to ask for %s over HTTP", name)
			continue
		}
		api.WayOf(ids[name])
	}
	seen := map[string]bool{}
	for _, w := range api.Ways() {
		if seen[w.ID] || seen[w.Method+w.Path] {
			t.Errorf("%s is there twice", w.ID)
		}
		seen[w.ID], seen[w.Method+w.Path] = true, true
		if w.Role && w.Method == http.MethodGet {
			t.Errorf("%s changes something, and is a GET", w.ID)
		}
	}
}
