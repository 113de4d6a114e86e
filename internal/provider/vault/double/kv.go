package double

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// keptByDefault is how many versions are kept where nobody says.
const keptByDefault = 10

// engine is one KV engine.
type engine struct {
	versioned bool
	rules     rules
	secrets   map[string]*kept
	plain     map[string]map[string]json.RawMessage // of one without versions
}

func newEngine(versioned bool) *engine {
	return &engine{versioned: versioned, secrets: map[string]*kept{}, plain: map[string]map[string]json.RawMessage{}}
}

// rules of an engine or of one secret.
type rules struct {
	Max   int
	After time.Duration
	CAS   bool
}

// kept is one secret with its versions.
type kept struct {
	rules
	current, oldest int
	versions        map[int]*version
	custom          map[string]string
	created         time.Time
}

type version struct {
	data      map[string]json.RawMessage
	created   time.Time
	deletion  time.Time // zero: none
	destroyed bool
}

func (e *engine) tells(at string) map[string]any {
	number := "1"
	if e.versioned {
		number = "2"
	}
	return map[string]any{"type": "kv", "path": at + "/", "options": map[string]string{"version": number}}
}

func (e *engine) answer(now time.Time, r request, path string) said {
	if !e.versioned {
		return e.unversioned(r, path)
	}
	kind, at, _ := strings.Cut(path, "/")
	switch {
	case kind == "config" && r.op == "read":
		return ok(map[string]any{"max_versions": e.rules.Max, "cas_required": e.rules.CAS, "delete_version_after": e.rules.After.String()})
	case kind == "config":
		e.rules.set(r)
		return done
	case kind == "metadata":
		return e.metadata(now, r, at)
	case kind == "data":
		return e.data(now, r, at)
	case kind == "delete", kind == "undelete", kind == "destroy":
		return e.end(now, r, kind, at)
	}
	return nothing
}

func (e *engine) unversioned(r request, path string) said {
	switch r.op {
	case "update":
		e.plain[path] = r.body
		return done
	case "read":
		if e.plain[path] == nil {
			return nothing
		}
		return ok(e.plain[path])
	}
	return refuse(http.StatusMethodNotAllowed, "1 error occurred:\n\t* unsupported operation\n\n")
}

func (x *rules) set(r request) {
	if n, given := r.number("max_versions"); given {
		x.Max = n
	}
	if d, err := time.ParseDuration(r.text("delete_version_after")); err == nil {
		x.After = d
	}
	if r.body["cas_required"] != nil {
		_ = json.Unmarshal(r.body["cas_required"], &x.CAS)
	}
}

func (v *version) gone(now time.Time) bool {
	return v.destroyed || !v.deletion.IsZero() && v.deletion.Before(now)
}

