// Package providertest is the conformance suite that every vendor passes, on its simulated double and, when asked to, on the real service.
package providertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rekey/internal/contract"
	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sim"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// Harness is all that a vendor brings; everything else follows from the roles
// that it plays.
type Harness struct {
	Vendor     provider.Descriptor
	Connection string            // as under vendors in rekey.yaml, as JSON, secrets as env:NAME
	Issuers    map[string]string // settings as JSON, by kind
	Store      string            // settings as JSON; "" if it is none
	Consumer   string            // settings as JSON; "" if it is none
	Slots      []string          // that store or consumer hold in the simulated world
	Login      string            // part of the path of its login, if it has one
	World      func(*sim.State)  // what the simulated world holds besides; nil: nothing
	AnyJSON    bool              // it has no error shape of its own: any JSON is taken for its answer
	ByHand     bool              // a person stands in for credentials
	Sections   []string          // headings that doc.md must have, besides the usual ones
	Lacks      []string          // calls for which the service of this world has no route; they have to say so

	contract *contract.Recorder // of the run at hand
}

// cast is one opened vendor with the roles that it plays.
type cast struct {
	issuers  map[string]provider.Issuer
	store    provider.Store
	consumer provider.Consumer
	surveys  provider.Surveys // nil: it cannot list what there is
	calls    *[]vendorhttp.Call
}

