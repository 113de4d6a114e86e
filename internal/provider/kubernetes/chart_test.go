package kubernetes

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// takesTheChart: what deploy/helm renders is taken by the API server, strictly, field by
// field, and nothing is kept of it. That it is what is rendered, clients/helm sees to. The
// server does not know the kinds of Prometheus' operator.
func (c *control) takesTheChart(t *testing.T) {
	b, err := os.ReadFile("../../../deploy/helm/rendered.yaml")
	if err != nil {
		t.Fatal(err)
	}
	taken := 0
	for _, part := range strings.Split("\n"+string(b), "\n---\n") {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(part), &o); err != nil {
			t.Fatal(err)
		}
		path := map[any]string{
			"Deployment": "/apis/apps/v1/namespaces/shop/deployments", "PodDisruptionBudget": "/apis/policy/v1/namespaces/shop/poddisruptionbudgets",
			"Service": "/api/v1/namespaces/shop/services", "ConfigMap": "/api/v1/namespaces/shop/configmaps", "ServiceAccount": "/api/v1/namespaces/shop/serviceaccounts",
		}[o["kind"]]
		if path == "" {
			continue
		}
		taken++
		body, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.http.Transport.RoundTrip(request(c.base, "POST", path+"?dryRun=All&fieldValidation=Strict", "application/json", string(body)))
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != 201 || resp.Header.Get("Warning") != "" {
			t.Errorf("%v %v: %d %s %s", o["kind"], o["metadata"], resp.StatusCode, resp.Header.Get("Warning"), answer)
		}
	}
	if taken != 9 {
		t.Errorf("%d objects were given to it", taken)
	}
}