func (v *version) shows() map[string]any {
	return map[string]any{"created_time": v.created.Format(time.RFC3339Nano), "deletion_time": stamp(v.deletion), "destroyed": v.destroyed}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

func (e *engine) data(now time.Time, r request, path string) said {
	x := e.secrets[path]
	switch r.op {
	case "read":
		if x == nil {
			return nothing
		}
		number := x.current
		if n, err := strconv.Atoi(r.version); err == nil && n > 0 {
			number = n
		}
		v := x.versions[number]
		if v == nil {
			return nothing
		}
		shows := v.shows()
		shows["version"], shows["custom_metadata"] = number, x.custom
		if v.gone(now) {
			return said{status: http.StatusNotFound, data: map[string]any{"data": nil, "metadata": shows}}
		}
		// Numbers come back as Go's float64 writes them.
		data := map[string]any{}
		for name, raw := range v.data {
			var x any
			_ = json.Unmarshal(raw, &x)
			data[name] = x
		}
		return ok(map[string]any{"data": data, "metadata": shows})
	case "update":
		return e.write(now, r, path)
	case "delete":
		if x != nil && x.versions[x.current] != nil {
			x.versions[x.current].deletion = now
		}
		return done
	}
	return refuse(http.StatusMethodNotAllowed, "1 error occurred:\n\t* unsupported operation\n\n")
}

func (e *engine) write(now time.Time, r request, path string) said {
	var data map[string]json.RawMessage
	if r.body["data"] == nil || json.Unmarshal(r.body["data"], &data) != nil {
		return refuse(http.StatusBadRequest, "no data provided")
	}
	x := e.secrets[path]
	current := 0
	if x != nil {
		current = x.current
	}
	var options struct {
		CAS *int `json:"cas"`
	}
	_ = json.Unmarshal(r.body["options"], &options)
	switch {
	case options.CAS != nil && *options.CAS != current:
		return refuse(http.StatusBadRequest, "check-and-set parameter did not match the current version")
	case options.CAS == nil && (e.rules.CAS || x != nil && x.CAS):
		return refuse(http.StatusBadRequest, "check-and-set parameter required for this call")
	}
	if x == nil {
		x = &kept{versions: map[int]*version{}, created: now}
		e.secrets[path] = x
	}
	x.current++
	v := &version{data: data, created: now}
	for _, d := range []time.Duration{e.rules.After, x.After} {
		if d > 0 && (v.deletion.IsZero() || now.Add(d).Before(v.deletion)) {
			v.deletion = now.Add(d)
		}
	}
	x.versions[x.current] = v
	most := max(x.Max, e.rules.Max)
	if most == 0 {
		most = keptByDefault
	}
	for ; x.current-x.oldest >= most; x.oldest++ {
		delete(x.versions, x.oldest)
	}
	shows := v.shows()
	shows["version"], shows["custom_metadata"] = x.current, x.custom
	return ok(shows)
}

func (e *engine) metadata(now time.Time, r request, path string) said {
	x := e.secrets[path]
	switch r.op {
	case "read":
		if x == nil {
			return nothing
		}
		versions := map[string]any{}
		for n, v := range x.versions {
			versions[strconv.Itoa(n)] = v.shows()
		}
		return ok(map[string]any{"versions": versions, "current_version": x.current, "oldest_version": x.oldest, "created_time": x.created, "updated_time": now,
			"max_versions": x.Max, "cas_required": x.CAS, "delete_version_after": x.After.String(), "custom_metadata": x.custom})
	case "delete":
		delete(e.secrets, path)
		return done
	case "update", "patch":
		if x == nil && r.op == "patch" {
			return nothing
		}
		if x == nil {
			x = &kept{versions: map[int]*version{}, created: now}
			e.secrets[path] = x
		}
		x.set(r)
		return x.note(r)
	}
	return refuse(http.StatusMethodNotAllowed, "1 error occurred:\n\t* unsupported operation\n\n")
}

// note sets the custom metadata: a patch among what is there, anything else instead of it.
func (x *kept) note(r request) said {
	var notes map[string]string
	if r.body["custom_metadata"] == nil || json.Unmarshal(r.body["custom_metadata"], &notes) != nil {
		return done
	}
	for name, text := range notes {
		if len(name) > 128 || len(text) == 0 || len(text) > 512 {
			return refuse(http.StatusBadRequest, "1 error occurred:\n\t* custom_metadata validation failed: length of value for key %q is %d but must be 0 < len(value) <= 512\n\n", name, len(text))
		}
	}
	if r.op == "patch" && x.custom != nil {
		maps.Copy(x.custom, notes)
	} else {
		x.custom = notes
	}
	return done
}

func (e *engine) end(now time.Time, r request, kind, path string) said {
	x := e.secrets[path]
	if x == nil {
		return nothing
	}
	var given []json.Number
	_ = json.Unmarshal([]byte(strings.ReplaceAll(string(r.body["versions"]), `"`, "")), &given)
	for _, g := range given {
		n, _ := strconv.Atoi(fmt.Sprint(g))
		v := x.versions[n]
		switch {
		case v == nil:
		case kind == "delete":
			v.deletion = now
		case kind == "undelete":
			v.deletion = time.Time{}
		case kind == "destroy":
			v.destroyed, v.data = true, nil
		}
	}
	return done
}
