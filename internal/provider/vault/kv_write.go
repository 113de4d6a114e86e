package vault

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/vendorhttp"
)

// noteLimit is how long a value of custom_metadata may be, in bytes
// (developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#create-update-metadata).
const noteLimit = 512

// Write reads the secret, puts the values among what it holds, and writes all of it
// under the condition that nobody has written since (check-and-set): the keys of others
// stay as they are. The answer to a write names a version and no values, so what is
// held then is read.
func (k *kv) Write(ctx context.Context, values []provider.SlotValue) (map[string]provider.Held, error) {
	const op = "write the secret"
	var names []string
	for _, v := range values {
		names = append(names, v.Slot)
		if why := unwritable(v, names[:len(names)-1]); why != "" {
			return nil, k.problem(op, cred.Refused, why)
		}
	}
	written, err := k.edit(ctx, op, func(held map[string]json.RawMessage) (bool, error) {
		for _, v := range values {
			if !v.Value.Present() {
				delete(held, v.Slot)
				continue
			}
			b, err := json.Marshal(v.Value.Reveal())
			if err != nil {
				return false, k.problem(op, cred.Refused, "the value for "+v.Slot+" cannot be written as JSON")
			}
			held[v.Slot] = b
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	k.note(ctx, values)
	now, err := k.get(ctx, "read what was written", written)
	switch {
	case err != nil:
		return nil, k.after(op, "it was written, and reading it back failed", err)
	case now.gone, now.Metadata.Version == 0:
		return nil, k.after(op, "it was written, and no longer exists", nil)
	}
	return now.slots(names), nil
}

// Remove takes keys out of the secret, in one write. The secret itself stays, and so
// do its versions.
func (k *kv) Remove(ctx context.Context, slots []string) error {
	_, err := k.edit(ctx, "remove keys", func(held map[string]json.RawMessage) (bool, error) {
		before := len(held)
		maps.DeleteFunc(held, func(name string, _ json.RawMessage) bool { return slices.Contains(slots, name) })
		return len(held) != before, nil
	})
	return err
}

// edit changes what the secret holds, in one write, and returns its version.
func (k *kv) edit(ctx context.Context, op string, change func(map[string]json.RawMessage) (bool, error)) (int, error) {
	was, err := k.get(ctx, "read the secret", 0)
	if err != nil {
		return 0, err
	}
	held := was.Values
	if held == nil {
		held = map[string]json.RawMessage{}
	}
	if write, err := change(held); err != nil || !write {
		return was.Metadata.Version, err
	}
	resp, err := k.api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodPost, Path: "/v1/" + escape(k.data()),
		Body: map[string]any{"options": map[string]int{"cas": was.Metadata.Version}, "data": held}})
	if err != nil {
		return 0, err
	}
	var out struct {
		Data struct {
			Version int `json:"version"`
		} `json:"data"`
	}
	if err := resp.Decode(&out); err != nil {
		return 0, err
	}
	if out.Data.Version != was.Metadata.Version+1 {
		return 0, resp.Nonsense("the answer names another version than the next one")
	}
	return out.Data.Version, nil
}

// unwritable says why a value cannot be written; "" if it can.
func unwritable(v provider.SlotValue, before []string) string {
	switch {
	case v.Slot == "":
		return "a slot without a name"
	case slices.Contains(before, v.Slot):
		return "two values were to be written to " + v.Slot
	case !utf8.ValidString(v.Value.Reveal()):
		return "the value for " + v.Slot + " is not UTF-8, and JSON would change it"
	}
	return ""
}

// note says beside the secret, in its custom metadata, which run wrote it, leaving what
// others have noted. Nothing depends on it and a token may lack the right to, so the
// write stands whatever becomes of the note.
func (k *kv) note(ctx context.Context, values []provider.SlotValue) {
	notes, prints := map[string]string{}, []string{}
	for _, v := range slices.SortedFunc(slices.Values(values), func(a, b provider.SlotValue) int { return cmp.Compare(a.Slot, b.Slot) }) {
		for name, text := range v.Stamp {
			if name != "fingerprint" {
				notes["rekey_"+name] = text
			} else if text != "" {
				prints = append(prints, v.Slot+"="+cred.Fingerprint(text).Short())
			}
		}
	}
	if len(prints) > 0 {
		notes["rekey_fingerprints"] = strings.Join(prints, " ")
	}
	for name, text := range notes {
		if len(text) > noteLimit || text == "" {
			delete(notes, name)
		}
	}
	if len(notes) > 0 {
		_, _ = k.api.Do(ctx, vendorhttp.Request{Op: "note which run wrote it", Method: http.MethodPatch, Path: "/v1/" + escape(k.metadata()),
			Header: map[string]string{"Content-Type": "application/merge-patch+json"}, Body: map[string]any{"custom_metadata": notes}})
	}
}

// after is an error past the point where the effect has happened.
func (k *kv) after(op, why string, err error) error {
	out := &cred.Error{Vendor: k.api.Vendor, Op: op, Class: cred.Unknown, Maybe: true, Why: why}
	if e, ok := cred.AsError(err); ok {
		out.Status, out.RetryAfter, out.Err = e.Status, e.RetryAfter, e.Err
		if e.Why != "" {
			out.Why += ": " + e.Why
		}
	}
	return out
}
