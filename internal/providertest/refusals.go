package providertest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/vendorhttp"
)

var errOthers = errors.New("the run is another process's now")

// fenced: right before it changes something, a driver asks whether the run is still
// this process's, and changes nothing if it is not.
func (s *suite) fenced(t T) {
	for _, o := range s.bench(t).ops(t) {
		if !o.effect {
			continue
		}
		b := s.bench(t)
		op := b.find(t, o.name)
		good := b.on(t, b.tap())
		before := b.state(t, good, op.role)
		n := b.tap()
		e, seen := b.env(n, b.value)
		asked := 0
		e.Ours = func(context.Context) error { asked++; return errOthers }
		e.Transport = fence{n, e.Ours}
		if b.d.Person != nil {
			e.Person = b.d.Person(e.Transport, b.d.Now, seen.note)
		}
		c, err := b.open(e)
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		c.told = seen
		_, err = op.do(t.Context(), c)
		switch after := b.state(t, good, op.role); {
		case err == nil:
			t.Errorf("%s: the run is another's, and it calls that done", o.name)
		case asked == 0:
			t.Errorf("%s: it asks nobody whether the run is still this process's: call Env.Change", o.name)
		case before != after:
			t.Errorf("%s: the run is another's, and it changed\n%s\nto\n%s", o.name, before, after)
		}
	}
}

// fence is vendorhttp.Fence, with a login let through: of that the run is nobody's.
type fence struct {
	next http.RoundTripper
	ours func(context.Context) error
}

func (f fence) RoundTrip(req *http.Request) (*http.Response, error) {
	if !vendorhttp.Changes(req) {
		return f.next.RoundTrip(req)
	}
	return vendorhttp.Fence{Next: f.next, Ours: f.ours}.RoundTrip(req)
}

// unset: without a credential nothing is sent, and the reference is named.
func (s *suite) unset(t T) {
	tried := false
	for _, o := range s.bench(t).ops(t) {
		b := s.bench(t)
		op := b.find(t, o.name)
		if op.probe || !s.ByHand && !s.needs(t, o.name) {
			continue // it brings its own, or needs none
		}
		tried = true
		n := b.tap()
		e, seen := b.env(n, func(name string) (string, bool) {
			v, ok := b.value(name)
			return v, ok && slices.Contains(b.d.Printable, name)
		})
		want := "env:"
		if s.ByHand {
			e.Person, want = nil, "run it on a terminal"
		}
		c, err := b.open(e)
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		c.told = seen
		_, err = op.do(t.Context(), c)
		if got, ok := class(err); got != cred.Unsent || !ok || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "denied") {
			t.Errorf("%s: %s: %v", o.name, got, err)
		}
		if len(n.uses) != 0 {
			t.Errorf("%s: used %v %v", o.name, n.uses, n.sent)
		}
	}
	if !tried {
		t.Logf("it needs no secret to reach what it talks to")
	}
}

// needs reports whether an operation asks for a secret to reach what it talks to.
func (s *suite) needs(t T, name string) bool {
	t.Helper()
	b := s.bench(t)
	op := b.find(t, name)
	b.named = nil
	if _, err := op.do(t.Context(), b.on(t, b.tap())); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return len(b.named) > 0
}

// holding is how a store or a consumer holds values.
func (s *suite) holding(role string) provider.Holding {
	if role == inStore {
		return s.Vendor.Keeps
	}
	return s.Vendor.Holds
}
