// Package kubernetes is Kubernetes as a store, one Secret whose earlier values are kept in another, and as a consumer, a Secret and the workloads that are rolled out with it.
//
// The client is our own: client-go would add 20 MB to the program and repeats requests
// by itself where it is told to come later.
package kubernetes

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"rekey/internal/provider"
	"rekey/internal/sop"
)

//go:embed doc.md
var doc string

// Connection is how to reach a cluster: by a kubeconfig, from inside it, or by address and token.
type Connection struct {
	// Path of a kubeconfig, from the root, or env:KUBECONFIG.
	Kubeconfig sop.Text `json:"kubeconfig,omitempty"`
	// Context of the kubeconfig. Default: its current one
	Context string `json:"context,omitempty"`
	// Rekey runs in the cluster, as a service account.
	InCluster bool `json:"in_cluster,omitempty"`
	// Address of the API server.
	BaseURL string `json:"base_url,omitempty" jsonschema:"format=rekey-address"`
	// Token for that address.
	Token sop.Refs `json:"token,omitempty"`
	// Path of the certificate of the authority that has signed the server's. Default: those of the system
	CAFile string `json:"ca_file,omitempty"`
}

// Settings are those of a store, and of a consumer too.
type Settings struct {
	// Namespace of the Secret.
	Namespace string `json:"namespace" jsonschema:"required,pattern=^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"`
	// Name of the Secret. It has to exist.
	Secret string `json:"secret" jsonschema:"required,pattern=^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"`
}

// StoreSettings are the settings of a store.
type StoreSettings struct {
	Settings
	// Name of another Secret, in the same namespace, that keeps what this one held before. Without it no run starts.
	KeepSecret string `json:"keep_secret,omitempty" jsonschema:"pattern=^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"`
}

// ConsumerSettings are the settings of a consumer.
type ConsumerSettings struct {
	Settings
	// What is rolled out: deployment/NAME, statefulset/NAME, daemonset/NAME.
	Workloads []string `json:"workloads,omitempty"`
}

// Descriptor is Kubernetes for the rest of the house.
var Descriptor = provider.Descriptor{
	Name:       "kubernetes",
	Title:      "Kubernetes",
	Connection: &Connection{},
	Store:      &StoreSettings{},
	StoreID:    "secret",
	Consumer:   &ConsumerSettings{},
	ConsumerID: []string{"namespace+secret"},
	Holds:      provider.Holding{Cost: "a rollout of its workloads", Applied: true},
	Doc:        doc,
	Open:       open,
}

func open(env provider.Env, name string, settings json.RawMessage) (provider.Vendor, error) {
	var c Connection
	if err := json.Unmarshal(settings, &c); err != nil {
		return nil, fmt.Errorf("vendor %s: %w", name, err)
	}
	ways := 0
	for _, said := range []bool{len(c.Kubeconfig) > 0, c.InCluster, c.BaseURL != ""} {
		if said {
			ways++
		}
	}
	if ways != 1 {
		return nil, fmt.Errorf("vendor %s: give kubeconfig, or in_cluster, or base_url and token", name)
	}
	if (c.BaseURL != "") != (len(c.Token) > 0) {
		return nil, fmt.Errorf("vendor %s: base_url and token belong together", name)
	}
	return &cluster{env: env, name: name, conn: c}, nil
}

// Close closes connections.
func (c *cluster) Close(context.Context) { c.close() }

// Store returns one Secret with its history.
func (c *cluster) Store(settings json.RawMessage) (provider.Store, error) {
	var s StoreSettings
	if err := json.Unmarshal(settings, &s); err != nil {
		return nil, err
	}
	if s.KeepSecret == s.Secret {
		return nil, errors.New("keep_secret is the Secret itself, and has to be another")
	}
	return &store{object: &object{cluster: c, at: s.Settings}, keep: s.KeepSecret}, nil
}

var workload = regexp.MustCompile(`^(deployment|statefulset|daemonset)/([a-z0-9]([-.a-z0-9]*[a-z0-9])?)$`)

// Consumer returns one Secret with the workloads that use it.
func (c *cluster) Consumer(settings json.RawMessage) (provider.Consumer, error) {
	var s ConsumerSettings
	if err := json.Unmarshal(settings, &s); err != nil {
		return nil, err
	}
	k := &consumer{object: &object{cluster: c, at: s.Settings}}
	for _, w := range s.Workloads {
		if !workload.MatchString(w) {
			return nil, errors.New("workloads: want deployment/NAME, statefulset/NAME or daemonset/NAME")
		}
		kind, name, _ := strings.Cut(w, "/")
		k.workloads = append(k.workloads, named{kind: kind, name: name})
	}
	return k, nil
}

var (
	_ provider.Stores    = (*cluster)(nil)
	_ provider.Consumes  = (*cluster)(nil)
	_ provider.Store     = (*store)(nil)
	_ provider.Foresight = (*store)(nil)
	_ provider.Consumer  = (*consumer)(nil)
	_ provider.Holder    = (*consumer)(nil)
	_ provider.Applier   = (*consumer)(nil)
)
