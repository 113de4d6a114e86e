package infisical

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
)

// folder is the store: one folder of one environment.
type folder struct {
	*Server
	at Settings
}

// Calls tells the request that changes something.
func (f *folder) Calls() map[string]string {
	return map[string]string{"write": "PATCH /api/v4/secrets/batch (upsert, environment " + f.at.Environment + ")"}
}

// item is a secret as the API shows it.
type item struct {
	Key     string       `json:"secretKey"`
	Value   secret.Value `json:"secretValue"`
	Version int          `json:"version"`
	Hidden  bool         `json:"secretValueHidden"`
	Rotated bool         `json:"isRotatedSecret"`
	Type    string       `json:"type"`
}

func (i item) held() provider.Held {
	h := provider.Held{Present: true, Version: strconv.Itoa(i.Version), Value: i.Value}
	switch {
	case i.Rotated:
		// A batch update drops the new value silently and answers 200 (infisical.md §1.13).
		h.Problem = "Infisical's own rotation manages it: a write would be dropped in silence"
	case i.Hidden:
		h.Problem, h.Value = "the machine identity may not read its value", secret.Value{}
	}
	return h
}

// do sends a request and tells an ended session from a refusal.
func (f *folder) do(ctx context.Context, r vendorhttp.Request, out any) error {
	resp, err := f.api.Do(ctx, r)
	if err != nil {
		if f.session.expired(err) {
			return &cred.Error{Vendor: f.api.Vendor, Op: r.Op, Class: cred.Limited, Why: "the session had ended; the next attempt logs in again"}
		}
		return err
	}
	return resp.Decode(out)
}

