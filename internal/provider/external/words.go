package external

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"

	"rekey/internal/secret"
)

// untold stands where a driver's own words had a secret in them.
const untold = "the driver's message is not shown: it contains a secret"

// wordy are the keys of answers under which a driver has words for people. They are
// shown, and written into the journal.
var wordy = []string{"detail", "notes", "problems", "problem", "evidence", "unwell", "behind", "pending", "refused", "told"}

// public are the fields that are not secret of the kind that a message is about.
func (p *driver) public(sent string) []string {
	var m struct{ Kind string }
	_ = json.Unmarshal([]byte(sent), &m)
	for _, i := range p.d.Issuers {
		if i.Kind == m.Kind {
			return i.Public
		}
	}
	return nil
}

// tellable is a result without words that hold a secret: one that was sent, or one that
// stands in the result itself.
func tellable(result json.RawMessage, sent string, public []string) (json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(result))
	dec.UseNumber()
	var all any
	if err := dec.Decode(&all); err != nil {
		return nil, err
	}
	changed := false
	var walk func(v any, words bool) any
	walk = func(v any, words bool) any {
		switch v := v.(type) {
		case string:
			if words && (quotes(v, sent, public) || quotes(v, string(result), public)) {
				changed = true
				return untold
			}
		case map[string]any:
			for k, x := range v {
				v[k] = walk(x, words || slices.Contains(wordy, k))
			}
		case []any:
			for i, x := range v {
				v[i] = walk(x, words)
			}
		}
		return v
	}
	if all = walk(all, false); !changed {
		return result, nil
	}
	return json.Marshal(all)
}

// quotes reports whether words hold a secret of a message, as it stands or encoded as
// requests and their errors have it. Fields of a bundle that are public are none.
func quotes(words, message string, public []string) bool {
	var m any
	if json.Unmarshal([]byte(message), &m) != nil {
		return true
	}
	found := false
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if s, ok := v["secret"].(string); ok && len(v) == 1 {
				found = found || slices.ContainsFunc(spellings(s), func(x string) bool { return secret.New(x).In(words) || secret.New(x).In(strings.ToLower(words)) })
			}
			for k, x := range v {
				if fields, ok := x.(map[string]any); ok && k == "bundle" {
					maps.DeleteFunc(fields, func(f string, _ any) bool { return slices.Contains(public, f) })
				}
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	walk(m)
	return found
}

// spellings are a secret as it stands, in a JSON text, in an address, in hexadecimal and
// in base64, there at each place that it may have in a longer text (a header of Basic
// has it behind a name).
func spellings(s string) []string {
	if len(s) < 6 { // too short to be looked for: see secret.Value.In
		return nil
	}
	quoted, _ := json.Marshal(s)
	out := []string{s, strings.Trim(string(quoted), `"`), url.QueryEscape(s), url.PathEscape(s), hex.EncodeToString([]byte(s))}
	for before := range 3 {
		whole := []byte(strings.Repeat("x", before) + s)
		first := (before*8 + 5) / 6 // characters that what stands before has a part in
		last := len(whole) * 8 / 6  // and where those begin that what follows has one in
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			out = append(out, e.EncodeToString(whole)[first:last])
		}
	}
	return out
}
