package providertest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// prefix of everything that a life cycle makes, so that a later one finds it.
const prefix = "rekey-conformance-"

// Live is the variable that points a conformance run at the real service:
// REKEY_LIVE=cloudflare go test ./internal/provider/cloudflare -run Conform/live -v
const Live = "REKEY_LIVE"

// simulated plays the life cycle on the simulated world.
func (h Harness) simulated(t *testing.T) {
	b := h.bench()
	l := life{h: h, c: b.on(t, b.net()), wait: func(d time.Duration) { b.now = b.now.Add(d) }, now: func() time.Time { return b.now }, slots: b.h.Slots}
	l.play(t)
}

// live plays it on the real service with throwaway credentials; it cleans up
// what an earlier one left, and after itself. docs/vendors says how to set it up.
func (h Harness) live(t *testing.T) {
	if os.Getenv(Live) != h.Vendor.Name {
		t.Skipf("NOT TRIED ON THE REAL %s: set %s=%s and throwaway credentials (docs/vendors/%s.md)", strings.ToUpper(h.Vendor.Name), Live, h.Vendor.Name, h.Vendor.Name)
	}
	value := func(name string) (string, bool) { return os.LookupEnv(name) }
	fill := func(settings string) string {
		return os.Expand(settings, func(n string) string { return os.Getenv(n) })
	}
	real := h
	if v := os.Getenv(Live + "_STORE"); v != "" {
		real.Store = v
	}
	if v := os.Getenv(Live + "_CONSUMER"); v != "" {
		real.Consumer = v
	}
	real.Store, real.Consumer = fill(real.Store), fill(real.Consumer)
	c, err := real.open(env(http.DefaultTransport, time.Now, value, &[]vendorhttp.Call{}, inOrder))
	if err != nil {
		t.Fatal(err)
	}
	l := life{h: real, c: c, wait: time.Sleep, now: time.Now, slots: []string{"REKEY_CONFORMANCE_A", "REKEY_CONFORMANCE_B"}}
	l.play(t)
}

// life is one pass through all that a vendor's things go through.
type life struct {
	h     Harness
	c     cast
	wait  func(time.Duration)
	now   func() time.Time
	slots []string

	verifies bool // the issuer at hand tells by itself whether a credential works
}

func (l life) play(t *testing.T) {
	for kind := range l.c.issuers {
		l.verifies = slices.ContainsFunc(l.h.Vendor.Issuers, func(s provider.Sheet) bool { return s.Kind == kind && s.Verifies })
		t.Run(kind, func(t *testing.T) { l.issuer(t, l.c.issuers[kind]) })
	}
	if l.c.store != nil {
		t.Run("store", l.store)
	}
	if l.c.consumer != nil {
		t.Run("consumer", l.consumer)
	}
}

// listed waits until a generation is, or is no longer, in the list.
func (l life) listed(t *testing.T, i provider.Issuer, id string, want bool) []cred.Handle {
	t.Helper()
	for range 30 {
		list, err := i.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(list, func(h cred.Handle) bool { return h.ID == id }) == want {
			return list
		}
		l.wait(time.Second)
	}
	t.Fatalf("listed is not %v within 30 looks", want)
	return nil
}

