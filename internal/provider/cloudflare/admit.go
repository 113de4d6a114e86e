package cloudflare

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/vendorhttp"
)

// Look reads one place as it is now.
func (t *tokens) Look(ctx context.Context, p cred.Place) (cred.Place, error) {
	r, _, err := t.read(ctx, p)
	if err != nil {
		return cred.Place{}, err
	}
	return r.place(p.Kind, p.Scope, p.Parent), nil
}

// Admit adds the token to the place's include rules.
func (t *tokens) Admit(ctx context.Context, p cred.Place, id string) (provider.Edit, error) {
	return t.edit(ctx, p, "add token to ", func(r rules) bool {
		include := r.array("include")
		for _, raw := range include {
			if named, _ := tokenOf(raw); named == id {
				return false
			}
		}
		added, _ := json.Marshal(map[string]any{"service_token": map[string]string{"token_id": id}})
		r.set("include", append(include, added))
		return true
	})
}

// Dismiss removes the token from the place's include rules. Elsewhere it is not
// touched: such a place was refused when the plan was made. That it is still gone
// from there is looked at by Cloudflare itself, which deletes no token that a rule names.
func (t *tokens) Dismiss(ctx context.Context, p cred.Place, id string) (provider.Edit, error) {
	return t.edit(ctx, p, "remove token from ", func(r rules) bool {
		include := r.array("include")
		kept := make([]json.RawMessage, 0, len(include))
		for _, raw := range include {
			if named, _ := tokenOf(raw); named != id {
				kept = append(kept, raw)
			}
		}
		if len(kept) == len(include) {
			return false
		}
		r.set("include", kept)
		return true
	})
}

func (r rules) set(field string, value any) {
	b, _ := json.Marshal(value)
	r[field] = b
}

// edit reads the place, changes the rules, writes everything back, and compares
// what the vendor answers with what was meant. There is no PATCH, no ETag and no
// version at the vendor, so the read stands right before the write: edits made by
// others until then are kept. Whoever read before our write and writes after it
// overwrites it; a look right behind the write would seldom see that, so the runner
// looks before anything is taken away (Look), and has it done again.
func (t *tokens) edit(ctx context.Context, p cred.Place, op string, change func(rules) bool) (provider.Edit, error) {
	r, at, err := t.read(ctx, p)
	if err != nil {
		return provider.Edit{}, err
	}
	found := r.place(p.Kind, p.Scope, p.Parent)
	out := provider.Edit{Place: found, Previous: found.Revision, Rebased: p.Revision != "" && found.Revision != p.Revision}
	if !change(r) {
		out.Already = true
		return out, nil
	}
	unknown := func(why string) error {
		return &cred.Error{Vendor: t.api.Vendor, Op: op + p.Kind, Class: cred.Unknown, Why: why}
	}
	var now rules
	_, err = call(ctx, t.api, vendorhttp.Request{Op: op + p.Kind, Method: http.MethodPut, Path: at, Body: r.writable(p.Kind)}, &now)
	if err != nil {
		return provider.Edit{}, err
	}
	if !now.isOf(p.ID) {
		return provider.Edit{}, unknown("the answer is not the place that was written, or lacks its rules")
	}
	for _, array := range ruleArrays {
		if !sameRules(r.array(array), now.array(array)) {
			return provider.Edit{}, unknown("the vendor kept other rules than were sent; somebody may have edited it at the same moment")
		}
	}
	out.Place = now.place(p.Kind, p.Scope, p.Parent)
	return out, nil
}

// writable leaves out what a GET returns and a PUT does not take: a group's
// is_default is an array of rules when read and a boolean when written.
func (r rules) writable(kind string) rules {
	out := make(rules, len(r))
	for k, v := range r {
		switch k {
		case "id", "uid", "created_at", "updated_at", "app_count", "reusable":
			continue
		case "is_default":
			if kind == kindGroup && !bytes.Equal(v, []byte("true")) && !bytes.Equal(v, []byte("false")) {
				continue
			}
		}
		out[k] = v
	}
	return out
}

// sameRules compares rules as JSON values, not as text: the vendor may order
// keys and spaces as it likes.
func sameRules(a, b []json.RawMessage) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if canonical(a[i]) != canonical(b[i]) {
			return false
		}
	}
	return true
}

func canonical(raw json.RawMessage) string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return string(raw)
	}
	b, _ := json.Marshal(v)
	return string(b)
}