func (f *folder) query(more ...string) url.Values {
	q := url.Values{
		"projectId": {f.project}, "environment": {f.at.Environment}, "secretPath": {f.at.Path},
		// Both are said because their defaults differ between versions.
		"viewSecretValue": {"true"}, "expandSecretReferences": {"false"},
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return q
}

// Read lists the folder once (GET /api/v4/secrets). A list cannot tell an empty
// folder from a missing one, so where nothing is found one secret is asked for
// by name, which can (recorded: 11-read.json, 21-list.json).
func (f *folder) Read(ctx context.Context, slots []string) (map[string]provider.Held, error) {
	var out struct {
		Secrets []item `json:"secrets"`
	}
	r := vendorhttp.Request{Op: "read secrets", Method: http.MethodGet, Path: "/api/v4/secrets", Query: f.query("includeImports", "false")}
	if err := f.do(ctx, r, &out); err != nil {
		return nil, err
	}
	held := make(map[string]provider.Held, len(slots))
	for _, name := range slots {
		held[name] = provider.Held{}
	}
	found := 0
	for _, it := range out.Secrets {
		had, wanted := held[it.Key]
		switch {
		case !wanted || it.Type == "personal":
			continue
		case had.Present:
			had.Problem = "the folder holds two secrets of this name"
			held[it.Key] = had
			continue
		}
		held[it.Key] = it.held()
		found++
	}
	if found == 0 && len(slots) > 0 {
		if _, err := f.one(ctx, slots[0], ""); err != nil && absentWhat(err) != "secret" {
			return nil, err
		}
	}
	return held, nil
}

// ReadVersion: GET /api/v4/secrets/{name}?version=N. Older servers ignore the
// version and answer with the present value (recorded: 22-versions.json), so
// the version in the answer decides.
func (f *folder) ReadVersion(ctx context.Context, slot, version string) (secret.Value, error) {
	it, err := f.one(ctx, slot, version)
	switch {
	case err != nil:
		return secret.Value{}, err
	case strconv.Itoa(it.Version) != version:
		return secret.Value{}, &cred.Error{Vendor: f.api.Vendor, Op: "read version", Class: cred.Refused, Why: "the server answered with another version than was asked for"}
	case it.Hidden:
		return secret.Value{}, &cred.Error{Vendor: f.api.Vendor, Op: "read version", Class: cred.Denied, Why: "the machine identity may not read values"}
	}
	return it.Value, nil
}

// History asks for the version before the present one of the first slot that has
// one: a server that ignores the version would answer with another.
func (f *folder) History(ctx context.Context, now map[string]provider.Held) error {
	names := make([]string, 0, len(now))
	for name, h := range now {
		if h.Present {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	if len(names) == 0 {
		return nil
	}
	slot, version := names[0], now[names[0]].Version
	for _, name := range names {
		if n, err := strconv.Atoi(now[name].Version); err == nil && n > 1 {
			slot, version = name, strconv.Itoa(n-1)
			break
		}
	}
	_, err := f.ReadVersion(ctx, slot, version)
	return err
}

func (f *folder) one(ctx context.Context, slot, version string) (item, error) {
	var out struct {
		Secret item `json:"secret"`
	}
	q := f.query("type", "shared")
	if version != "" {
		q.Set("version", version)
	}
	r := vendorhttp.Request{Op: "read one secret", Method: http.MethodGet, Path: "/api/v4/secrets/" + url.PathEscape(slot), Query: q}
	err := f.do(ctx, r, &out)
	return out.Secret, err
}

// Write: PATCH /api/v4/secrets/batch with mode upsert: one transaction for all
// names, existing or not (infisical.md §1.1). The names go in one fixed order,
// since two batches in opposite orders deadlock (§1.6).
func (f *folder) Write(ctx context.Context, values []provider.SlotValue) (map[string]provider.Held, error) {
	const op = "write secrets"
	refuse := func(why string) error {
		return &cred.Error{Vendor: f.api.Vendor, Op: op, Class: cred.Refused, Why: why}
	}
	sorted := append([]provider.SlotValue(nil), values...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].Slot < sorted[j].Slot })
	secrets := make([]map[string]string, 0, len(sorted))
	for _, v := range sorted {
		s := v.Value.Reveal()
		switch {
		case s == "":
			return nil, refuse("an empty value was to be written to " + v.Slot)
		case strings.Contains(s, "${"):
			return nil, refuse("the value for " + v.Slot + " contains what Infisical takes for a reference")
		case strings.TrimSpace(s) != s:
			return nil, refuse("the value for " + v.Slot + " begins or ends with white space, which Infisical removes")
		}
		secrets = append(secrets, map[string]string{"secretKey": v.Slot, "secretValue": s})
	}
	var out struct {
		Secrets  []item `json:"secrets"`
		Approval *struct {
			ID string `json:"id"`
		} `json:"approval"`
	}
	err := f.do(ctx, vendorhttp.Request{
		Op: op, Method: http.MethodPatch, Path: "/api/v4/secrets/batch",
		Body: map[string]any{
			"projectId": f.project, "environment": f.at.Environment, "secretPath": f.at.Path,
			"mode": "upsert", "secrets": secrets,
		},
	}, &out)
	switch {
	case err != nil:
		return nil, err
	case out.Approval != nil:
		// 200, and nothing is written: a change policy made a request of it (§1.2).
		return nil, &cred.Error{Vendor: f.api.Vendor, Op: op, Class: cred.Waiting, Status: http.StatusOK,
			Why: "a change policy made a request of it; approve and merge it in Infisical"}
	}
	held := make(map[string]provider.Held, len(out.Secrets))
	for _, it := range out.Secrets {
		held[it.Key] = it.held()
	}
	for _, v := range values {
		if !held[v.Slot].Present {
			return nil, &cred.Error{Vendor: f.api.Vendor, Op: op, Class: cred.Unknown, Why: "the answer does not name every secret that was written"}
		}
	}
	return held, nil
}

// Remove: DELETE /api/v4/secrets/batch refuses everything if one is missing, so
// only those that exist are named.
func (f *folder) Remove(ctx context.Context, slots []string) error {
	held, err := f.Read(ctx, slots)
	if err != nil {
		return err
	}
	var secrets []map[string]string
	for _, name := range slots {
		if held[name].Present {
			secrets = append(secrets, map[string]string{"secretKey": name})
		}
	}
	if len(secrets) == 0 {
		return nil
	}
	var ignored struct{}
	return f.do(ctx, vendorhttp.Request{
		Op: "remove secrets", Method: http.MethodDelete, Path: "/api/v4/secrets/batch",
		Body: map[string]any{
			"projectId": f.project, "environment": f.at.Environment, "secretPath": f.at.Path, "secrets": secrets,
		},
	}, &ignored)
}

func asError(err error) (*cred.Error, bool) {
	var e *cred.Error
	ok := errors.As(err, &e)
	return e, ok
}
