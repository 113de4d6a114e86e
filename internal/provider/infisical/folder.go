package infisical

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"sync"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
)

// folder is the store: one folder of one environment.
type folder struct {
	*Server
	at Settings

	known sync.Mutex
	meta  map[string][]metadatum // what others have noted at each secret, as last read
	read  bool
}

// metadatum is a key and value beside a secret, readable by everybody who sees
// the secret's name.
type metadatum struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Calls tells the request that changes something.
func (f *folder) Calls() map[string]string {
	d := f.speak()
	if !d.upsert {
		return map[string]string{"remove": "DELETE " + d.batch, "write": "PATCH " + d.batch + " (after POST for names that do not exist; environment " + f.at.Environment + ")"}
	}
	return map[string]string{"remove": "DELETE " + d.batch, "write": "PATCH " + d.batch + " (upsert, environment " + f.at.Environment + ")"}
}

// item is a secret as the API shows it.
type item struct {
	Key     string       `json:"secretKey"`
	Value   secret.Value `json:"secretValue"`
	Version int          `json:"version"`
	Hidden  bool         `json:"secretValueHidden"`
	Rotated bool         `json:"isRotatedSecret"`
	Type    string       `json:"type"`

	Metadata []metadatum `json:"secretMetadata"`
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

// Read lists the folder once (GET /api/v4/secrets). A list cannot tell an empty
// folder from a missing one, so where nothing is found one secret is asked for
// by name, which can (recorded: 11-read.json, 21-list.json).
func (f *folder) Read(ctx context.Context, slots []string) (map[string]provider.Held, error) {
	var out struct {
		Secrets []item `json:"secrets"`
	}
	err := f.do(ctx, func(d dialect) vendorhttp.Request {
		return vendorhttp.Request{Op: "read secrets", Method: http.MethodGet, Path: d.secrets, Query: f.query(d, "includeImports", "false", "include_imports", "false")}
	}, &out)
	if err != nil {
		return nil, err
	}
	f.remember(out.Secrets)
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
	f.refer(held, out.Secrets)
	if found == 0 && len(slots) > 0 {
		if _, err := f.one(ctx, slots[0], ""); err != nil && absentWhat(err) != "secret" {
			return nil, f.whichIsAbsent(ctx, err)
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
		return secret.Value{}, &cred.Error{Vendor: f.api.Vendor, Op: "read version", Class: cred.Refused, Why: "the server answered with another version than was asked for, as Infisical did before April 2025: upgrade it, or what a run replaces could not be had back"}
	case it.Hidden:
		return secret.Value{}, &cred.Error{Vendor: f.api.Vendor, Op: "read version", Class: cred.Denied, Why: "the machine identity may not read values"}
	}
	return it.Value, nil
}

// History asks for the version before the present one of the first slot that has
// one: a server that ignores the version would answer with another. Where every
// slot is in its first version, that one is asked for which does not exist yet,
// since a server that ignores the version has an answer to that too.
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
	if n, err := strconv.Atoi(version); err == nil && version == now[slot].Version {
		if _, err := f.ReadVersion(ctx, slot, strconv.Itoa(n+1)); absentWhat(err) != "secret" {
			return err
		}
	}
	_, err := f.ReadVersion(ctx, slot, version)
	return err
}

func (f *folder) one(ctx context.Context, slot, version string) (item, error) {
	var out struct {
		Secret item `json:"secret"`
	}
	err := f.do(ctx, func(d dialect) vendorhttp.Request {
		q := f.query(d, "type", "shared")
		if version != "" {
			q.Set("version", version)
		}
		return vendorhttp.Request{Op: "read one secret", Method: http.MethodGet, Path: d.secrets + "/" + url.PathEscape(slot), Query: q}
	}, &out)
	return out.Secret, err
}

func asError(err error) (*cred.Error, bool) {
	var e *cred.Error
	ok := errors.As(err, &e)
	return e, ok
}

// remember keeps what others have noted at the secrets: an update replaces it.
func (f *folder) remember(items []item) {
	f.known.Lock()
	defer f.known.Unlock()
	f.read, f.meta = true, map[string][]metadatum{}
	for _, it := range items {
		f.meta[it.Key] = it.Metadata
	}
}

// whichIsAbsent tells a missing environment from a missing folder, which the
// server's own message does not (recorded: 11-read.json).
func (f *folder) whichIsAbsent(ctx context.Context, err error) error {
	if absentWhat(err) != "folder" {
		return err
	}
	envs, asked := f.environments(ctx)
	if asked != nil || len(envs) == 0 {
		return err
	}
	e, _ := asError(err)
	told := *e
	told.Why = "the environment " + f.at.Environment + " has no folder " + f.at.Path
	for _, env := range envs {
		if env.Slug == f.at.Environment {
			return &told
		}
	}
	told.Why = "the project has no environment " + f.at.Environment
	return &told
}

// environment is one of the project.
type environment struct {
	ID   string `json:"id"`
	Slug string `json:"slug"`
}

// environments: GET /api/v1/workspace/{projectId}, which is called deprecated today
// and is what servers of every age have.
func (s *Server) environments(ctx context.Context) ([]environment, error) {
	var out struct {
		Workspace struct {
			Environments []environment `json:"environments"`
		} `json:"workspace"`
	}
	const op = "read the project"
	resp, err := s.api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodGet, Path: "/api/v1/workspace/" + url.PathEscape(s.project)})
	if err != nil {
		return nil, s.session.ended(err, op)
	}
	err = resp.Decode(&out)
	return out.Workspace.Environments, err
}
