package infisical

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
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

	known     sync.Mutex
	last      map[string]item // by name, as last read; nil: nothing was
	encrypted bool            // the project takes metadata only encrypted
}

// metadatum is a key and value beside a secret, readable by everybody who sees
// the secret's name. What others have noted goes back as it came, byte for byte.
type metadatum = json.RawMessage

// isOf reports whether a metadatum is ours, and whether it is kept in clear.
func isOf(m metadatum) (ours, inClear bool) {
	var x struct {
		Key       string `json:"key"`
		Encrypted bool   `json:"isEncrypted"`
	}
	_ = json.Unmarshal(m, &x)
	return strings.HasPrefix(x.Key, stampPrefix), !x.Encrypted
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
	ID      string        `json:"id"`
	Key     string        `json:"secretKey"`
	Given   *secret.Value `json:"secretValue"`
	Version int           `json:"version"`
	Hidden  bool          `json:"secretValueHidden"`
	Rotated bool          `json:"isRotatedSecret"`
	Honey   bool          `json:"isHoneyTokenSecret"`
	Type    string        `json:"type"`
	Path    string        `json:"secretPath"`
	Created string        `json:"createdAt"`

	Metadata []metadatum `json:"secretMetadata"`
}

// value is what it holds; an answer without one was not taken.
func (i item) value() secret.Value {
	if i.Given == nil {
		return secret.Value{}
	}
	return *i.Given
}

// whole refuses an answer that lacks what every secret has: read as it is, it would
// say that there is nothing.
func (i item) whole() bool { return i.Key != "" && i.Version > 0 && (i.Given != nil || i.Hidden) }

func (i item) held() provider.Held {
	h := provider.Held{Present: true, Version: strconv.Itoa(i.Version), Value: i.value(), Stamp: i.stamp()}
	switch {
	case i.Rotated:
		// A batch update drops the new value silently and answers 200.
		h.Problem = "Infisical's own rotation manages it: a write would be silently ignored"
	case i.Honey:
		h.Problem = "it is a honey token of Infisical's: a write would be silently ignored"
	case i.Hidden:
		h.Problem, h.Value = "the machine identity may not read its value", secret.Value{}
	}
	return h
}

// stamp is what Rekey has noted beside it; nil: nothing.
func (i item) stamp() map[string]string {
	var out map[string]string
	for _, m := range i.Metadata {
		var x struct{ Key, Value string }
		if ours, _ := isOf(m); !ours || json.Unmarshal(m, &x) != nil {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[strings.TrimPrefix(x.Key, stampPrefix)] = x.Value
	}
	return out
}

// Read lists the folder once (GET /api/v4/secrets). A list of older servers cannot
// tell an empty folder from a missing one, so where nothing is found one secret is
// asked for by name, which can (recorded: 11-read.json, 21-list.json). An answer
// without the list, or with a secret that lacks what each has, is no answer.
func (f *folder) Read(ctx context.Context, slots []string) (map[string]provider.Held, error) {
	const op = "read secrets"
	var out struct {
		Secrets *[]item `json:"secrets"`
	}
	err := f.do(ctx, func(d dialect) vendorhttp.Request {
		return vendorhttp.Request{Op: op, Method: http.MethodGet, Path: d.secrets, Query: f.query(d, "includeImports", "false", "include_imports", "false")}
	}, &out)
	if err != nil {
		return nil, f.whichIsAbsent(ctx, err)
	}
	if out.Secrets == nil {
		return nil, f.nonsense(op, "the answer lacks the list of secrets")
	}
	for _, it := range *out.Secrets {
		if !it.whole() {
			return nil, f.nonsense(op, "the answer lacks the name, the version or the value of a secret")
		}
	}
	f.remember(*out.Secrets)
	held := make(map[string]provider.Held, len(slots))
	for _, name := range slots {
		held[name] = provider.Held{}
	}
	found := 0
	for _, it := range *out.Secrets {
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
		f.said.add(it.value())
		found++
	}
	f.refer(held, *out.Secrets)
	if found == 0 && len(slots) > 0 {
		if _, err := f.one(ctx, slots[0], ""); err != nil && absentWhat(err) != noSecret {
			return nil, f.whichIsAbsent(ctx, err)
		}
	}
	return held, nil
}

// remember keeps what was read: what others have noted there, which an update
// replaces, and which secret it is that has a name now.
func (f *folder) remember(items []item) {
	f.known.Lock()
	defer f.known.Unlock()
	f.last = map[string]item{}
	for _, it := range items {
		if it.Type != "personal" {
			f.last[it.Key] = it
		}
	}
}

func (f *folder) nonsense(op, why string) error {
	return &cred.Error{Vendor: f.api.Vendor, Op: op, Class: cred.Unknown, Status: http.StatusOK, Why: why}
}

// whichIsAbsent tells a missing environment from a missing folder, which the
// server's own message does not (recorded: 11-read.json, 2026/list.json).
func (f *folder) whichIsAbsent(ctx context.Context, err error) error {
	if absentWhat(err) != noFolder {
		return err
	}
	p, asked := f.read(ctx)
	if asked != nil {
		return err
	}
	envs := p.Environments
	e, _ := cred.AsError(err)
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
