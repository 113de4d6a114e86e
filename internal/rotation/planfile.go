package rotation

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"rekey/internal/sop"
)

// planFile is a plan on its way to a review and back.
type planFile struct {
	Digest string `json:"digest"` // of what the plan does
	Plan
}

// File writes the plan as a file, to be reviewed and then carried out.
func (p *Plan) File() ([]byte, error) {
	b, err := json.MarshalIndent(planFile{Digest: p.Digest(), Plan: *p}, "", "  ")
	return append(b, '\n'), err
}

// runID is what an id of a run looks like.
var runID = regexp.MustCompile(`^[23456789abcdefghjkmnpqrstuvwxyz]{6}$`)

// ParsePlan reads a plan's file. It takes nothing that this version would not have
// written: a word that is passed over might be the one that the review was about.
func ParsePlan(name string, b []byte) (*Plan, error) {
	r := &planReader{name: name, text: b, at: map[string]int64{}}
	var f planFile
	if err := json.Unmarshal(b, &f); err != nil {
		offset := int64(0)
		if e, ok := errors.AsType[*json.SyntaxError](err); ok {
			offset = e.Offset
		} else if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			offset = e.Offset
		}
		r.problem(offset, "", "this is not a plan: "+strings.TrimPrefix(err.Error(), "json: "), "write one: rekey plan --out new-plan.json")
		return nil, r.problems
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := r.walk(dec, reflect.TypeFor[planFile](), ""); err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	r.check(&f)
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return &f.Plan, nil
}

type planReader struct {
	name     string
	text     []byte
	at       map[string]int64 // where each key ends
	problems sop.Problems
}

func (r *planReader) problem(offset int64, path, msg, hint string) {
	before := r.text[:min(int(offset), len(r.text))]
	line := 1 + bytes.Count(before, []byte("\n"))
	col := max(1, len(before)-1-bytes.LastIndexByte(before, '\n'))
	r.problems = append(r.problems, sop.Problem{File: r.name, Line: line, Col: col, Path: path, Msg: msg, Hint: hint})
}

// check holds a plan against what this version writes.
func (r *planReader) check(f *planFile) {
	wrong := func(path, msg, hint string) { r.problem(r.at[path], path, msg, hint) }
	if f.Version != PlanVersion {
		wrong("version", fmt.Sprintf("this version of Rekey writes and carries out plans of version %d", PlanVersion), "make it anew: rekey plan --out new-plan.json")
		return
	}
	before := len(r.problems)
	if !slices.Contains([]string{Replace, RollWithGrace, RollAtOnce}, f.Strategy) {
		wrong("strategy", fmt.Sprintf("%q is not a strategy by which a credential is rotated", f.Strategy), "")
	}
	if s := f.Spec.Issuer.Strategy; !slices.Contains([]string{"", "replace", "roll"}, s) {
		wrong("spec.issuer.strategy", fmt.Sprintf("%q is not a strategy by which a credential is rotated", s), "replace or roll")
	}
	if f.Spec.Name == "" {
		wrong("spec.name", "it names no credential", "")
	}
	if f.Spec.Purpose != "" {
		wrong("spec.purpose", fmt.Sprintf("a plan file is carried out to rotate a credential, and not to %s", f.Spec.Purpose), "")
	}
	if !runID.MatchString(f.Run) {
		wrong("run", fmt.Sprintf("%q is not an id that rekey plan makes", f.Run), "a plan has an id of its own; the run gets another")
	}
	for n, list := range [][]Step{f.Steps, f.Back} {
		known := map[string]bool{}
		for i, s := range list {
			path := fmt.Sprintf("%s[%d]", [...]string{"steps", "back"}[n], i)
			if !s.Verb.known() {
				wrong(path+".verb", fmt.Sprintf("%q is not a step that this version of Rekey knows", s.Verb), "")
			}
			if s.ID == "" || known[s.ID] {
				wrong(path+".id", "each step has an id of its own", "")
			}
			known[s.ID] = true
		}
	}
	switch {
	case len(r.problems) > before:
	case f.Digest == "":
		wrong("digest", "the plan's digest is missing", "make it anew: rekey plan --out new-plan.json")
	case !f.Plan.Is(f.Digest):
		wrong("digest", "the plan was changed after it was made: what it says now has another digest", "make it anew: rekey plan --out new-plan.json")
	}
}

func (v Verb) known() bool {
	return slices.Contains([]Verb{Create, Roll, Extend, Admit, Validate, Store, Propagate, Settle, Check, Survey, Quiet, Disable, Dismiss, Delete, Expire,
		Confirm, Sweep, Pause, Denied, Take, Gone, Remove, Enable, Readmit, Return, Resettle, Restore, Withdraw, Discard, Prolong,
		Watch, Running, Revalidate, Look, Apply, Reapply}, v)
}

// walk goes through one JSON value beside the type that it was read into, and finds
// keys that the type has not, or that stand there twice. encoding/json passes both
// over, and takes KEY for key.
func (r *planReader) walk(dec *json.Decoder, t reflect.Type, path string) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	t = opaque(t)
	switch tok {
	case json.Delim('{'):
		fields, seen := fieldsOf(t), map[string]bool{}
		for dec.More() {
			k, err := dec.Token()
			if err != nil {
				return err
			}
			key, _ := k.(string)
			at := strings.TrimPrefix(path+"."+key, ".")
			offset := dec.InputOffset()
			r.at[at] = offset
			of, known := fields[key]
			switch {
			case seen[key]:
				r.problem(offset, at, "this key is given twice", "")
			case fields != nil && !known:
				r.problem(offset, at, "this key is not known", "")
			}
			seen[key] = true
			if t != nil && t.Kind() == reflect.Map {
				of = t.Elem()
			}
			if err := r.walk(dec, of, at); err != nil {
				return err
			}
		}
		_, err = dec.Token()
	case json.Delim('['):
		var of reflect.Type
		if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
			of = t.Elem()
		}
		for i := 0; dec.More(); i++ {
			if err := r.walk(dec, of, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		_, err = dec.Token()
	}
	return err
}

// opaque is nil for a type that reads itself, and what a pointer points at.
func opaque(t reflect.Type) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() == reflect.Interface {
		return nil
	}
	p := reflect.PointerTo(t)
	if p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return nil
	}
	return t
}

// fieldsOf are the keys of a struct; nil for what is none.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	out := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case f.Anonymous && name == "":
			for k, v := range fieldsOf(opaque(f.Type)) {
				out[k] = v
			}
		case name == "":
			out[f.Name] = f.Type
		default:
			out[name] = f.Type
		}
	}
	return out
}
