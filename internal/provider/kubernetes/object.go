package kubernetes

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
)

// What Rekey notes on a Secret, and on the pods that are started after it was written.
const (
	countKey  = "rekey/write"  // grows with every write
	stampsKey = "rekey/stamps" // run, generation and fingerprint of each slot, as JSON
)

// biggest is what the values of a Secret may have together, in bytes
// [kubernetes.io/docs/concepts/configuration/secret].
const biggest = 1 << 20

var dataKey = regexp.MustCompile(`^[-._a-zA-Z0-9]{1,253}$`)

// meta is what every object has.
type meta struct {
	Name            string            `json:"name"`
	UID             string            `json:"uid"`
	ResourceVersion string            `json:"resourceVersion"`
	Generation      int64             `json:"generation"`
	Created         time.Time         `json:"creationTimestamp"`
	Deleted         *time.Time        `json:"deletionTimestamp"`
	Labels          map[string]string `json:"labels"`
	Annotations     map[string]string `json:"annotations"`
	Owners          []struct {
		Kind       string `json:"kind"`
		Name       string `json:"name"`
		UID        string `json:"uid"`
		Controller bool   `json:"controller"`
	} `json:"ownerReferences"`
	Fields []struct {
		Time time.Time `json:"time"`
	} `json:"managedFields"`
}

// opaque is a Secret.
type opaque struct {
	Kind      string                  `json:"kind"`
	Meta      meta                    `json:"metadata"`
	Type      string                  `json:"type"`
	Immutable bool                    `json:"immutable"`
	Data      map[string]secret.Value `json:"data"` // base64
}

// value is what a key holds.
func (o opaque) value(key string) (v secret.Value, present bool, err error) {
	coded, present := o.Data[key]
	if !present {
		return v, false, nil
	}
	b, err := base64.StdEncoding.DecodeString(coded.Reveal())
	v = secret.New(string(b))
	clear(b)
	return v, true, err
}

// managed says who else writes it, and whether they would write over us.
func (o opaque) managed() (who string, over bool) {
	for _, w := range o.Meta.Owners {
		switch w.Kind {
		case "ExternalSecret", "SealedSecret", "VaultStaticSecret", "VaultDynamicSecret", "InfisicalSecret", "Certificate", "OnePasswordItem":
			return "it belongs to a " + w.Kind + ", whose controller writes over what others write: rotate at its source", true
		}
	}
	switch {
	case o.Type == "kubernetes.io/service-account-token":
		return "it is a token of a service account, which Kubernetes itself writes", true
	case o.Meta.Labels["reconcile.external-secrets.io/managed"] == "true":
		return "External Secrets writes it: rotate at its source", true
	case o.Meta.Annotations["argocd.argoproj.io/tracking-id"] != "", o.Meta.Labels["argocd.argoproj.io/instance"] != "":
		return "Argo CD keeps it as it stands in a repository: values that stand there come back", false
	case o.Meta.Labels["kustomize.toolkit.fluxcd.io/name"] != "", o.Meta.Labels["helm.toolkit.fluxcd.io/name"] != "":
		return "Flux keeps it as it stands in a repository: values that stand there come back", false
	case o.Meta.Labels["app.kubernetes.io/managed-by"] == "Helm":
		return "Helm made it: an upgrade of the release writes the chart's values back", false
	case o.Meta.Annotations["kubectl.kubernetes.io/last-applied-configuration"] != "":
		return "kubectl apply made it and keeps what was applied beside it, old values included: applying that file again writes them back", false
	}
	return "", false
}

// object is one Secret at its place.
type object struct {
	*cluster
	at Settings

	known sync.Mutex
	last  map[string]secret.Value // by slot, as last read here
}

func (o *object) path(name string) string {
	return "/api/v1/namespaces/" + o.at.Namespace + "/secrets/" + name
}

func (o *object) wrong(op string, class cred.Class, format string, args ...any) error {
	return &cred.Error{Vendor: o.name, Op: op, Class: class, Why: fmt.Sprintf(format, args...)}
}

// ask sends one request and reads what was answered.
func (c *cluster) ask(ctx context.Context, r vendorhttp.Request, out any) error {
	api, err := c.client(ctx)
	if err != nil {
		return err
	}
	resp, err := api.Do(ctx, r)
	if err != nil {
		return err
	}
	return resp.Decode(out)
}

// get reads a Secret.
func (o *object) get(ctx context.Context, op, name string) (s opaque, err error) {
	err = o.ask(ctx, vendorhttp.Request{Op: op, Method: http.MethodGet, Path: o.path(name)}, &s)
	return s, o.whole(op, name, s, err)
}

