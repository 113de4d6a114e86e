package helm

import (
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	kyaml "sigs.k8s.io/yaml"
)

const (
	chart = "../../deploy/helm/rekey"
	// rendered is what comes out for testdata/values.yaml. The tests of
	// internal/provider/kubernetes give it to a real API server.
	rendered = "../../deploy/helm/rendered.yaml"
)

var update = flag.Bool("update", false, "write what is rendered anew")

func values(t *testing.T) map[string]any {
	t.Helper()
	b, err := os.ReadFile("testdata/values.yaml")
	var v map[string]any
	if err == nil {
		err = yaml.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func render(t *testing.T, v map[string]any) ([]string, error) {
	t.Helper()
	c, err := loader.Load(chart)
	if err != nil {
		t.Fatal(err)
	}
	all, err := util.ToRenderValues(c, v, common.ReleaseOptions{Name: "prod", Namespace: "rekey", IsInstall: true}, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(c, all)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for _, part := range strings.Split("\n"+files[name], "\n---\n") {
			if strings.TrimSpace(part) != "" && !strings.HasSuffix(name, ".tpl") {
				out = append(out, strings.TrimSpace(part)+"\n")
			}
		}
	}
	return out, nil
}

func TestHelmFindsNoFault(t *testing.T) {
	for _, m := range lint.RunAll(chart, values(t), "rekey").Messages {
		if !strings.Contains(m.Error(), "icon is recommended") {
			t.Error(m)
		}
	}
}

// TestKubernetesKnowsEveryField of what is rendered, which is what stands beside the chart.
func TestKubernetesKnowsEveryField(t *testing.T) {
	objects, err := render(t, values(t))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(objects, "---\n")
	if *update {
		if err := os.WriteFile(rendered, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(rendered); err != nil || string(b) != text {
		t.Errorf("%s is not what is rendered (%v): go test . -update, and read the diff", rendered, err)
	}
	kinds := map[string]int{}
	for _, o := range objects {
		var what struct{ Kind string }
		if err := kyaml.Unmarshal([]byte(o), &what); err != nil {
			t.Fatal(err)
		}
		kinds[what.Kind]++
		into := map[string]any{"Deployment": &appsv1.Deployment{}, "Service": &corev1.Service{}, "ConfigMap": &corev1.ConfigMap{}, "ServiceAccount": &corev1.ServiceAccount{}, "PodDisruptionBudget": &policyv1.PodDisruptionBudget{}}[what.Kind]
		if into == nil {
			continue
		}
		if err := kyaml.UnmarshalStrict([]byte(o), into); err != nil {
			t.Errorf("%s: %v\n%s", what.Kind, err, o)
		}
		if d, is := into.(*appsv1.Deployment); is {
			locked(t, d)
		}
	}
	want := map[string]int{"Deployment": 3, "Service": 1, "ConfigMap": 1, "ServiceAccount": 1, "PodDisruptionBudget": 3, "ServiceMonitor": 1}
	if !maps.Equal(kinds, want) {
		t.Errorf("there are %v, want %v", kinds, want)
	}
}

// locked: a process may nothing but what it needs, and has time to hand over.
func locked(t *testing.T, d *appsv1.Deployment) {
	t.Helper()
	spec := d.Spec.Template.Spec
	c := spec.Containers[0]
	s := c.SecurityContext
	if !*spec.SecurityContext.RunAsNonRoot || *spec.SecurityContext.RunAsUser == 0 || !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || s.Capabilities.Drop[0] != "ALL" ||
		*spec.AutomountServiceAccountToken || spec.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("%s may more than it needs", d.Name)
	}
	if *spec.TerminationGracePeriodSeconds < 300 {
		t.Errorf("%s has %d s to hand over", d.Name, *spec.TerminationGracePeriodSeconds)
	}
	for k, v := range d.Spec.Selector.MatchLabels {
		if d.Spec.Template.Labels[k] != v {
			t.Errorf("%s does not select its own pods by %s", d.Name, k)
		}
	}
	if api := strings.HasSuffix(d.Name, "-api"); api != (c.ReadinessProbe != nil) || api != slices.Contains(c.Args, "--url=https://rekey.example.com") {
		t.Errorf("%s: %v", d.Name, c.Args)
	}
}

// TestWhatIsMissingIsSaid before anything is installed.
func TestWhatIsMissingIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		change func(map[string]any)
		says   string
	}{
		"is not an address":         {func(v map[string]any) { delete(v, "url") }, "url"},
		"an address in clear":       {func(v map[string]any) { v["url"] = "http://rekey.example.com" }, "url"},
		"no secrets":                {func(v map[string]any) { delete(v, "envFromSecrets") }, "envFromSecrets"},
		"no image":                  {func(v map[string]any) { delete(v, "image") }, "image"},
		"a word that is none":       {func(v map[string]any) { v["replicas"] = 3 }, "replicas"},
		"no rekey.yaml":             {func(v map[string]any) { delete(v, "config") }, "rekey.yaml is missing"},
		"a journal in each pod":     {func(v map[string]any) { v["config"] = "rekey: 1\nidentity: {}\n" }, "names no database"},
		"nobody may come in":        {func(v map[string]any) { v["config"] = "rekey: 1\ndatabase: env:X\n" }, "names no identity"},
		"killed before it can hand": {func(v map[string]any) { v["terminationGracePeriodSeconds"] = 30 }, "terminationGracePeriodSeconds"},
		"nobody reads the figures":  {func(v map[string]any) { v["serviceMonitor"] = map[string]any{"enabled": true} }, "tokenSecret.name"},
	} {
		v := values(t)
		c.change(v)
		if _, err := render(t, v); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
