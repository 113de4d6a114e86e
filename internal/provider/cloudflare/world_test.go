package cloudflare_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/provider/cloudflare"
	"rekey/internal/secret"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

var epoch = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// network is a simulated account, with something between it and the client.
type network struct {
	*sim.World
	now     time.Time
	between func(*http.Request, func() (*http.Response, error)) (*http.Response, error)
	ahead   time.Duration // of the vendor's clock
}

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	send := func() (*http.Response, error) { return n.World.RoundTrip(r) }
	between := n.between
	if between == nil {
		between = func(_ *http.Request, send func() (*http.Response, error)) (*http.Response, error) { return send() }
	}
	got, err := between(r, send)
	if err == nil {
		got.Header.Set("Date", n.now.Add(n.ahead).Format(http.TimeFormat))
	}
	return got, err
}

// issuer is everything that an issuer of Cloudflare can.
type issuer interface {
	provider.Issuer
	provider.Finder
	provider.Roller
	provider.Prober
	provider.Clocked
}

// opened returns a world and an issuer on it.
func opened(t *testing.T, kind string, shape func(*sim.State)) (*network, issuer) {
	t.Helper()
	n := &network{now: epoch}
	state := sim.New(sim.Options{Seed: 1, Now: epoch})
	if shape != nil {
		shape(&state)
	}
	n.World = sim.Open(state, func() time.Time { return n.now })
	known := n.Env()
	env := provider.Env{
		Transport: n, Now: func() time.Time { return n.now },
		Together: func(calls ...func() error) error {
			for _, c := range calls {
				if err := c(); err != nil {
					return err
				}
			}
			return nil
		},
		Resolve: func(_ context.Context, refs sop.Refs) (secret.Value, provider.Source, error) {
			return secret.New(known[strings.TrimPrefix(string(refs[0]), "env:")]), provider.Source{}, nil
		},
		Text: func(x sop.Text) (string, error) { return known[strings.TrimPrefix(x[0], "env:")], nil },
	}
	v, err := cloudflare.Descriptor.Open(env, "cloudflare", json.RawMessage(`{"token":["env:CF_ACCESS_MGMT"],"account":["env:CF_ACCOUNT_ID"]}`))
	if err != nil {
		t.Fatal(err)
	}
	i, err := v.(provider.Issues).Issuer(kind, json.RawMessage(`{"duration":"8760h"}`))
	if err != nil {
		t.Fatal(err)
	}
	return n, i.(issuer)
}

// A token is proven by its issuer, a service token at the console.
var (
	issuerItself = sop.Probe{URL: sop.IssuerItself}
	console      = sop.Probe{URL: "https://console.raxx.app/health"}
)

// bundle is that of an API token.
func bundle(value string) secret.Bundle {
	return secret.Bundle{cloudflare.FieldToken: secret.New(value)}
}

// says is an answer made up on the way.
func says(r *http.Request, status int, kind, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Request: r, Body: io.NopCloser(strings.NewReader(body))}
}

func failure(code int) string {
	return fmt.Sprintf(`{"success":false,"errors":[{"code":%d,"message":"no"}],"messages":[],"result":null}`, code)
}

func find(t *testing.T, i provider.Issuer, name string) cred.Handle {
	t.Helper()
	all, err := i.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range all {
		if strings.HasPrefix(h.Name, name) {
			return h
		}
	}
	t.Fatalf("%s is not listed", name)
	return cred.Handle{}
}
