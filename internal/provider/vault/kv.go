package vault

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
)

// kv is the store: one secret of a KV version 2 engine. Its keys are the slots, so
// they have one version together and are written together
// (developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2).
type kv struct {
	*Server
	mount, path string
}

func (k *kv) data() string     { return k.mount + "/data/" + k.path }
func (k *kv) metadata() string { return k.mount + "/metadata/" + k.path }

// Calls tells the requests that change something.
func (k *kv) Calls() map[string]string {
	write := "POST /v1/" + k.data() + " (check-and-set)"
	return map[string]string{"write": write, "remove": write}
}

// version is the secret as it is, or was, in one version.
type version struct {
	Values   map[string]json.RawMessage `json:"data"`
	Metadata struct {
		Version   int       `json:"version"`
		Created   time.Time `json:"created_time"`
		Deletion  string    `json:"deletion_time"` // RFC 3339; "": none
		Destroyed bool      `json:"destroyed"`
	} `json:"metadata"`
	gone bool // deleted or destroyed: the version counts, and its values cannot be read
}

// ends is when the version deletes itself, or did; zero: never.
func (v version) ends() time.Time {
	t, _ := time.Parse(time.RFC3339, v.Metadata.Deletion)
	return t
}

// get reads one version, 0 being the current one. There is none: version 0.
func (k *kv) get(ctx context.Context, op string, number int) (version, error) {
	req := vendorhttp.Request{Op: op, Method: http.MethodGet, Path: "/v1/" + escape(k.data())}
	if number > 0 {
		req.Query = url.Values{"version": {strconv.Itoa(number)}}
	}
	resp, err := k.api.Raw(ctx, req)
	if err != nil {
		return version{}, err
	}
	missing := false
	if resp.Status < 200 || resp.Status >= 300 {
		err := k.api.Failure(req, resp)
		switch codeOf(err) {
		case nothing:
			return version{}, k.isVersioned(ctx)
		case deleted:
			missing = true
		default:
			return version{}, err
		}
	}
	var out struct {
		Data version `json:"data"`
	}
	if err := resp.Decode(&out); err != nil {
		return version{}, err
	}
	out.Data.gone = missing
	switch v := out.Data; {
	case v.Metadata.Version <= 0, !missing && v.Values == nil:
		return version{}, resp.Nonsense("the answer lacks the version or the values: is it a KV version 2 engine?")
	case number > 0 && v.Metadata.Version != number:
		return version{}, resp.Nonsense("the answer is of another version than was asked for")
	}
	return out.Data, nil
}

// isVersioned tells an empty path from an engine without versions, of which every
// path below data/ is empty, and which would take a write there as it stands.
func (k *kv) isVersioned(ctx context.Context) error {
	m, err := k.mounted(ctx, k.mount+"/"+k.path)
	if err == nil && !m.versioned {
		err = k.problem("look at the mount", cred.Refused, "what is mounted there is no KV version 2 engine, so it keeps no versions to go back to: enable them (vault kv enable-versioning), or name another mount")
	}
	return err
}

// held is what a slot holds in a version.
func (v version) held(slot string) provider.Held {
	raw, present := v.Values[slot]
	if !present {
		return provider.Held{}
	}
	h := provider.Held{Present: true, Version: strconv.Itoa(v.Metadata.Version), Written: v.Metadata.Created.UTC()}
	if json.Unmarshal(raw, &h.Value) != nil || string(raw) == "null" {
		h.Value, h.Problem = secret.Value{}, "it holds something that is not text"
	}
	return h
}

func (v version) slots(names []string) map[string]provider.Held {
	out := make(map[string]provider.Held, len(names))
	for _, n := range names {
		out[n] = v.held(n)
	}
	return out
}

// Read reads the current version.
func (k *kv) Read(ctx context.Context, slots []string) (map[string]provider.Held, error) {
	v, err := k.get(ctx, "read the secret", 0)
	if err != nil {
		return nil, err
	}
	return v.slots(slots), nil
}

// ReadVersion reads one version. Absent: it is deleted, destroyed or dropped, or has
// no such key.
func (k *kv) ReadVersion(ctx context.Context, slot, number string) (secret.Value, error) {
	const op = "read version"
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 {
		return secret.Value{}, k.problem(op, cred.Refused, "a version is a number from 1 on")
	}
	v, err := k.get(ctx, op, n)
	if err != nil {
		return secret.Value{}, err
	}
	h := v.held(slot)
	switch {
	case v.Metadata.Version == 0:
		return secret.Value{}, k.problem(op, cred.Absent, "the secret has no version "+number+", or not any more (max_versions)")
	case v.Metadata.Destroyed:
		return secret.Value{}, k.problem(op, cred.Absent, "version "+number+" was destroyed: it cannot be recovered")
	case v.gone:
		return secret.Value{}, k.problem(op, cred.Absent, "version "+number+" is deleted; vault kv undelete -versions="+number+" gives it back")
	case !h.Present:
		return secret.Value{}, k.problem(op, cred.Absent, "version "+number+" has no key "+slot)
	case h.Problem != "":
		return secret.Value{}, k.problem(op, cred.Refused, "version "+number+" of "+slot+": "+h.Problem)
	}
	return h.Value, nil
}

// History reads the present version by its number, which is how it will be had back.
// Whether the engine will still keep it after the write is what Foresee tells.
func (k *kv) History(ctx context.Context, now map[string]provider.Held) error {
	for slot, h := range now {
		if !h.Present {
			continue
		}
		v, err := k.ReadVersion(ctx, slot, h.Version)
		if err != nil {
			return err
		}
		if !v.Equal(h.Value) {
			return k.problem("read version", cred.Refused, "version "+h.Version+" of "+slot+" has another value than was read: somebody has deleted the secret and made it again")
		}
	}
	return nil
}
