package kubernetes

import (
	"strconv"
	"testing"
	"time"

	"rekey/internal/provider/kubernetes/double"
	"rekey/internal/providertest"
	"rekey/internal/world"
)

// TestConform is the suite that every driver passes, on the simulated cluster.
func TestConform(t *testing.T) {
	providertest.Run(t, providertest.Harness{
		Vendor:     Descriptor,
		Connection: `{"base_url":"https://` + double.Host + `","token":["env:KUBERNETES_TOKEN"]}`,
		Store:      `{"namespace":"shop","secret":"kept","keep_secret":"kept-before"}`,
		Consumer:   `{"namespace":"shop","secret":"app","workloads":["deployment/web","statefulset/db"]}`,
		Slots:      []string{"KEY", "KEY__ID"},
		Refusal: func(status int) string {
			return `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"` + providertest.Canary + `","code":` + strconv.Itoa(status) + `}`
		},
		Double: func(providertest.T) *providertest.Double {
			now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
			state := &world.State{Seed: 7, At: now}
			d := double.New(state, "token-of-the-cluster")
			w := world.Open(state, func() time.Time { return now }, d)
			w.Do(func() {
				for _, name := range []string{"kept", "app"} {
					d.Secret("shop", name, map[string]string{"KEY": "old-value-of-the-key", "KEY__ID": "old-id", "other": "of others"})
				}
				d.Workload("Deployment", "shop", "web", "app", 2, nil)
				d.Workload("StatefulSet", "shop", "db", "app", 2, nil)
			})
			now = now.Add(time.Minute)
			w.Do(func() {})
			return &providertest.Double{Transport: w, Now: func() time.Time { return now }, Wait: func(by time.Duration) { now = now.Add(by) },
				Env: map[string]string{"KUBERNETES_TOKEN": "token-of-the-cluster"}}
		},
	})
}
