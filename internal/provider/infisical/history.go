package infisical

import (
	"context"
	"net/http"
	"net/url"
	"sort"
	"strconv"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
)

// one reads one secret of this folder. What a folder imports is not part of it: a
// server of today answers with the import's where the folder does not have it
// (recorded: 2026/one-secret.json).
func (f *folder) one(ctx context.Context, slot, version string) (item, error) {
	const op = "read one secret"
	var out struct {
		Secret *item `json:"secret"`
	}
	err := f.do(ctx, func(d dialect) vendorhttp.Request {
		q := f.query(d, "type", "shared", "includeImports", "false", "include_imports", "false")
		if version != "" {
			q.Set("version", version)
		}
		return vendorhttp.Request{Op: op, Method: http.MethodGet, Path: d.secrets + "/" + url.PathEscape(slot), Query: q}
	}, &out)
	switch {
	case err != nil:
		return item{}, err
	case out.Secret == nil || !out.Secret.whole():
		return item{}, f.nonsense(op, "the answer lacks the secret, its version or its value")
	case out.Secret.Key != slot:
		return item{}, f.nonsense(op, "the answer is of a secret of another name")
	case out.Secret.Path != "" && clean(out.Secret.Path) != f.at.Path:
		return item{}, &cred.Error{Vendor: f.api.Vendor, Op: op, Class: cred.Absent, Code: noSecret, Why: "only a folder that this one imports has such a secret"}
	}
	return *out.Secret, nil
}

// ReadVersion: GET /api/v4/secrets/{name}?version=N. Older servers ignore the
// version and answer with the present value (recorded: 22-versions.json), so the
// version in the answer decides. Today one is looked up by name and number: of a
// name that was deleted and made again the earlier life answers, under another id.
func (f *folder) ReadVersion(ctx context.Context, slot, version string) (secret.Value, error) {
	const op = "read version"
	refuse := func(class cred.Class, why string) (secret.Value, error) {
		return secret.Value{}, &cred.Error{Vendor: f.api.Vendor, Op: op, Class: class, Why: why}
	}
	it, err := f.one(ctx, slot, version)
	f.known.Lock()
	now := f.last[slot]
	f.known.Unlock()
	switch {
	case err != nil:
		return secret.Value{}, err
	case strconv.Itoa(it.Version) != version:
		return refuse(cred.Refused, "the server answered with another version than was asked for, as Infisical did before April 2025: upgrade it, or what a run replaces could not be recovered")
	case it.Hidden:
		return refuse(cred.Denied, "the machine identity may not read values")
	case it.ID != "" && now.ID != "" && it.ID != now.ID:
		return refuse(cred.Refused, "version "+version+" of "+slot+" is of an earlier secret of this name, which was deleted and made again: what it held since then cannot be recovered")
	}
	f.said.add(it.value())
	return it.value(), nil
}

// History compares what the server has under the present version's number with what
// was read: of a name that was deleted and made again it may have another value
// there, and then what a run replaces could not be recovered. One slot is asked of
// those that were made at the same moment; where one lies, each is asked, and a
// value is lost only if every slot that holds it lies.
//
// A server without v4 may be one that ignores the version, and would pass: it is
// asked for the version before, or for one that does not exist yet.
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
	asked, made := map[string]error{}, map[string]bool{}
	ask := func(name string) error {
		if err, known := asked[name]; known {
			return err
		}
		asked[name] = f.same(ctx, name, now[name])
		return asked[name]
	}
	var lie error
	for _, name := range names {
		f.known.Lock()
		at := f.last[name].Created
		f.known.Unlock()
		if made[at] {
			continue
		}
		made[at] = true
		if err := ask(name); cred.ClassOf(err) == cred.Unknown || cred.ClassOf(err) == cred.Limited {
			return err
		} else if err != nil {
			lie = err
		}
	}
	if lie != nil {
		for _, name := range names {
			if ask(name) != nil && !f.elsewhere(name, names, now, ask) {
				return asked[name]
			}
		}
	}
	if !f.speak().upsert {
		return f.earlier(ctx, names, now)
	}
	return nil
}

// same reads the present version by its number.
func (f *folder) same(ctx context.Context, name string, now provider.Held) error {
	v, err := f.ReadVersion(ctx, name, now.Version)
	if err == nil && !v.Equal(now.Value) && now.Value.Present() {
		return &cred.Error{Vendor: f.api.Vendor, Op: "read version", Class: cred.Refused,
			Why: "under version " + now.Version + " of " + name + " the server has another value than it holds now, as of a name that was deleted and made again: once it is overwritten, today's value cannot be recovered from here"}
	}
	return err
}

// elsewhere reports whether another slot holds the same value and can give it back.
func (f *folder) elsewhere(name string, names []string, now map[string]provider.Held, ask func(string) error) bool {
	for _, other := range names {
		if other != name && now[other].Value.Equal(now[name].Value) && ask(other) == nil {
			return true
		}
	}
	return false
}

// earlier asks for the version before the present one of the first slot that has
// one: a server that ignores the version answers with another. Where every slot is
// in its first version, that one is asked for which does not exist yet, since such a
// server has an answer to that too.
func (f *folder) earlier(ctx context.Context, names []string, now map[string]provider.Held) error {
	for _, name := range names {
		if n, err := strconv.Atoi(now[name].Version); err == nil && n > 1 {
			_, err := f.ReadVersion(ctx, name, strconv.Itoa(n-1))
			return err
		}
	}
	if n, err := strconv.Atoi(now[names[0]].Version); err == nil {
		if _, err := f.ReadVersion(ctx, names[0], strconv.Itoa(n+1)); absentWhat(err) != noSecret {
			return err
		}
	}
	return nil
}
