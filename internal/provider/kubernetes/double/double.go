// Package double is a Kubernetes cluster simulated: Secrets, Deployments, StatefulSets, DaemonSets, their ReplicaSets and pods, with rollouts that take time.
//
// It shares nothing with the client that it is asked by. What it answers is compared
// with a real API server's by the test in the driver's folder that runs against one.
package double

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"time"

	"rekey/internal/world"
)

// Host is where the simulated API server is.
const Host = "kubernetes.example.com"

// Double is the cluster in the world that it stands in.
type Double struct {
	*world.State
	Cluster *Cluster
	first   map[string]map[string]string // what Secrets held when they were made here, by path
}

// Cluster is all that it remembers.
type Cluster struct {
	Token   string             `json:"token"` // who sends it may do everything
	Version int64              `json:"version"`
	Objects map[string]*Object `json:"objects"` // by path
}

// Object is anything that the API shows.
type Object struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Meta       Meta              `json:"metadata"`
	Spec       map[string]any    `json:"spec,omitempty"`
	Status     map[string]any    `json:"status,omitempty"`
	Type       string            `json:"type,omitempty"`
	Immutable  bool              `json:"immutable,omitempty"`
	Data       map[string]string `json:"data,omitempty"`
	Hidden     *Hidden           `json:"x-simulation,omitempty"` // never shown
}

// Meta is the metadata of an object.
type Meta struct {
	Name            string            `json:"name"`
	Namespace       string            `json:"namespace"`
	UID             string            `json:"uid"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Generation      int64             `json:"generation,omitempty"`
	Created         time.Time         `json:"creationTimestamp"`
	Deleted         *time.Time        `json:"deletionTimestamp,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	Annotations     map[string]string `json:"annotations,omitempty"`
	Owners          []Owner           `json:"ownerReferences,omitempty"`
	Fields          []Field           `json:"managedFields,omitempty"`
}

// Owner is to whom an object belongs.
type Owner struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
	Controller bool   `json:"controller"`
}

// Field is who changed an object when, to a second.
type Field struct {
	Manager   string    `json:"manager"`
	Operation string    `json:"operation"`
	Time      time.Time `json:"time"`
}

// Hidden is what only the simulation knows of an object.
type Hidden struct {
	Sync  time.Time         `json:"sync,omitzero"`  // when the controller sees it
	Ready time.Time         `json:"ready,omitzero"` // when a pod is ready
	Gone  time.Time         `json:"gone,omitzero"`  // when a terminating pod is gone
	Began time.Time         `json:"began,omitzero"` // when its process began
	Env   map[string]string `json:"env,omitempty"`  // what it was given
	Hash  string            `json:"hash,omitempty"` // of the template of a pod or a ReplicaSet
}

// New is an empty cluster.
func New(state *world.State, token string) *Double {
	return &Double{State: state, Cluster: &Cluster{Token: token, Version: 100, Objects: map[string]*Object{}}, first: map[string]map[string]string{}}
}

// Name of the double.
func (*Double) Name() string { return "kubernetes" }

// Memory is the cluster.
func (d *Double) Memory() any { return d.Cluster }

// Hosts are its own.
func (*Double) Hosts() []string { return []string{Host, "kubernetes.default.svc"} }

// Put makes or replaces an object as somebody's kubectl does.
func (d *Double) Put(path string, o Object) *Object {
	d.Cluster.Version++
	o.Meta.ResourceVersion = strconv.FormatInt(d.Cluster.Version, 10)
	if was := d.Cluster.Objects[path]; was != nil {
		o.Meta.UID, o.Meta.Created, o.Meta.Generation = was.Meta.UID, was.Meta.Created, was.Meta.Generation
	} else {
		o.Meta.UID, o.Meta.Created = d.UUID(), d.second()
	}
	o.Meta.Fields = append(o.Meta.Fields, Field{"kubectl", "Update", d.second()})
	if o.Spec != nil {
		o.Meta.Generation++
		o.Hidden = &Hidden{Sync: d.At}
	}
	d.Cluster.Objects[path] = &o
	return &o
}

