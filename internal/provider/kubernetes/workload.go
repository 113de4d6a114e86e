package kubernetes

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/vendorhttp"
)

// named is a workload by kind and name.
type named struct{ kind, name string }

func (n named) String() string { return n.kind + "/" + n.name }

func (c *consumer) apps(n named) string {
	return "/apis/apps/v1/namespaces/" + c.at.Namespace + "/" + n.kind + "s/" + n.name
}

// running is a Deployment, a StatefulSet or a DaemonSet, as far as it is looked at
// [kubernetes.io/docs/reference/kubernetes-api/workload-resources].
type running struct {
	Kind string `json:"kind"`
	Meta meta   `json:"metadata"`
	Spec struct {
		Replicas *int     `json:"replicas"`
		Paused   bool     `json:"paused"`
		Selector selector `json:"selector"`
		Template struct {
			Meta meta    `json:"metadata"`
			Spec podSpec `json:"spec"`
		} `json:"template"`
		Strategy struct {
			Type string `json:"type"`
		} `json:"strategy"` // of a Deployment
		Update struct {
			Type    string `json:"type"`
			Rolling struct {
				Partition int `json:"partition"`
			} `json:"rollingUpdate"`
		} `json:"updateStrategy"` // of the others
	} `json:"spec"`
	Status struct {
		Observed   int64 `json:"observedGeneration"`
		Replicas   int   `json:"replicas"`
		Updated    int   `json:"updatedReplicas"`
		Available  int   `json:"availableReplicas"`
		Desired    int   `json:"desiredNumberScheduled"` // of a DaemonSet, as the next two
		Scheduled  int   `json:"updatedNumberScheduled"`
		There      int   `json:"numberAvailable"`
		Conditions []struct {
			Type   string `json:"type"`
			Status string `json:"status"`
			Reason string `json:"reason"`
		} `json:"conditions"`
	} `json:"status"`
}

type selector struct {
	Labels      map[string]string `json:"matchLabels"`
	Expressions []struct {
		Key      string   `json:"key"`
		Operator string   `json:"operator"`
		Values   []string `json:"values"`
	} `json:"matchExpressions"`
}

// query is a selector as lists take it.
func (s selector) query() string {
	var parts []string
	for k, v := range s.Labels {
		parts = append(parts, k+"="+v)
	}
	for _, e := range s.Expressions {
		switch e.Operator {
		case "In", "NotIn":
			parts = append(parts, e.Key+" "+strings.ToLower(e.Operator)+" ("+strings.Join(e.Values, ",")+")")
		case "Exists":
			parts = append(parts, e.Key)
		case "DoesNotExist":
			parts = append(parts, "!"+e.Key)
		}
	}
	sort.Strings(parts)
	return strings.Join(parts, ",")
}

type reference struct {
	Name string `json:"name"`
}

type container struct {
	EnvFrom []struct {
		Secret *reference `json:"secretRef"`
	} `json:"envFrom"`
	Env []struct {
		From struct {
			Secret *reference `json:"secretKeyRef"`
		} `json:"valueFrom"`
	} `json:"env"`
}

type podSpec struct {
	Containers []container `json:"containers"`
	Init       []container `json:"initContainers"`
	Volumes    []struct {
		Secret *struct {
			Name string `json:"secretName"`
		} `json:"secret"`
		Projected struct {
			Sources []struct {
				Secret *reference `json:"secret"`
			} `json:"sources"`
		} `json:"projected"`
	} `json:"volumes"`
}

// uses reports whether pods are given a Secret.
func (p podSpec) uses(name string) bool {
	is := func(r *reference) bool { return r != nil && r.Name == name }
	for _, c := range slices.Concat(p.Containers, p.Init) {
		for _, e := range c.EnvFrom {
			if is(e.Secret) {
				return true
			}
		}
		for _, e := range c.Env {
			if is(e.From.Secret) {
				return true
			}
		}
	}
	for _, v := range p.Volumes {
		if v.Secret != nil && v.Secret.Name == name {
			return true
		}
		for _, s := range v.Projected.Sources {
			if is(s.Secret) {
				return true
			}
		}
	}
	return false
}

// pod is one pod.
type pod struct {
	Meta   meta `json:"metadata"`
	Status struct {
		Phase      string `json:"phase"`
		Containers []struct {
			State struct {
				Waiting struct {
					Reason string `json:"reason"`
				} `json:"waiting"`
			} `json:"state"`
		} `json:"containerStatuses"`
	} `json:"status"`
}

