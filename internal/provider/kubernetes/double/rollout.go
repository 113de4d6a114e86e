package double

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"time"
)

const (
	// controllerDelay is how long a controller takes to see a change.
	controllerDelay = 50 * time.Millisecond
	// deadline is after how long a Deployment says that it does not progress
	// [kubernetes.io, progressDeadlineSeconds].
	deadline = 10 * time.Minute
)

func workloads(namespace, kind string) string {
	return "/apis/apps/v1/namespaces/" + namespace + "/" + strings.ToLower(kind) + "s"
}

// Events are what controllers and kubelets do by themselves.
func (d *Double) Events(offer func(time.Time, func())) {
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet"} {
		d.each(kind, func(_ string, o *Object) {
			offer(o.Hidden.Sync, func() { o.Hidden.Sync = time.Time{}; d.reconcile(o) })
		})
	}
	d.each("Pod", func(path string, o *Object) {
		switch {
		case o.Meta.Deleted != nil:
			offer(o.Hidden.Gone, func() { delete(d.Cluster.Objects, path); d.again(o) })
		case o.Status["phase"] == "Pending":
			offer(o.Hidden.Ready, func() {
				o.Status["phase"] = "Running"
				if d.Knobs.Crash {
					o.Status["containerStatuses"] = []any{map[string]any{"name": "main", "state": map[string]any{"waiting": map[string]any{"reason": "CrashLoopBackOff"}}}}
				} else {
					o.Status["ready"] = "True"
				}
				d.touch(o)
				d.again(o)
			})
		}
	})
}

// again lets the controller of a pod look.
func (d *Double) again(pod *Object) {
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet"} {
		if w := d.Cluster.Objects[workloads(pod.Meta.Namespace, kind)+"/"+pod.Meta.Labels["app"]]; w != nil {
			d.reconcile(w)
		}
	}
}

func number(m map[string]any, key string) int {
	n, _ := m[key].(float64)
	return int(n)
}

func text(m map[string]any, keys ...string) string {
	for _, k := range keys[:len(keys)-1] {
		m, _ = m[k].(map[string]any)
	}
	s, _ := m[keys[len(keys)-1]].(string)
	return s
}

