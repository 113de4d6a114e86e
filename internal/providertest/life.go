package providertest

import (
	"context"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/outside"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
)

// Live is the variable that points a conformance run at the real service:
// REKEY_LIVE=cloudflare go test ./internal/provider/cloudflare -run Conform/live -v
const Live = "REKEY_LIVE"

// life plays the life cycle on the double.
func (s *suite) life(t T) {
	b := s.bench(t)
	n := b.tap()
	n.judged = true
	life{s: s, b: b, c: b.on(t, n), slots: s.Slots}.play(t)
}

// live plays it on the real service with throwaway credentials; it cleans up
// what an earlier one left, and after itself. docs/vendors says how to set it up.
func (s *suite) live(t T) {
	if os.Getenv(Live) != s.Vendor.Name {
		t.Skipf("NOT TRIED ON THE REAL %s: set %s=%s and throwaway credentials (docs/vendors/%s.md)", strings.ToUpper(s.Vendor.Name), Live, s.Vendor.Name, s.Vendor.Name)
	}
	real := *s
	if v := os.Getenv(Live + "_STORE"); v != "" {
		real.Store = v
	}
	if v := os.Getenv(Live + "_CONSUMER"); v != "" {
		real.Consumer = v
	}
	set := map[string]string{}
	for _, v := range os.Environ() {
		name, value, _ := strings.Cut(v, "=")
		set[name] = value
	}
	real.Double = func(T) *Double {
		return &Double{Transport: realNetwork(), Ways: outside.Real{}, Env: set}
	}
	b := real.bench(t)
	l := life{s: &real, b: b, c: b.on(t, b.tap()), slots: []string{"REKEY_CONFORMANCE_A", "REKEY_CONFORMANCE_B"}}
	l.play(t)
}

func realNetwork() http.RoundTripper {
	return vendorhttp.NewTransport(vendorhttp.Proxies(os.Getenv))
}

// life is one pass through all that a vendor's things go through.
type life struct {
	s     *suite
	b     *bench
	c     cast
	slots []string
}

func (l life) play(t T) {
	for _, sheet := range l.s.Vendor.Issuers {
		if i := l.c.issuers[sheet.Kind]; i != nil {
			t.Run(sheet.Kind, func(t T) { l.issuer(t, sheet, i) })
		}
	}
	if l.c.store != nil {
		t.Run("store", l.store)
	}
	if l.c.consumer != nil {
		t.Run("consumer", l.consumer)
	}
	if l.c.refers != nil {
		t.Run("refers", func(t T) {
			if _, err := l.c.refers.Refer(t.Context(), string(l.b.fill(l.s.Refer))+"-that-is-not-there"); err == nil {
				t.Errorf("a reference that leads nowhere has a value")
			}
		})
	}
}

func (l life) now() time.Time { return l.b.d.Now() }

// values are those that a life cycle writes, by slot.
func (l life) values(v string) []provider.SlotValue {
	var out []provider.SlotValue
	for _, s := range l.slots {
		out = append(out, provider.SlotValue{Slot: s, Value: secret.New(v + " of " + s), Stamp: map[string]string{"run": "conformance"}})
	}
	return out
}

// until asks, for at most so many seconds of the world, until a question has the answer yes.
func (l life) until(t T, seconds int, what string, ask func() bool) {
	t.Helper()
	for n := 0; !ask(); n++ {
		if n == seconds {
			t.Fatalf("%s: not within %d looks", what, seconds)
		}
		l.b.d.Wait(time.Second)
	}
}

// applied makes what was written effective, where that is a step of its own.
func applied(ctx context.Context, holder any, slots []string) error {
	if a, ok := holder.(provider.Applier); ok {
		return a.Apply(ctx, slots)
	}
	return nil
}

// listed waits until a generation is, or is no longer, in the list.
func (l life) listed(t T, i provider.Issuer, id string, want bool) (list []cred.Handle) {
	t.Helper()
	what := "its list has what was made, by id " + id
	if !want {
		what = "its list no longer has what was revoked, by id " + id
	}
	l.until(t, 30, what, func() bool {
		var err error
		if list, err = i.List(t.Context()); err != nil {
			t.Fatalf("%v", err)
		}
		return slices.ContainsFunc(list, func(h cred.Handle) bool { return h.ID == id }) == want
	})
	return list
}