// second is the time as the API shows it.
func (d *Double) second() time.Time { return d.At.Truncate(time.Second) }

// Secret makes a Secret of values in clear.
func (d *Double) Secret(namespace, name string, values map[string]string) {
	o := Object{APIVersion: "v1", Kind: "Secret", Type: "Opaque", Meta: Meta{Name: name, Namespace: namespace}, Data: map[string]string{}}
	for k, v := range values {
		o.Data[k] = base64.StdEncoding.EncodeToString([]byte(v))
	}
	d.Put(secrets(namespace)+"/"+name, o)
	d.first[secrets(namespace)+"/"+name] = maps.Clone(o.Data)
}

func secrets(namespace string) string { return "/api/v1/namespaces/" + namespace + "/secrets" }

// Workload makes a Deployment, StatefulSet or DaemonSet whose pods get a Secret as
// their environment; more is laid over its spec.
func (d *Double) Workload(kind, namespace, name, secret string, replicas int, more map[string]any) {
	labels := map[string]any{"app": name}
	spec := map[string]any{"replicas": replicas, "selector": map[string]any{"matchLabels": labels},
		"template": map[string]any{"metadata": map[string]any{"labels": labels},
			"spec": map[string]any{"containers": []any{map[string]any{"name": "main", "image": "app",
				"envFrom": []any{map[string]any{"secretRef": map[string]any{"name": secret}}}}}}}}
	for k, v := range more {
		spec[k] = v
	}
	path := workloads(namespace, kind) + "/" + name
	d.Put(path, normal(Object{APIVersion: "apps/v1", Kind: kind, Meta: Meta{Name: name, Namespace: namespace}, Spec: spec}))
}

// normal is an object as it is after JSON: numbers are numbers of JSON.
func normal(o Object) Object {
	b, _ := json.Marshal(o)
	var out Object
	_ = json.Unmarshal(b, &out)
	return out
}

// Fail answers a status as the API server does; id is a reason.
func (*Double) Fail(rw http.ResponseWriter, status int, id string) {
	reason := map[int]string{400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 415: "UnsupportedMediaType",
		422: "Invalid", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}[status]
	if id != "" {
		reason = id
	}
	world.WriteJSON(rw, status, map[string]any{"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{},
		"status": "Failure", "message": "simulated", "reason": reason, "code": status})
}

// each visits objects of a kind, in order.
func (d *Double) each(kind string, f func(path string, o *Object)) {
	for _, path := range slices.Sorted(maps.Keys(d.Cluster.Objects)) {
		if o := d.Cluster.Objects[path]; o != nil && o.Kind == kind {
			f(path, o)
		}
	}
}

// Processes are those of pods.
func (d *Double) Processes(yield func(world.Process)) {
	d.each("Pod", func(_ string, o *Object) {
		yield(world.Process{App: o.Meta.Namespace + "/" + o.Meta.Labels["app"], ID: o.Meta.Name, Env: o.Hidden.Env,
			Started: o.Hidden.Began, Stops: o.Hidden.Gone, Dead: d.Knobs.Crash && o.Status["phase"] != "Running"})
	})
}

// Kept are the values of every Secret but those that keep what another held before.
func (d *Double) Kept(yield func(world.Kept)) {
	d.each("Secret", func(_ string, o *Object) {
		if o.Meta.Annotations["rekey/version"] != "" {
			return
		}
		keys := slices.Collect(maps.Keys(o.Data))
		sort.Strings(keys)
		for _, k := range keys {
			v, _ := base64.StdEncoding.DecodeString(o.Data[k])
			yield(world.Kept{Where: "kubernetes:" + o.Meta.Namespace + "/" + o.Meta.Name, Slot: k, Value: string(v)})
		}
	})
}

// Secrets are what it holds besides generations.
func (d *Double) Secrets() map[string]string {
	return map[string]string{"the token of the cluster": d.Cluster.Token}
}
