package runner_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/discover"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// crowd is an account with very many credentials, each in a folder of one store and in
// an app of its own, without any network.
type crowd struct {
	provider.Issuer
	provider.Store
	provider.Admitter
	listed []cred.Handle
	rules  []cred.Place
	slots  map[string]provider.Held
	apps   []provider.Surveyed
}

func (c *crowd) List(context.Context) ([]cred.Handle, error) { return c.listed, nil }

func (c *crowd) Owner(_ context.Context, b secret.Bundle, listed []cred.Handle) (string, error) {
	for _, h := range listed {
		if b["client_id"].Equal(secret.New(h.Public)) {
			return h.ID, nil
		}
	}
	return "", nil
}

func (c *crowd) Read(_ context.Context, slots []string) (map[string]provider.Held, error) {
	out := map[string]provider.Held{}
	for _, s := range slots {
		out[s] = c.slots[s]
	}
	return out, nil
}

func (c *crowd) Places(context.Context) (provider.Admission, error) {
	return provider.Admission{Places: c.rules}, nil
}

func (c *crowd) Survey(context.Context, bool) ([]provider.Surveyed, error) { return c.apps, nil }

// newCrowd makes so many; each app holds two values besides.
func newCrowd(tb testing.TB, n int) (*crowd, []sop.Spec) {
	tb.Helper()
	c := &crowd{slots: map[string]provider.Held{}}
	id, _ := cred.ParseTemplate("{client_id}")
	key, _ := cred.ParseTemplate("{client_secret}")
	both, _ := cred.ParseTemplate("{client_id}:{client_secret}")
	var specs []sop.Spec
	for i := range n {
		name := fmt.Sprintf("FLEET_%d", i)
		sum := sha256.Sum256([]byte(name))
		public, hidden := fmt.Sprintf("%x.access", sum[:16]), fmt.Sprintf("%x%x", sum[16:], sum[:16])
		c.listed = append(c.listed, cred.Handle{ID: fmt.Sprintf("id-%d", i), Public: public, Name: fmt.Sprintf("fleet-%d-2026-11-01", i)})
		c.rules = append(c.rules, cred.Place{Kind: "policy", ID: fmt.Sprint(i), Name: name, Admits: true, Names: []string{fmt.Sprintf("id-%d", i)}})
		c.slots[name], c.slots[name+"__CLIENT_ID"] = provider.Held{Present: true, Value: secret.New(hidden)}, provider.Held{Present: true, Value: secret.New(public)}
		app := fmt.Sprintf("fleet-%d", i)
		settings := json.RawMessage(`{"app":"` + app + `"}`)
		spot := provider.Spot{Key: "heroku:" + app, Settings: settings, Consumer: true,
			Is: func(s json.RawMessage) bool { return string(s) == string(settings) },
			Slots: map[string]secret.Value{name: secret.New(public + ":" + hidden), "DATABASE_URL": secret.New(fmt.Sprintf("postgres://u%d:%x@db.example.com/app", i, i*i)),
				"OPTIONS": secret.New(fmt.Sprintf(`{"level":"info","id":%d,"tags":["a","b"]}`, i))}}
		c.apps = append(c.apps, provider.Surveyed{Key: spot.Key, Read: func(context.Context) ([]provider.Spot, error) { return []provider.Spot{spot}, nil }})
		specs = append(specs, sop.Spec{Name: name, Issuer: sop.Issuer{Vendor: "cloudflare", Kind: "access-service-token", Name: fmt.Sprintf("fleet-%d-<date>", i), Fields: []string{"client_id", "client_secret"}},
			Store:     sop.Place{Key: "infisical:/fleet", Vendor: "infisical", Slots: []sop.Slot{{Name: name, Template: key, For: name}, {Name: name + "__CLIENT_ID", Template: id, For: name}}},
			Consumers: []sop.Place{{Key: spot.Key, Vendor: "heroku", Settings: settings, Slots: []sop.Slot{{Name: name, Template: both, For: name}}}}})
	}
	return c, specs
}

// look looks for all of them everywhere.
func (c *crowd) look(tb testing.TB, specs []sop.Spec) []discover.Finding {
	tb.Helper()
	keyer := secret.NewKeyer(secret.New("a key of a test"))
	r := &runner.Runner{Roles: runner.Roles{Issuer: c, Store: c, Admitter: c}, Can: rotation.Capabilities{Public: []string{"client_id"}}, Keyer: keyer,
		Clock: still{}, Together: inTurn}
	var known []runner.Known
	var seen []discover.Seen
	for _, spec := range specs {
		k := r.Know(tb.Context(), spec, nil)
		known = append(known, k)
		seen = append(seen, discover.Seen{Spec: spec, Issuer: k.Issuer, Rules: k.Rules, Unseen: k.Unseen})
	}
	found := r.Everywhere(tb.Context(), map[string]provider.Surveys{"heroku": c}, known)
	for i := range seen {
		seen[i].Copies = found.Copies[i]
		_ = discover.RulesOf(seen[i])
	}
	return discover.Findings(seen, found.Blind, nil, still{}.Now())
}

type still struct{}

func (still) Now() time.Time                             { return time.Unix(1_800_000_000, 0) }
func (still) Sleep(context.Context, time.Duration) error { return nil }

func inTurn(calls ...func() error) error {
	for _, call := range calls {
		if err := call(); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkDiscover looks who else holds so many credentials, in as many apps.
func BenchmarkDiscover(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c, specs := newCrowd(b, n)
			for b.Loop() {
				if found := c.look(b, specs); len(found) != 0 {
					b.Fatalf("%d findings: %+v", len(found), found[0])
				}
			}
		})
	}
}
