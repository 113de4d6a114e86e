package infisical

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sort"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/vendorhttp"
)

// stampPrefix marks what Rekey notes beside a secret.
const stampPrefix = "rekey_"

// entry is one secret in a batch.
type entry struct {
	Key      string      `json:"secretKey"`
	Value    string      `json:"secretValue"`
	Metadata []metadatum `json:"secretMetadata,omitempty"`
}

// Write puts all names in one transaction: PATCH batch with mode upsert
// (docs/vendors/infisical.md). The names go in one fixed order, since two batches in
// opposite orders deadlock.
func (f *folder) Write(ctx context.Context, values []provider.SlotValue) (map[string]provider.Held, error) {
	const op = "write secrets"
	entries, held, err := f.entries(ctx, op, values)
	if err != nil {
		return nil, err
	}
	if !f.speak().upsert {
		return f.writeInHalves(ctx, op, values, entries, held)
	}
	items, err := f.send(ctx, op, http.MethodPatch, entries)
	if e, ok := cred.AsError(err); ok && e.Code == wantEncrypted && f.encrypts() {
		// That refusal changed nothing, so the same values with notes of another kind
		// are no repetition of an effect.
		for i, v := range sortedBySlot(values) {
			entries[i].Metadata = f.stamped(v)
		}
		items, err = f.send(ctx, op, http.MethodPatch, entries)
	}
	if err != nil {
		return nil, err
	}
	return f.complete(op, values, items)
}

// encrypts notes that the project takes metadata only encrypted; false if that was
// known before.
func (f *folder) encrypts() bool {
	f.known.Lock()
	defer f.known.Unlock()
	was := f.encrypted
	f.encrypted = true
	return !was
}

// send writes one batch and tells a written batch from a request to approve.
func (f *folder) send(ctx context.Context, op, method string, entries []entry) ([]item, error) {
	var out struct {
		Secrets  []item `json:"secrets"`
		Approval *struct {
			ID string `json:"id"`
		} `json:"approval"`
	}
	err := f.do(ctx, func(d dialect) vendorhttp.Request {
		body := f.body(d, map[string]any{"secrets": entries})
		if d.upsert {
			body["mode"] = "upsert"
		}
		return vendorhttp.Request{Op: op, Method: method, Path: d.batch, Body: body}
	}, &out)
	switch {
	case err != nil:
		return nil, err
	case out.Approval != nil:
		// 200, and nothing is written: a change policy made a request of it.
		return nil, &cred.Error{Vendor: f.api.Vendor, Op: op, Class: cred.Waiting, Status: http.StatusOK,
			Why: "a change policy made a request of it; approve and merge it in Infisical"}
	}
	return out.Secrets, nil
}

// writeInHalves is for servers without upsert: names that do not exist are made,
// then the others updated. Each half is atomic, the pair is not: once the first
// half is done, no failure of the second is "nothing happened". held is what was
// read just now; nil: nothing was.
func (f *folder) writeInHalves(ctx context.Context, op string, values []provider.SlotValue, entries []entry, held map[string]provider.Held) (map[string]provider.Held, error) {
	if held == nil {
		var err error
		if held, err = f.Read(ctx, names(values)); err != nil {
			return nil, err
		}
	}
	var missing, there []entry
	for _, e := range entries {
		e.Metadata = nil // older servers do not know it
		if held[e.Key].Present {
			there = append(there, e)
		} else {
			missing = append(missing, e)
		}
	}
	var items []item
	if len(missing) > 0 {
		made, err := f.send(ctx, op, http.MethodPost, missing)
		if err != nil {
			return nil, err
		}
		items = append(items, made...)
	}
	if len(there) > 0 {
		updated, err := f.send(ctx, op, http.MethodPatch, there)
		if err != nil {
			if e, ok := cred.AsError(err); ok && len(missing) > 0 {
				half := *e
				half.Class, half.Maybe, half.Why = cred.Unknown, true, "half of the names were made before this: "+e.Why
				return nil, &half
			}
			return nil, err
		}
		items = append(items, updated...)
	}
	return f.complete(op, values, items)
}

// complete turns the answer into what the slots hold, if it names all of them.
func (f *folder) complete(op string, values []provider.SlotValue, items []item) (map[string]provider.Held, error) {
	held := make(map[string]provider.Held, len(items))
	for _, it := range items {
		if it.whole() {
			held[it.Key] = it.held()
		}
	}
	for _, v := range values {
		if !held[v.Slot].Present {
			return nil, &cred.Error{Vendor: f.api.Vendor, Op: op, Class: cred.Unknown, Why: "the answer does not name every secret that was written"}
		}
	}
	return held, nil
}