// patch changes a Secret only if it is still of that version (RFC 7396; the version is
// the precondition, and 409 says that it was changed).
func (o *object) patch(ctx context.Context, op string, was opaque, data map[string]any, annotations map[string]any) (s opaque, err error) {
	body := map[string]any{"metadata": map[string]any{"resourceVersion": was.Meta.ResourceVersion, "annotations": annotations}}
	if len(data) > 0 {
		body["data"] = data
	}
	err = o.ask(ctx, vendorhttp.Request{Op: op, Method: http.MethodPatch, Path: o.path(was.Meta.Name),
		Header: map[string]string{"Content-Type": mergeKey}, Body: body}, &s)
	return s, o.whole(op, was.Meta.Name, s, err)
}

// whole refuses an answer that is not the Secret that was asked for.
func (o *object) whole(op, name string, s opaque, err error) error {
	if err == nil && (s.Kind != "Secret" || s.Meta.Name != name || s.Meta.ResourceVersion == "") {
		return o.wrong(op, cred.Unknown, "the answer is not the Secret that was asked for")
	}
	return err
}

// held is what slots hold in a Secret; it is remembered.
func (o *object) held(op string, s opaque, slots []string) (map[string]provider.Held, error) {
	problem, over := s.managed()
	if !over {
		problem = ""
	}
	if s.Immutable {
		problem = "the Secret is immutable: it can only be deleted and recreated"
	}
	var stamps map[string]map[string]string
	_ = json.Unmarshal([]byte(s.Meta.Annotations[stampsKey]), &stamps)
	o.known.Lock()
	defer o.known.Unlock()
	if o.last == nil {
		o.last = map[string]secret.Value{}
	}
	out := make(map[string]provider.Held, len(slots))
	for _, name := range slots {
		v, present, err := s.value(name)
		if err != nil {
			return nil, o.wrong(op, cred.Unknown, "the answer is not of the documented form")
		}
		out[name] = provider.Held{Present: present, Value: v, Problem: problem, Stamp: stamps[name]}
		o.last[name] = v
	}
	return out, nil
}

// counted is how often Rekey has written it.
func counted(s opaque) int {
	n, _ := strconv.Atoi(s.Meta.Annotations[countKey])
	return max(n, 0)
}

// write puts all values into the Secret in one request, unless it holds them already.
// Other keys stay, edits of others since included; if one of the slots was edited since
// it was read here, or the Secret while this writes, nothing is written. before is
// called right before, with what is replaced.
func (o *object) write(ctx context.Context, op string, values []provider.SlotValue, before func(opaque) error) (opaque, error) {
	was, err := o.get(ctx, "read the Secret", o.at.Secret)
	if err != nil {
		return was, err
	}
	o.known.Lock()
	last := maps.Clone(o.last)
	o.known.Unlock()
	slots := make([]string, len(values))
	for i, v := range values {
		slots[i] = v.Slot
	}
	now, err := o.held(op, was, slots)
	if err != nil {
		return was, err
	}
	var stamps map[string]map[string]string
	if json.Unmarshal([]byte(was.Meta.Annotations[stampsKey]), &stamps) != nil || stamps == nil {
		stamps = map[string]map[string]string{}
	}
	data, size := map[string]any{}, 0
	for _, v := range was.Data {
		size += base64.StdEncoding.DecodedLen(len(v.Reveal())) - strings.Count(v.Reveal(), "=")
	}
	for _, v := range values {
		h := now[v.Slot]
		if read, known := last[v.Slot]; known && !h.Value.Equal(read) && !h.Value.Equal(v.Value) {
			return was, o.wrong(op, cred.Foreign, "slot %s was edited by somebody else since it was read", v.Slot)
		}
		switch {
		case h.Problem != "":
			return was, o.wrong(op, cred.Refused, "%s", h.Problem)
		case !dataKey.MatchString(v.Slot):
			return was, o.wrong(op, cred.Refused, "%s is not a key of a Secret: want letters, digits, -, _ and .", v.Slot)
		case !v.Value.Present() && h.Present:
			data[v.Slot] = nil
			delete(stamps, v.Slot)
		case v.Value.Present() && !h.Value.Equal(v.Value):
			text := v.Value.Reveal()
			size += len(text) - len(h.Value.Reveal())
			data[v.Slot] = base64.StdEncoding.EncodeToString([]byte(text))
			if len(v.Stamp) > 0 {
				stamps[v.Slot] = v.Stamp
			}
		}
	}
	if len(data) == 0 {
		return was, nil
	}
	if size > biggest {
		return was, o.wrong(op, cred.Refused, "the Secret would be larger than 1 MiB, which Kubernetes does not take")
	}
	if err := before(was); err != nil {
		return was, err
	}
	noted, _ := json.Marshal(stamps)
	return o.patch(ctx, op, was, data, map[string]any{countKey: strconv.Itoa(counted(was) + 1), stampsKey: string(noted)})
}

// title is a Secret in words.
func (s Settings) title() string { return strings.Join([]string{s.Namespace, s.Secret}, "/") }
