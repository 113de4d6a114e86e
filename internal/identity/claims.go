package identity

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"rekey/internal/sop"
	"rekey/internal/visible"
)

// claims are what a token says, by name: one value, or those of a list.
type claims map[string][]string

// text is a claim of one value; "" if there is none, or several.
func (c claims) text(name string) string {
	if len(c[name]) == 1 {
		return c[name][0]
	}
	return ""
}

// values reads a claim as it stands: a number keeps its digits. What is neither text,
// number nor truth, nor a list of them, has no value that a role could ask for.
func values(raw json.RawMessage) []string {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	list, many := v.([]any)
	if !many {
		list = []any{v}
	}
	var out []string
	for _, v := range list {
		switch v := v.(type) {
		case string:
			out = append(out, v)
		case json.Number:
			out = append(out, v.String())
		case bool:
			out = append(out, map[bool]string{true: "true", false: "false"}[v])
		}
	}
	return out
}

// kept are the claims for the record: those that are always, and every one by which
// rekey.yaml gives a role, so that it can be seen why somebody had it. Each is one line.
func (c claims) kept(id *sop.Identity) map[string]string {
	names := slices.Clone(shown)
	for _, list := range id.Roles {
		for _, w := range list {
			names = slices.AppendSeq(names, maps.Keys(w.Claims))
		}
	}
	out := map[string]string{}
	for _, name := range names {
		if len(c[name]) > 0 {
			out[name] = visible.Text(strings.Join(c[name], ", "))
		}
	}
	return out
}
