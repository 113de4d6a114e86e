package double

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rekey/internal/world"
)

// Routes are those that a client of Secrets and workloads asks.
func (d *Double) Routes(mux *http.ServeMux) {
	known := func(f http.HandlerFunc) http.HandlerFunc {
		return func(rw http.ResponseWriter, req *http.Request) {
			if req.Header.Get("Authorization") != "Bearer "+d.Cluster.Token {
				d.Fail(rw, http.StatusUnauthorized, "")
				return
			}
			f(rw, req)
		}
	}
	for _, kind := range []string{"/api/v1/namespaces/{ns}/secrets", "/apis/apps/v1/namespaces/{ns}/deployments",
		"/apis/apps/v1/namespaces/{ns}/statefulsets", "/apis/apps/v1/namespaces/{ns}/daemonsets"} {
		mux.HandleFunc("GET "+kind+"/{name}", known(d.get))
		mux.HandleFunc("PATCH "+kind+"/{name}", known(d.patch))
	}
	mux.HandleFunc("POST /api/v1/namespaces/{ns}/secrets", known(d.create))
	mux.HandleFunc("GET /api/v1/namespaces/{ns}/pods", known(d.list("Pod")))
	mux.HandleFunc("GET /apis/apps/v1/namespaces/{ns}/replicasets", known(d.list("ReplicaSet")))
}

// show is an object without what the simulation notes.
func show(o *Object) Object {
	out := *o
	out.Hidden = nil
	return out
}

func (d *Double) get(rw http.ResponseWriter, req *http.Request) {
	o := d.Cluster.Objects[req.URL.Path]
	if o == nil {
		d.Fail(rw, http.StatusNotFound, "")
		return
	}
	world.WriteJSON(rw, http.StatusOK, show(o))
}

// create makes a Secret; a dry run is answered as the real one and stores nothing.
func (d *Double) create(rw http.ResponseWriter, req *http.Request) {
	var o Object
	if world.ReadJSON(req, &o) != nil || o.Meta.Name == "" || !decodes(o) {
		d.Fail(rw, http.StatusBadRequest, "")
		return
	}
	path := req.URL.Path + "/" + o.Meta.Name
	if d.Cluster.Objects[path] != nil {
		d.Fail(rw, http.StatusConflict, "AlreadyExists")
		return
	}
	o.APIVersion, o.Kind, o.Type, o.Meta.Namespace = "v1", "Secret", "Opaque", req.PathValue("ns")
	made := d.Put(path, o)
	out := show(made)
	if req.URL.Query().Get("dryRun") == "All" {
		delete(d.Cluster.Objects, path)
		out.Meta.ResourceVersion = ""
	}
	world.WriteJSON(rw, http.StatusCreated, out)
}

var key = regexp.MustCompile(`^[-._a-zA-Z0-9]{1,253}$`)

// decodes reports whether the values of a Secret are valid: base64, 1 MiB together,
// under names that are keys.
func decodes(o Object) bool {
	size := 0
	for k, v := range o.Data {
		size += base64.StdEncoding.DecodedLen(len(v)) - strings.Count(v, "=")
		if !key.MatchString(k) || size > 1<<20 {
			return false
		}
		if _, err := base64.StdEncoding.DecodeString(v); err != nil {
			return false
		}
	}
	return true
}

// patch is a merge patch (RFC 7396) with the resourceVersion in it as precondition. One
// that changes nothing leaves the resourceVersion as it is.
func (d *Double) patch(rw http.ResponseWriter, req *http.Request) {
	was := d.Cluster.Objects[req.URL.Path]
	var change map[string]any
	switch {
	case req.Header.Get("Content-Type") != "application/merge-patch+json":
		d.Fail(rw, http.StatusUnsupportedMediaType, "")
		return
	case was == nil:
		d.Fail(rw, http.StatusNotFound, "")
		return
	case world.ReadJSON(req, &change) != nil:
		d.Fail(rw, http.StatusBadRequest, "")
		return
	}
	if m, ok := change["metadata"].(map[string]any); ok && m["resourceVersion"] != nil && m["resourceVersion"] != was.Meta.ResourceVersion {
		d.Fail(rw, http.StatusConflict, "")
		return
	}
	var tree any
	b, _ := json.Marshal(show(was))
	_ = json.Unmarshal(b, &tree)
	b, _ = json.Marshal(merged(tree, change))
	var next Object
	if json.Unmarshal(b, &next) != nil {
		d.Fail(rw, http.StatusBadRequest, "")
		return
	}
	next.Hidden = was.Hidden
	if !decodes(next) || was.Immutable && !reflect.DeepEqual(was.Data, next.Data) {
		d.Fail(rw, http.StatusUnprocessableEntity, "")
		return
	}
	if reflect.DeepEqual(normal(*was), normal(next)) {
		world.WriteJSON(rw, http.StatusOK, show(was))
		return
	}
	d.touch(&next)
	next.Meta.Fields = append(slices.DeleteFunc(next.Meta.Fields, func(f Field) bool { return f.Manager == "rekey" }), Field{"rekey", "Update", d.second()})
	if !reflect.DeepEqual(was.Spec, next.Spec) {
		next.Meta.Generation++
		hidden := Hidden{}
		if was.Hidden != nil {
			hidden = *was.Hidden
		}
		hidden.Sync = d.At.Add(controllerDelay)
		next.Hidden = &hidden
	}
	d.Cluster.Objects[req.URL.Path] = &next
	world.WriteJSON(rw, http.StatusOK, show(&next))
}

func (d *Double) touch(o *Object) {
	d.Cluster.Version++
	o.Meta.ResourceVersion = strconv.FormatInt(d.Cluster.Version, 10)
}

// merged applies a merge patch.
func merged(to, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	t, ok := to.(map[string]any)
	if !ok {
		t = map[string]any{}
	}
	for k, v := range p {
		if v == nil {
			delete(t, k)
		} else {
			t[k] = merged(t[k], v)
		}
	}
	return t
}

// list answers with the objects whose labels a selector of equalities matches, in
// pages of limit.
func (d *Double) list(kind string) http.HandlerFunc {
	return func(rw http.ResponseWriter, req *http.Request) {
		q := req.URL.Query()
		items := []Object{}
		d.each(kind, func(_ string, o *Object) {
			if o.Meta.Namespace == req.PathValue("ns") && selected(o.Meta.Labels, q.Get("labelSelector")) {
				items = append(items, show(o))
			}
		})
		from, _ := strconv.Atoi(q.Get("continue"))
		limit, err := strconv.Atoi(q.Get("limit"))
		meta := map[string]any{"resourceVersion": strconv.FormatInt(d.Cluster.Version, 10)}
		items = items[min(from, len(items)):]
		if err == nil && limit < len(items) {
			items = items[:limit]
			meta["continue"] = strconv.Itoa(from + limit)
		}
		world.WriteJSON(rw, http.StatusOK, map[string]any{"kind": kind + "List", "apiVersion": "v1", "metadata": meta, "items": items})
	}
}

func selected(labels map[string]string, selector string) bool {
	for part := range strings.SplitSeq(selector, ",") {
		if k, v, ok := strings.Cut(part, "="); ok && labels[k] != v {
			return false
		}
	}
	return true
}