// entries checks the values and stamps them. What others have noted beside a
// secret is kept: an update replaces the whole list, so it has to be known. held
// is what the slots hold, if it was read for that.
func (f *folder) entries(ctx context.Context, op string, values []provider.SlotValue) (out []entry, held map[string]provider.Held, err error) {
	f.known.Lock()
	read := f.last
	f.known.Unlock()
	if read == nil {
		if held, err = f.Read(ctx, names(values)); err != nil {
			return nil, nil, err
		}
	}
	refuse := func(why string) ([]entry, map[string]provider.Held, error) {
		return nil, nil, &cred.Error{Vendor: f.api.Vendor, Op: op, Class: cred.Refused, Why: why}
	}
	sorted := sortedBySlot(values)
	out = make([]entry, 0, len(sorted))
	for i, v := range sorted {
		if i > 0 && v.Slot == sorted[i-1].Slot {
			return refuse("two values were to be written to " + v.Slot + ", of which the server would take the last")
		}
		f.said.add(v.Value)
		s := v.Value.Reveal()
		switch {
		case s == "":
			return refuse("an empty value was to be written to " + v.Slot)
		case strings.TrimSpace(s) != s:
			return refuse("the value for " + v.Slot + " begins or ends with white space, which Infisical removes")
		}
		out = append(out, entry{Key: v.Slot, Value: s, Metadata: f.stamped(v)})
	}
	return out, held, nil
}

func sortedBySlot(values []provider.SlotValue) []provider.SlotValue {
	return slices.SortedFunc(slices.Values(values), func(a, b provider.SlotValue) int { return strings.Compare(a.Slot, b.Slot) })
}

// stamped are the notes beside a secret: those of others as they came, and ours.
// Where the project takes them only encrypted and somebody has left one in clear,
// none is written: that leaves theirs as it is, and to encrypt it is not ours.
func (f *folder) stamped(v provider.SlotValue) []metadatum {
	if len(v.Stamp) == 0 {
		return nil
	}
	f.known.Lock()
	defer f.known.Unlock()
	var out []metadatum
	for _, m := range f.last[v.Slot].Metadata {
		switch ours, inClear := isOf(m); {
		case ours:
		case f.encrypted && inClear:
			return nil
		default:
			out = append(out, m)
		}
	}
	keys := make([]string, 0, len(v.Stamp))
	for k := range v.Stamp {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		note := map[string]any{"key": stampPrefix + k, "value": v.Stamp[k]}
		if f.encrypted {
			note["isEncrypted"] = true
		}
		b, _ := json.Marshal(note)
		out = append(out, b)
	}
	return out
}

// Remove: a batch delete refuses everything if one is missing (recorded:
// 23-delete-recreate.json), so only those that exist are named.
func (f *folder) Remove(ctx context.Context, slots []string) error {
	held, err := f.Read(ctx, slots)
	if err != nil {
		return err
	}
	var gone []map[string]string
	for _, name := range slots {
		if held[name].Present {
			gone = append(gone, map[string]string{"secretKey": name})
		}
	}
	if len(gone) == 0 {
		return nil
	}
	const op = "remove secrets"
	var out struct {
		Secrets  []struct{} `json:"secrets"`
		Approval *struct{}  `json:"approval"`
	}
	err = f.do(ctx, func(d dialect) vendorhttp.Request {
		return vendorhttp.Request{Op: op, Method: http.MethodDelete, Path: d.batch, Body: f.body(d, map[string]any{"secrets": gone})}
	}, &out)
	switch {
	case err != nil:
		return err
	case out.Approval != nil:
		return &cred.Error{Vendor: f.api.Vendor, Op: op, Class: cred.Waiting, Status: http.StatusOK,
			Why: "a change policy made a request of it; approve and merge it in Infisical"}
	case len(out.Secrets) < len(gone):
		return &cred.Error{Vendor: f.api.Vendor, Op: op, Class: cred.Unknown, Status: http.StatusOK, Why: "the answer does not name what was to be removed"}
	}
	return nil
}

func names(values []provider.SlotValue) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.Slot
	}
	return out
}