// broken says why a pod does not come up by itself; "": it may.
func (p pod) broken() string {
	for _, c := range p.Status.Containers {
		switch r := c.State.Waiting.Reason; r {
		case "CrashLoopBackOff", "CreateContainerConfigError", "RunContainerError":
			return r
		}
	}
	return ""
}

// over: it has ended for good and holds nothing any more.
func (p pod) over() bool { return p.Status.Phase == "Succeeded" || p.Status.Phase == "Failed" }

// workload reads one.
func (c *consumer) workload(ctx context.Context, n named) (w running, err error) {
	op := "read " + n.String()
	err = c.ask(ctx, vendorhttp.Request{Op: op, Method: http.MethodGet, Path: c.apps(n)}, &w)
	return w, c.really(op, n, w, err)
}

// really refuses an answer that is not the workload that was asked for.
func (c *consumer) really(op string, n named, w running, err error) error {
	if err == nil && (!strings.EqualFold(w.Kind, n.kind) || w.Meta.Name != n.name || w.Meta.UID == "") {
		return c.wrong(op, cred.Unknown, "the answer is not the workload that was asked for")
	}
	return err
}

// page is how many objects one answer lists.
const page = 500

// list reads a whole list.
func list[T any](ctx context.Context, c *consumer, op, path string, s selector) (all []T, err error) {
	query := url.Values{"labelSelector": {s.query()}, "limit": {strconv.Itoa(page)}}
	for {
		var out struct {
			Items *[]T `json:"items"`
			Meta  struct {
				Continue string `json:"continue"`
			} `json:"metadata"`
		}
		if err := c.ask(ctx, vendorhttp.Request{Op: op, Method: http.MethodGet, Path: path, Query: query}, &out); err != nil {
			return nil, err
		}
		if out.Items == nil {
			return nil, c.wrong(op, cred.Unknown, "the answer lacks the list")
		}
		all = append(all, *out.Items...)
		if out.Meta.Continue == "" {
			return all, nil
		}
		query.Set("continue", out.Meta.Continue)
	}
}

// pods are all that a workload runs, of every generation of it, terminating ones
// included; a Deployment's belong to its ReplicaSets.
func (c *consumer) pods(ctx context.Context, n named, w running) ([]pod, error) {
	owners := map[string]bool{w.Meta.UID: true}
	if n.kind == "deployment" {
		sets, err := list[struct {
			Meta meta `json:"metadata"`
		}](ctx, c, "list the ReplicaSets of "+n.String(), "/apis/apps/v1/namespaces/"+c.at.Namespace+"/replicasets", w.Spec.Selector)
		if err != nil {
			return nil, err
		}
		for _, s := range sets {
			if owned(s.Meta, map[string]bool{w.Meta.UID: true}) {
				owners[s.Meta.UID] = true
			}
		}
	}
	all, err := list[pod](ctx, c, "list the pods of "+n.String(), "/api/v1/namespaces/"+c.at.Namespace+"/pods", w.Spec.Selector)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(p pod) bool { return p.over() || !owned(p.Meta, owners) }), nil
}

func owned(m meta, by map[string]bool) bool {
	for _, o := range m.Owners {
		if o.Controller && by[o.UID] {
			return true
		}
	}
	return false
}

// rolled tells how far a rollout is, as kubectl rollout status does; "": it is over.
func (w running) rolled() (waits string, failed bool) {
	want := 1
	if w.Spec.Replicas != nil {
		want = *w.Spec.Replicas
	}
	updated, available, all := w.Status.Updated, w.Status.Available, w.Status.Replicas
	if w.Kind == "DaemonSet" {
		want, updated, available, all = w.Status.Desired, w.Status.Scheduled, w.Status.There, w.Status.Desired
	}
	if w.Status.Observed < w.Meta.Generation {
		return "the rollout has not begun", false
	}
	for _, c := range w.Status.Conditions {
		if c.Type == "Progressing" && c.Reason == "ProgressDeadlineExceeded" {
			return "the rollout exceeded its progress deadline", true
		}
	}
	switch {
	case updated < want:
		return strconv.Itoa(updated) + " of " + strconv.Itoa(want) + " pods are new", false
	case all > updated:
		return strconv.Itoa(all-updated) + " old pods have not gone yet", false
	case available < updated:
		return strconv.Itoa(available) + " of " + strconv.Itoa(updated) + " new pods are available", false
	}
	return "", false
}

// changed is when a Secret was last changed by anybody, by the server's clock and to
// a second.
func (o opaque) changed() (at time.Time) {
	for _, f := range o.Meta.Fields {
		if f.Time.After(at) {
			at = f.Time
		}
	}
	if at.IsZero() {
		at = o.Meta.Created
	}
	return at
}
