package double

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"rekey/internal/world"
)

// Others are what people do with kubectl, and other programs by the API.
func (d *Double) Others() (out []world.Act) {
	d.each("Secret", func(path string, o *Object) {
		if o.Meta.Annotations["rekey/version"] == "" {
			out = append(out, d.withSecret(path, o)...)
		}
	})
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet"} {
		d.each(kind, func(_ string, o *Object) { out = append(out, d.withWorkload(o)...) })
	}
	return out
}

// by notes that somebody changed an object.
func (d *Double) by(o *Object) {
	o.Meta.Fields = append(slices.DeleteFunc(slices.Clone(o.Meta.Fields), func(f Field) bool { return f.Manager == "kubectl" }), Field{"kubectl", "Update", d.second()})
	d.touch(o)
}

func (d *Double) withSecret(path string, o *Object) []world.Act {
	name := o.Meta.Namespace + "/" + o.Meta.Name
	keys := slices.Sorted(maps.Keys(o.Data))
	set := func(key, value string) func() bool {
		return func() bool {
			o.Data = maps.Clone(o.Data)
			if delete(o.Data, key); value != "" {
				o.Data[key] = base64.StdEncoding.EncodeToString([]byte(value + d.Random(4)))
			}
			d.by(o)
			return true
		}
	}
	same := func(data map[string]string) bool {
		return maps.Equal(data, o.Data)
	}
	return []world.Act{
		{Name: "edit a key of " + name, Do: set(keys[0], "somebody:elses-")},
		{Name: "remove a key of " + name, Do: set(keys[0], "")},
		{Name: "edit other of " + name, Do: set("other", "theirs-")},
		{Name: "put " + name + " back as it was", Do: func() bool {
			if same(d.first[path]) {
				return false
			}
			o.Data = maps.Clone(d.first[path])
			d.by(o)
			return true
		}},
		{Name: "delete " + name + " and make it anew", Do: func() bool {
			anew := Object{APIVersion: "v1", Kind: "Secret", Type: "Opaque", Meta: Meta{Name: o.Meta.Name, Namespace: o.Meta.Namespace}, Data: maps.Clone(o.Data)}
			delete(d.Cluster.Objects, path)
			d.Put(path, anew)
			return true
		}},
	}
}

func (d *Double) withWorkload(o *Object) []world.Act {
	name := strings.ToLower(o.Kind) + "/" + o.Meta.Name
	changed := func(change func(template map[string]any)) {
		o.Spec = maps.Clone(o.Spec)
		template := maps.Clone(o.Spec["template"].(map[string]any))
		meta := maps.Clone(template["metadata"].(map[string]any))
		template["metadata"], o.Spec["template"] = meta, template
		change(meta)
		o.Meta.Generation++
		o.Hidden.Sync = d.At.Add(controllerDelay)
		d.by(o)
	}
	scale := func(by int) func() bool {
		return func() bool {
			want := number(o.Spec, "replicas") + by
			if want < 1 {
				return false
			}
			changed(func(map[string]any) { o.Spec["replicas"] = float64(want) })
			return true
		}
	}
	return []world.Act{
		{Name: "restart " + name, Do: func() bool {
			changed(func(meta map[string]any) {
				notes := map[string]any{}
				if had, ok := meta["annotations"].(map[string]any); ok {
					notes = maps.Clone(had)
				}
				notes["kubectl.kubernetes.io/restartedAt"] = d.At.String()
				meta["annotations"] = notes
			})
			return true
		}},
		{Name: "undo the rollout of " + name, Do: func() bool {
			meta := o.Spec["template"].(map[string]any)["metadata"].(map[string]any)
			if meta["annotations"] == nil {
				return false
			}
			changed(func(meta map[string]any) { delete(meta, "annotations") })
			return true
		}},
		{Name: "scale " + name + " up", Do: scale(1)},
		{Name: "scale " + name + " down", Do: scale(-1)},
		{Name: "delete a pod of " + name, Do: func() (did bool) {
			d.each("Pod", func(_ string, p *Object) {
				if !did && p.Meta.Deleted == nil && p.Meta.Labels["app"] == o.Meta.Name {
					d.stop(p)
					d.again(p)
					did = true
				}
			})
			return did
		}},
	}
}