// issuer: made, found by its label, known by its bundle, switched off and on,
// revoked, gone, and absent when revoked again.
func (l life) issuer(t *testing.T, i provider.Issuer) {
	before, err := i.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range before {
		if strings.HasPrefix(h.Name, prefix) {
			t.Logf("an earlier run left %s; revoked now", h.Name)
			if err := i.Revoke(t.Context(), h); err != nil {
				t.Fatal(err)
			}
		}
	}
	name := prefix + l.now().UTC().Format("20060102-150405")
	var like cred.Handle
	if _, copies := i.(provider.Copier); copies {
		if len(before) == 0 {
			t.Fatal("there is none to make another after")
		}
		like = before[len(before)-1]
	}
	h, b, err := create(t.Context(), i, name, like)
	if err != nil {
		t.Fatal(err)
	}
	revoked := false
	defer func() {
		if !revoked {
			_ = i.Revoke(context.Background(), h)
		}
	}()
	list := l.listed(t, i, h.ID, true)
	if h.Name != name || !h.Created.IsZero() && l.now().Sub(h.Created).Abs() > 10*time.Minute {
		t.Errorf("made as %q at %s", h.Name, h.Created)
	}
	owner, err := i.Owner(t.Context(), b, list)
	if err != nil || owner != h.ID {
		t.Errorf("its bundle belongs to %q: %v", owner, err)
	}
	if other, err := i.Owner(t.Context(), secret.Bundle{}, list); err != nil || other != "" {
		t.Errorf("an empty bundle belongs to %q: %v", other, err)
	}
	l.proves(t, i, b, cred.Accepted)
	if s, ok := i.(provider.Switcher); ok {
		for _, on := range []bool{false, true} {
			if got, err := s.Switch(t.Context(), h, on); err != nil || got.Disabled == on {
				t.Errorf("switched on %v: disabled %v: %v", on, got.Disabled, err)
			}
		}
	}
	if err := i.Revoke(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	revoked = true
	l.listed(t, i, h.ID, false)
	l.proves(t, i, b, cred.Rejected)
	if got := cred.ClassOf(i.Revoke(t.Context(), h)); got != cred.Absent {
		t.Errorf("revoked again: %s", got)
	}
}

// proves: what the sheet says verifies itself does so, tells a made-up one and
// none from a good one, and sends it nowhere else.
func (l life) proves(t *testing.T, i provider.Issuer, b secret.Bundle, want cred.Verdict) {
	p, ok := i.(provider.Prober)
	if !ok || !l.verifies {
		return
	}
	itself := sop.Probe{URL: sop.IssuerItself}
	for who, ask := range map[string]struct {
		b    secret.Bundle
		want cred.Verdict
	}{"the bundle": {b, want}, "a made-up one": {p.Wrong(), cred.Rejected}, "none": {nil, cred.Rejected}} {
		got, detail, err := p.Probe(t.Context(), itself, ask.b)
		for n := 0; got != ask.want && n < 30; n++ {
			l.wait(time.Second)
			got, detail, err = p.Probe(t.Context(), itself, ask.b)
		}
		if got != ask.want || err != nil {
			t.Errorf("%s: %s (%s), want %s: %v", who, got, detail, ask.want, err)
		}
	}
	if got, _, err := p.Probe(t.Context(), sop.Probe{URL: "https://elsewhere.example.com"}, b); got != cred.Unclear || err == nil {
		t.Errorf("sent elsewhere: %s, %v", got, err)
	}
}

func (l life) values(v string) []provider.SlotValue {
	var out []provider.SlotValue
	for _, s := range l.slots {
		out = append(out, provider.SlotValue{Slot: s, Value: secret.New(v + " of " + s), Stamp: map[string]string{"run": "conformance"}})
	}
	return out
}

// store: written in one go, versions count up, an earlier value can be had, what
// was made can be removed, and a missing slot is not present. Its slots are new ones:
// of a name that was there before a store may keep versions of an earlier life.
func (l life) store(t *testing.T) {
	s := l.c.store
	l.slots = slices.Clone(l.slots)
	for i := range l.slots {
		l.slots[i] = fmt.Sprintf("REKEY_CONFORMANCE_%d_%d", l.now().Unix(), i)
	}
	if err := s.Remove(t.Context(), l.slots); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Remove(context.Background(), l.slots) }()
	held, err := s.Read(t.Context(), l.slots)
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range held {
		if h.Present {
			t.Errorf("%s is there after it was removed", name)
		}
	}
	var first map[string]provider.Held
	for _, v := range []string{"first: a=b \"${prod.X}\" ä", "second"} {
		written, err := s.Write(t.Context(), l.values(v))
		if err != nil {
			t.Fatal(err)
		}
		read, err := s.Read(t.Context(), l.slots)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range l.values(v) {
			if !written[want.Slot].Value.Equal(want.Value) || !read[want.Slot].Value.Equal(want.Value) || read[want.Slot].Version != written[want.Slot].Version {
				t.Errorf("%s: written %q as version %s, and it is something else in version %s", want.Slot, v, written[want.Slot].Version, read[want.Slot].Version)
			}
		}
		if first == nil {
			first = written
		} else if err := s.History(t.Context(), read); err != nil {
			t.Error(err)
		}
	}
	slot := l.slots[0]
	was, err := s.ReadVersion(t.Context(), slot, first[slot].Version)
	if err != nil || !was.Equal(first[slot].Value) {
		t.Errorf("version %s is something else now: %v", first[slot].Version, err)
	}
	if _, err := s.ReadVersion(t.Context(), slot, "4711"); err == nil {
		t.Error("a version that never was can be read")
	}
}

// consumer: written in one go, followed to its end, and written back.
func (l life) consumer(t *testing.T) {
	c := l.c.consumer
	before, err := c.Snapshot(t.Context(), l.slots)
	if err != nil {
		t.Fatal(err)
	}
	var back []provider.SlotValue
	for _, s := range l.slots {
		back = append(back, provider.SlotValue{Slot: s, Value: before.Slots[s].Value})
	}
	for _, values := range [][]provider.SlotValue{l.values("new"), back} {
		mark, err := c.Snapshot(t.Context(), l.slots)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Write(t.Context(), values); err != nil {
			t.Fatal(err)
		}
		p := provider.Progress{Class: cred.Waiting}
		for i := 0; p.Class == cred.Waiting && i < 300; i++ {
			l.wait(time.Second)
			if p, err = c.Progress(t.Context(), provider.Followed{Since: mark.Mark}, l.slots); err != nil {
				t.Fatal(err)
			}
		}
		if p.Class != cred.Done {
			t.Fatalf("%s: %s", p.Class, p.Detail)
		}
		for _, v := range values {
			if got := p.Slots[v.Slot]; got.Present != v.Value.Present() || !got.Value.Equal(v.Value) {
				t.Errorf("%s has settled on something else", v.Slot)
			}
		}
	}
}
