package heroku_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/provider/heroku"
	"rekey/internal/secret"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// bench is Heroku on a simulated world, as the program opens it.
type bench struct {
	*sim.World
	now  time.Time
	sent []string // requests
	// before sees every request; may be nil.
	before func(*http.Request)
	// instead answers in place of the world, if it is not nil and answers something.
	instead func(*http.Request) *http.Response
}

func (b *bench) RoundTrip(req *http.Request) (*http.Response, error) {
	b.sent = append(b.sent, req.Method+" "+req.URL.Path)
	if b.before != nil {
		b.before(req)
	}
	if b.instead != nil {
		if resp := b.instead(req); resp != nil {
			return resp, nil
		}
	}
	return b.World.RoundTrip(req)
}

func open(t *testing.T) (*bench, provider.Vendor) {
	t.Helper()
	b := &bench{now: start}
	b.World = sim.Open(sim.New(sim.Options{Seed: 7, Now: start}), func() time.Time { return b.now })
	b.Sleep = func(d time.Duration) { b.now = b.now.Add(d) }
	v, err := heroku.Descriptor.Open(provider.Env{
		Transport: b, Now: func() time.Time { return b.now },
		Together: func(calls ...func() error) error {
			var errs []error
			for _, c := range calls {
				errs = append(errs, c())
			}
			return errors.Join(errs...)
		},
		Resolve: func(_ context.Context, refs sop.Refs) (secret.Value, provider.Source, error) {
			v, ok := b.Env()[strings.TrimPrefix(string(refs[0]), "env:")]
			if !ok {
				return secret.Value{}, provider.Source{}, fmt.Errorf("%s is not set", refs[0])
			}
			return secret.New(v), provider.Source{Ref: refs[0]}, nil
		},
	}, "heroku", json.RawMessage(`{"token":["env:HEROKU_API_KEY"]}`))
	if err != nil {
		t.Fatal(err)
	}
	return b, v
}

func consumer(t *testing.T, v provider.Vendor, settings string) provider.Consumer {
	t.Helper()
	c, err := v.(provider.Consumes).Consumer(json.RawMessage(settings))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func snapshot(t *testing.T, c provider.Consumer, slots ...string) provider.Snapshot {
	t.Helper()
	s, err := c.Snapshot(t.Context(), slots)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// said reports whether one of the texts has all the words.
func said(texts []string, words ...string) bool {
	for _, text := range texts {
		all := true
		for _, w := range words {
			all = all && strings.Contains(text, w)
		}
		if all {
			return true
		}
	}
	return false
}

// TestErrorsSayWhatAPersonCanDo: a second factor and single sign-on are answers
// that no program can give.
func TestErrorsSayWhatAPersonCanDo(t *testing.T) {
	for id, want := range map[string]struct {
		status int
		class  cred.Class
		words  string
	}{
		"two_factor":   {403, cred.Denied, "a second factor, which only a person has"},
		"unauthorized": {401, cred.Denied, "through single sign-on ends after 8 hours"},
		"forbidden":    {403, cred.Denied, "lacks a scope"},
		"delinquent":   {402, cred.Refused, "unpaid bills"},
	} {
		b, v := open(t)
		b.Inject(sim.Fault{Vendor: "heroku", Endpoint: "config-vars", Status: want.status, ID: id})
		_, err := consumer(t, v, `{"app":"raxx-console-prod"}`).Snapshot(t.Context(), []string{"X"})
		if cred.ClassOf(err) != want.class || !strings.Contains(err.Error(), want.words) {
			t.Errorf("%s: %s: %v", id, cred.ClassOf(err), err)
		}
	}
}