// env is what a vendor gets: one network, one source of values.
func env(network http.RoundTripper, now func() time.Time, value func(name string) (string, bool), calls *[]vendorhttp.Call, together func(...func() error) error) provider.Env {
	var mu sync.Mutex // the person and the vendor tell of their calls side by side
	observe := func(c vendorhttp.Call) {
		mu.Lock()
		defer mu.Unlock()
		*calls = append(*calls, c)
	}
	return provider.Env{
		Transport: network, Now: now, Together: together, Observe: observe,
		Person: sim.Person(network, now, observe),
		Resolve: func(_ context.Context, refs sop.Refs) (secret.Value, provider.Source, error) {
			for i, r := range refs {
				if v, ok := value(strings.TrimPrefix(string(r), "env:")); ok {
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
}

// open opens the vendor in all its roles.
func (h Harness) open(e provider.Env) (cast, error) {
	c := cast{issuers: map[string]provider.Issuer{}}
	v, err := h.Vendor.Open(e, h.Vendor.Name, json.RawMessage(h.Connection))
	if err != nil {
		return c, err
	}
	for kind, settings := range h.Issuers {
		issues, ok := v.(provider.Issues)
		if !ok {
			return c, errors.New("it has sheets and issues nothing")
		}
		if c.issuers[kind], err = issues.Issuer(kind, json.RawMessage(settings)); err != nil {
			return c, err
		}
	}
	c.surveys, _ = v.(provider.Surveys)
	if h.Store != "" {
		if c.store, err = v.(provider.Stores).Store(json.RawMessage(h.Store)); err != nil {
			return c, err
		}
	}
	if h.Consumer != "" {
		c.consumer, err = v.(provider.Consumes).Consumer(json.RawMessage(h.Consumer))
	}
	return c, err
}

// inOrder runs calls one after the other, so that they can be counted.
func inOrder(calls ...func() error) error {
	var errs []error
	for _, c := range calls {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// bench is a simulated world with the vendor on it.
type bench struct {
	h     Harness
	world *sim.World
	now   time.Time
}

func (h Harness) bench() *bench {
	b := &bench{h: h, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	b.world = sim.Open(sim.New(sim.Options{Seed: 7, Now: b.now}), func() time.Time { return b.now })
	if h.World != nil {
		b.world.Look(h.World)
	}
	b.world.Sleep = func(d time.Duration) { b.now = b.now.Add(d) }
	return b
}

// net is the way to the world: what passes is held against what the vendor
// publishes, where internal/contract knows it.
func (b *bench) net() http.RoundTripper { return b.h.contract.Around(b.world) }

func (b *bench) value(name string) (string, bool) {
	v, ok := b.world.Env()[name]
	return v, ok
}

// on opens the vendor with this network in front of the world.
func (b *bench) on(t *testing.T, network http.RoundTripper) cast {
	t.Helper()
	calls := &[]vendorhttp.Call{}
	c, err := b.h.open(env(network, func() time.Time { return b.now }, b.value, calls, inOrder))
	if err != nil {
		t.Fatal(err)
	}
	c.calls = calls
	return c
}

// op is one call of a role.
type op struct {
	name   string
	effect bool // it changes something
	again  bool // doing it twice is as doing it once
	do     func(context.Context, cast) error
}

// ops are all calls of all roles that the vendor plays, with what they need
// taken from the world as it is now.
func (b *bench) ops(t *testing.T) []op {
	t.Helper()
	good := b.on(t, b.net())
	var out []op
	for kind, i := range good.issuers {
		out = append(out, issuerOps(t, kind, i, b.now)...)
	}
	if good.store != nil {
		out = append(out, b.storeOps(t, good.store)...)
	}
	if good.consumer != nil {
		out = append(out, b.consumerOps()...)
	}
	if good.surveys != nil {
		out = append(out, op{"survey", false, true, survey})
	}
	if len(out) == 0 {
		t.Fatal("the vendor plays no role")
	}
	return slices.DeleteFunc(out, func(o op) bool { return slices.Contains(b.h.Lacks, o.name) })
}

// lacks: what the service has no route for is told as absent, not passed over.
func (h Harness) lacks(t *testing.T) {
	whole := h
	whole.Lacks = nil
	b := whole.bench()
	for _, o := range b.ops(t) {
		if !slices.Contains(h.Lacks, o.name) {
			continue
		}
		if err := o.do(t.Context(), b.on(t, b.net())); cred.ClassOf(err) != cred.Absent {
			t.Errorf("%s: %v", o.name, err)
		}
	}
}

// create makes one, after another where the issuer works like that.
func create(ctx context.Context, i provider.Issuer, name string, like cred.Handle) (cred.Handle, secret.Bundle, error) {
	if c, ok := i.(provider.Copier); ok {
		return c.CreateLike(ctx, name, like)
	}
	return i.Create(ctx, name)
}

func issuerOps(t *testing.T, kind string, good provider.Issuer, now time.Time) []op {
	t.Helper()
	ctx := t.Context()
	listed, err := good.List(ctx)
	if err != nil || len(listed) == 0 {
		t.Fatalf("%s: the world has none: %v", kind, err)
	}
	// One that nothing names, so that it may be ended.
	h, _, err := create(ctx, good, "rekey-conformance-of-the-suite", listed[0])
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	of := func(c cast) provider.Issuer { return c.issuers[kind] }
	out := []op{
		{kind + ": list", false, true, func(ctx context.Context, c cast) error { _, err := of(c).List(ctx); return err }},
		{kind + ": create", true, false, func(ctx context.Context, c cast) error {
			made, b, err := create(ctx, of(c), "rekey-conformance", listed[0])
			if err == nil && (made.ID == "" || len(b) == 0) {
				return errors.New("created, without handle or bundle")
			}
			return err
		}},
	}
	if _, ok := good.(provider.Adviser); ok {
		out = append(out, op{kind + ": advise", false, true, func(ctx context.Context, c cast) error {
			_, err := of(c).(provider.Adviser).Advise(ctx, h)
			return err
		}})
	}
	if _, ok := good.(provider.Switcher); ok {
		out = append(out, op{kind + ": switch off", true, true, func(ctx context.Context, c cast) error {
			_, err := of(c).(provider.Switcher).Switch(ctx, h, false)
			return err
		}})
	}
	if _, ok := good.(provider.Roller); ok {
		out = append(out, op{kind + ": roll", true, false, func(ctx context.Context, c cast) error {
			_, b, err := of(c).(provider.Roller).Roll(ctx, h, now.Add(time.Hour))
			if err == nil && len(b) == 0 {
				return errors.New("rolled, without a bundle")
			}
			return err
		}})
	}
	if a, ok := good.(provider.Admitter); ok {
		places, err := a.Places(ctx)
		if err != nil || len(places.Places) == 0 {
			t.Fatalf("%s: the world has no rules: %v", kind, err)
		}
		out = append(out,
			op{kind + ": places", false, true, func(ctx context.Context, c cast) error {
				_, err := of(c).(provider.Admitter).Places(ctx)
				return err
			}},
			op{kind + ": admit", true, true, func(ctx context.Context, c cast) error {
				_, err := of(c).(provider.Admitter).Admit(ctx, places.Places[0], h.ID)
				return err
			}},
			op{kind + ": dismiss", true, true, func(ctx context.Context, c cast) error {
				_, err := of(c).(provider.Admitter).Dismiss(ctx, places.Places[0], places.Places[0].Names[0])
				return err
			}})
	}
	return append(out, op{kind + ": revoke", true, false, func(ctx context.Context, c cast) error { return of(c).Revoke(ctx, h) }})
}

func (b *bench) storeOps(t *testing.T, good provider.Store) []op {
	t.Helper()
	held, err := good.Read(t.Context(), b.h.Slots)
	if err != nil || !held[b.h.Slots[0]].Present {
		t.Fatalf("the world's store does not hold %s: %v", b.h.Slots[0], err)
	}
	first := b.h.Slots[0]
	return append(asked(good, b.h.Slots), []op{
		{"store: read", false, true, func(ctx context.Context, c cast) error { _, err := c.store.Read(ctx, b.h.Slots); return err }},
		{"store: read version", false, true, func(ctx context.Context, c cast) error {
			_, err := c.store.ReadVersion(ctx, first, "1")
			return err
		}},
		{"store: history", false, true, func(ctx context.Context, c cast) error { return c.store.History(ctx, held) }},
		{"store: write", true, true, func(ctx context.Context, c cast) error {
			got, err := c.store.Write(ctx, b.values())
			if err == nil && !got[first].Value.Equal(secret.New(written)) {
				return errors.New("written, and the answer shows something else")
			}
			return err
		}},
		{"store: remove", true, true, func(ctx context.Context, c cast) error { return c.store.Remove(ctx, []string{first}) }},
	}...)
}

// asked are what a store may be asked besides.
func asked(good provider.Store, slots []string) []op {
	var out []op
	if _, ok := good.(provider.Foresight); ok {
		out = append(out, op{"store: foresee", false, true, func(ctx context.Context, c cast) error {
			var writes []provider.Intended
			for _, s := range slots {
				writes = append(writes, provider.Intended{Slot: s, Like: s})
			}
			_, err := c.store.(provider.Foresight).Foresee(ctx, writes)
			return err
		}})
	}
	if _, ok := good.(provider.Adviser); ok {
		out = append(out, op{"store: advise", false, true, func(ctx context.Context, c cast) error {
			_, err := c.store.(provider.Adviser).Advise(ctx, cred.Handle{})
			return err
		}})
	}
	return out
}

func (b *bench) consumerOps() []op {
	return []op{
		{"consumer: snapshot", false, true, func(ctx context.Context, c cast) error {
			_, err := c.consumer.Snapshot(ctx, b.h.Slots)
			return err
		}},
		{"consumer: progress", false, true, func(ctx context.Context, c cast) error {
			_, err := c.consumer.Progress(ctx, provider.Followed{}, b.h.Slots)
			return err
		}},
		{"consumer: write", true, true, func(ctx context.Context, c cast) error { return c.consumer.Write(ctx, b.values()) }},
	}
}

// survey lists everything and reads each place; together they hold something, and
// each tells by its own settings that it is meant.
func survey(ctx context.Context, c cast) error {
	places, err := c.surveys.Survey(ctx, false)
	held := 0
	for _, p := range places {
		spots, readErr := p.Read(ctx)
		err = errors.Join(err, readErr)
		for _, s := range spots {
			if held += len(s.Slots); s.Key == "" || !s.Is(s.Settings) {
				err = errors.Join(err, fmt.Errorf("%q does not know itself", s.Key))
			}
		}
	}
	if err == nil && held == 0 {
		return errors.New("it found nothing, and there is something")
	}
	return err
}

// written is what the suite writes: a secret like any other.
const written = Canary + "-written"

func (b *bench) values() []provider.SlotValue {
	var out []provider.SlotValue
	for _, s := range b.h.Slots {
		out = append(out, provider.SlotValue{Slot: s, Value: secret.New(written), Stamp: map[string]string{"run": "conformance"}})
	}
	return out
}

// class of an error as the procedure sees it; a plain error counts as unknown,
// and is a mistake of the vendor.
func class(err error) (cred.Class, bool) {
	var e *cred.Error
	return cred.ClassOf(err), err == nil || errors.As(err, &e)
}