// reconcile brings a workload one step nearer to its template, and counts.
func (d *Double) reconcile(w *Object) {
	template, _ := json.Marshal(w.Spec["template"])
	h := fnv.New32a()
	_, _ = h.Write(template)
	hash := fmt.Sprintf("%08x", h.Sum32())
	want := number(w.Spec, "replicas")
	var fresh, old, ending []*Object
	ready := func(list []*Object) (n int) {
		for _, p := range list {
			if p.Status["ready"] == "True" {
				n++
			}
		}
		return n
	}
	look := func() {
		fresh, old, ending = nil, nil, nil
		d.each("Pod", func(_ string, p *Object) {
			switch {
			case p.Meta.Namespace != w.Meta.Namespace || p.Meta.Labels["app"] != w.Meta.Name:
			case p.Meta.Deleted != nil:
				ending = append(ending, p)
			case p.Hidden.Hash == hash:
				fresh = append(fresh, p)
			default:
				old = append(old, p)
			}
		})
	}
	look()
	paused, _ := w.Spec["paused"].(bool)
	one := w.Kind != "Deployment" // stops one before it starts its successor
	if text(w.Spec, "updateStrategy", "type") == "OnDelete" && len(old) > 0 {
		paused = true
	}
	if recreate := text(w.Spec, "strategy", "type") == "Recreate"; recreate && len(old) > 0 && !paused {
		for _, p := range old {
			d.stop(p)
		}
	} else if !paused && !(recreate && len(ending) > 0) {
		for len(fresh) < want && (!one && len(fresh)+len(old) <= want || len(fresh)+len(old)+len(ending) < want) {
			d.start(w, hash, template)
			look()
		}
		switch {
		case one && len(old) > 0 && len(ending) == 0 && ready(fresh) == len(fresh):
			d.stop(old[len(old)-1])
		case !one:
			for len(old) > 0 && (ready(fresh)+ready(old) > want || ready(old[len(old)-1:]) == 0) {
				d.stop(old[len(old)-1])
				look()
			}
		}
	}
	look()
	available := ready(fresh) + ready(old)
	w.Status = map[string]any{"observedGeneration": w.Meta.Generation, "replicas": len(fresh) + len(old), "updatedReplicas": len(fresh),
		"readyReplicas": available, "availableReplicas": available}
	if w.Kind == "DaemonSet" {
		w.Status = map[string]any{"observedGeneration": w.Meta.Generation, "desiredNumberScheduled": want, "currentNumberScheduled": len(fresh) + len(old),
			"updatedNumberScheduled": len(fresh), "numberAvailable": available, "numberReady": available}
	}
	if w.Kind == "Deployment" {
		condition := map[string]any{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
		for _, p := range fresh {
			if p.Status["ready"] != "True" {
				condition["reason"] = "ReplicaSetUpdated"
				if late := p.Hidden.Began.Add(deadline); d.At.Before(late) {
					w.Hidden.Sync = late
				} else {
					condition["status"], condition["reason"] = "False", "ProgressDeadlineExceeded"
				}
			}
		}
		w.Status["conditions"] = []any{condition}
	}
	d.touch(w)
}

// start makes a pod, which is given its Secrets now, below its ReplicaSet if it has one.
func (d *Double) start(w *Object, hash string, template []byte) {
	var t Object
	_ = json.Unmarshal(template, &t)
	owner := w
	if w.Kind == "Deployment" {
		path := workloads(w.Meta.Namespace, "ReplicaSet") + "/" + w.Meta.Name + "-" + hash
		if owner = d.Cluster.Objects[path]; owner == nil {
			owner = d.Put(path, Object{APIVersion: "apps/v1", Kind: "ReplicaSet", Meta: Meta{Name: w.Meta.Name + "-" + hash, Namespace: w.Meta.Namespace,
				Labels: t.Meta.Labels, Owners: []Owner{{"apps/v1", w.Kind, w.Meta.Name, w.Meta.UID, true}}}})
		}
	}
	name := owner.Meta.Name + "-" + d.Random(5)
	p := d.Put("/api/v1/namespaces/"+w.Meta.Namespace+"/pods/"+name, Object{APIVersion: "v1", Kind: "Pod",
		Meta: Meta{Name: name, Namespace: w.Meta.Namespace, Labels: t.Meta.Labels, Annotations: t.Meta.Annotations,
			Owners: []Owner{{"apps/v1", owner.Kind, owner.Meta.Name, owner.Meta.UID, true}}},
		Status: map[string]any{"phase": "Pending"}})
	boot := d.Knobs.BootDelay.Std()
	if boot == 0 {
		boot = time.Second
	}
	p.Hidden = &Hidden{Hash: hash, Began: d.At, Ready: d.At.Add(boot), Env: map[string]string{}}
	containers, _ := t.Spec["containers"].([]any)
	for _, c := range containers {
		from, _ := c.(map[string]any)["envFrom"].([]any)
		for _, f := range from {
			s := d.Cluster.Objects[secrets(w.Meta.Namespace)+"/"+text(f.(map[string]any), "secretRef", "name")]
			for k, v := range s.values() {
				p.Hidden.Env[k] = v
			}
		}
	}
}

func (o *Object) values() map[string]string {
	out := map[string]string{}
	if o != nil {
		for k, v := range o.Data {
			b, _ := base64.StdEncoding.DecodeString(v)
			out[k] = string(b)
		}
	}
	return out
}

// stop ends a pod, which lives on for a while.
func (d *Double) stop(p *Object) {
	at := d.second()
	p.Meta.Deleted = &at
	p.Hidden.Gone = d.At.Add(max(d.Knobs.Shutdown.Std(), time.Second))
	d.touch(p)
}
