package providertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// cast is one opened vendor with the roles that it plays.
type cast struct {
	issuers  map[string]provider.Issuer
	store    provider.Store
	consumer provider.Consumer
	surveys  provider.Surveys // nil: it cannot list what there is
	refers   provider.Refers  // nil: nothing refers to it
	told     *told
}

// told is what a driver tells of its calls.
type told struct {
	sync.Mutex // a person and a driver tell side by side
	calls      []vendorhttp.Call
	asked      int // how often it asked whether the run is still this process's
}

func (o *told) note(c vendorhttp.Call) {
	o.Lock()
	defer o.Unlock()
	o.calls = append(o.calls, c)
}

func (o *told) all() []vendorhttp.Call {
	o.Lock()
	defer o.Unlock()
	return slices.Clone(o.calls)
}

// bench is one world with the means to open the vendor on it.
type bench struct {
	s     *suite
	d     *Double
	named []string       // variables that were asked for as secrets
	given []secret.Value // secrets that came out of it
	mu    sync.Mutex
}

// bench starts a fresh world.
func (s *suite) bench(t T) *bench {
	t.Helper()
	if s.Double == nil {
		t.Fatalf("the harness has no Double: nothing to try the driver on")
	}
	d := s.Double(t)
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Wait == nil {
		d.Wait = time.Sleep
	}
	if d.Transport == nil && d.HTTP != nil {
		d.Transport = within{d.HTTP}
	}
	if d.Ways == nil {
		d.Ways = outside.Closed{}
	}
	return &bench{s: s, d: d}
}

// env is what the driver gets of this world, by way of tap.
func (b *bench) env(by *tap, value func(name string) (string, bool)) (provider.Env, *told) {
	seen := &told{}
	e := provider.Env{
		Transport: by, Outside: by, Now: b.d.Now, Together: inOrder, Observe: seen.note,
		Ours: func(context.Context) error {
			seen.Lock()
			defer seen.Unlock()
			seen.asked++
			return nil
		},
		Resolve: func(_ context.Context, refs sop.Refs) (secret.Value, provider.Source, error) {
			for i, r := range refs {
				name := strings.TrimPrefix(string(r), "env:")
				b.mu.Lock()
				b.named = append(b.named, name)
				b.mu.Unlock()
				if v, ok := value(name); ok {
					return secret.New(v), provider.Source{Ref: r, Fallback: i > 0}, nil
				}
			}
			return secret.Value{}, provider.Source{}, fmt.Errorf("none of %v is set", refs)
		},
		Text: func(t sop.Text) (string, error) {
			for _, x := range t {
				if name, ref := strings.CutPrefix(x, "env:"); !ref {
					return x, nil
				} else if v, ok := value(name); ok {
					return v, nil
				}
			}
			return "", fmt.Errorf("none of %v is set", t)
		},
	}
	if b.d.Person != nil {
		e.Person = b.d.Person(by, b.d.Now, seen.note)
	}
	return e, seen
}

func (b *bench) value(name string) (string, bool) {
	v, ok := b.d.Env[name]
	return v, ok
}

// secrets are all values that must not be printed, by what they are.
func (b *bench) secrets() map[string]secret.Value {
	out := map[string]secret.Value{"the canary": secret.New(Canary), "an id that is in no table": secret.New(canaryID)}
	for name, v := range b.d.Env {
		if !slices.Contains(b.d.Printable, name) {
			out[name] = secret.New(v)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, v := range b.given {
		out[fmt.Sprintf("secret %d that came out of it", i+1)] = v
	}
	return out
}

// gave notes what must not be seen again, the public fields aside.
func (b *bench) gave(kind string, bundle secret.Bundle) {
	sheet, _ := b.s.sheet(kind)
	b.mu.Lock()
	defer b.mu.Unlock()
	for f, v := range bundle {
		if !slices.Contains(sheet.Public, f) && v.Present() {
			b.given = append(b.given, v)
		}
	}
}

func (s *suite) sheet(kind string) (provider.Sheet, bool) {
	i := slices.IndexFunc(s.Vendor.Issuers, func(x provider.Sheet) bool { return x.Kind == kind })
	if i < 0 {
		return provider.Sheet{}, false
	}
	return s.Vendor.Issuers[i], true
}

// fill puts the world's own values into settings.
func (b *bench) fill(settings string) json.RawMessage {
	return json.RawMessage(os.Expand(settings, func(n string) string { return b.d.Env[n] }))
}

// open opens the vendor in all its roles.
func (b *bench) open(e provider.Env) (cast, error) {
	c := cast{issuers: map[string]provider.Issuer{}}
	h := b.s.Harness
	v, err := h.Vendor.Open(e, h.Vendor.Name, b.fill(h.Connection))
	if err != nil {
		return c, err
	}
	for kind, settings := range h.Issuers {
		issues, ok := v.(provider.Issues)
		if !ok {
			return c, errors.New("it has sheets and issues nothing")
		}
		if c.issuers[kind], err = issues.Issuer(kind, b.fill(settings)); err != nil {
			return c, err
		}
	}
	c.surveys, _ = v.(provider.Surveys)
	c.refers, _ = v.(provider.Refers)
	if h.Store != "" {
		stores, ok := v.(provider.Stores)
		if !ok {
			return c, errors.New("it has settings of a store and is none")
		}
		if c.store, err = stores.Store(b.fill(h.Store)); err != nil {
			return c, err
		}
	}
	if h.Consumer != "" {
		consumes, ok := v.(provider.Consumes)
		if !ok {
			return c, errors.New("it has settings of a consumer and is none")
		}
		c.consumer, err = consumes.Consumer(b.fill(h.Consumer))
	}
	return c, err
}

// on opens the vendor with tap between it and its world.
func (b *bench) on(t T, by *tap) cast {
	t.Helper()
	e, seen := b.env(by, b.value)
	c, err := b.open(e)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	c.told = seen
	return c
}

// inOrder runs calls one after the other, so that they can be counted.
func inOrder(calls ...func() error) error {
	var errs []error
	for _, c := range calls {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// class of an error as the procedure sees it; a plain error counts as unknown,
// and is a mistake of the driver.
func class(err error) (cred.Class, bool) {
	_, classified := errors.AsType[*cred.Error](err)
	return cred.ClassOf(err), err == nil || classified
}
