package providertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rekey/internal/contract"
	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/vendorhttp"
)

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	h.contract = contract.New()
	t.Run("what it says of itself", h.says)
	t.Run("works", h.works)
	t.Run("lacks", h.lacks)
	t.Run("repeats safely", h.repeats)
	t.Run("side by side", h.together)
	t.Run("bad answers", func(t *testing.T) {
		h.hostile(t, func(r *http.Request) bool { return !h.login(r) }, false)
	})
	t.Run("bad answers to what changes something", func(t *testing.T) {
		h.hostile(t, func(r *http.Request) bool { return r.Method != http.MethodGet && !h.login(r) }, true)
	})
	if h.Login != "" {
		t.Run("bad answers to the login", h.loginFails)
	}
	t.Run("waits no longer than it is told", h.cancelled)
	t.Run("without credentials", h.unset)
	t.Run("life cycle", h.simulated)
	t.Run("live", h.live)
	t.Run("speaks as published", h.speaks)
}

// speaks: all that passed between the vendor and its simulated double so far was
// as the vendor publishes it.
func (h Harness) speaks(t *testing.T) {
	for _, v := range h.contract.Violations() {
		t.Error(v)
	}
	counts := h.contract.Counts()
	for _, op := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%6d  %s", counts[op], op)
	}
	if h.Vendor.Name == "cloudflare" && len(counts) < 15 || h.Vendor.Name == "heroku" && len(counts) < 8 {
		t.Errorf("only %d operations were seen", len(counts))
	}
}

// says: the descriptor is whole, and the page has what a reader looks for.
func (h Harness) says(t *testing.T) {
	for _, heading := range append([]string{"## What it needs", "## What it reads and writes", "## Worth knowing"}, h.Sections...) {
		if !strings.Contains(h.Vendor.Doc, "\n"+heading+"\n") {
			t.Errorf("doc.md has no %q", heading)
		}
	}
	if len(h.Vendor.Issuers) != len(h.Issuers) || (h.Vendor.Store == nil) != (h.Store == "") || (h.Vendor.Consumer == nil) != (h.Consumer == "") {
		t.Error("the harness does not try every role that the descriptor names")
	}
	for _, s := range h.Vendor.Issuers {
		if h.Issuers[s.Kind] == "" || s.Settings == nil || len(s.Fields) == 0 || !s.Create && s.Roll == "" {
			t.Errorf("the sheet of %s is not whole", s.Kind)
		}
	}
	for _, bad := range []string{`{`, `[]`, `{"base_url":7}`} {
		broken := h
		broken.Connection = bad
		if _, err := broken.open(h.bench().env(nil)); err == nil || !strings.Contains(err.Error(), h.Vendor.Name) {
			t.Errorf("settings %s: %v", bad, err)
		}
	}
}

func (b *bench) env(n http.RoundTripper) provider.Env {
	return env(n, func() time.Time { return b.now }, b.value, &[]vendorhttp.Call{}, inOrder)
}

// works: every call does what it is for, in requests that are bounded, counted,
// sent once, and carry no secret in their address.
func (h Harness) works(t *testing.T) {
	for _, o := range h.bench().ops(t) {
		t.Run(o.name, func(t *testing.T) {
			b := h.bench()
			op := find(t, b, o.name)
			n := &network{world: b.net()}
			c := b.on(t, n)
			if err := op.do(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if len(n.sent) == 0 || len(*c.calls) != len(n.sent) {
				t.Errorf("%d requests, %d of them told", len(n.sent), len(*c.calls))
			}
			clean(t, b, n, c, nil)
			if op.effect == (readOnly(n.sent)) {
				t.Errorf("effect %v, but it sent %v", op.effect, n.sent)
			}
		})
	}
}

func readOnly(sent []string) bool {
	for _, s := range sent {
		if !strings.HasPrefix(s, "GET ") && !strings.Contains(s, "/login") {
			return false
		}
	}
	return true
}

func find(t *testing.T, b *bench, name string) op {
	t.Helper()
	for _, o := range b.ops(t) {
		if o.name == name {
			return o
		}
	}
	t.Fatalf("no call %s", name)
	return op{}
}

// repeats: what is called idempotent is so.
func (h Harness) repeats(t *testing.T) {
	for _, o := range h.bench().ops(t) {
		if !o.again {
			continue
		}
		b := h.bench()
		op := find(t, b, o.name)
		c := b.on(t, b.net())
		for i := range 2 {
			if err := op.do(t.Context(), c); err != nil {
				t.Errorf("%s, time %d: %v", o.name, i+1, err)
			}
		}
	}
}

// together: reads may run side by side; the race detector looks on.
func (h Harness) together(t *testing.T) {
	b := h.bench()
	c, err := h.open(b.env(&network{world: b.net()}))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, o := range b.ops(t) {
		for range 4 {
			if !o.effect {
				wg.Go(func() {
					if err := o.do(context.Background(), c); err != nil {
						t.Errorf("%s: %v", o.name, err)
					}
				})
			}
		}
	}
	wg.Wait()
}

// hostile: every call meets every bad answer.
func (h Harness) hostile(t *testing.T, when func(*http.Request) bool, effectsOnly bool) {
	for _, o := range h.bench().ops(t) {
		if effectsOnly && !o.effect {
			continue
		}
		for _, a := range answers {
			if a.shape && h.AnyJSON || a.write && !effectsOnly {
				continue
			}
			t.Run(o.name+"/"+a.name, func(t *testing.T) {
				b := h.bench()
				op := find(t, b, o.name)
				n := &network{world: b.net(), bad: a.respond, when: when}
				c := b.on(t, n)
				err := op.do(t.Context(), c)
				got, classified := class(err)
				switch {
				case err == nil:
					t.Error("it calls that done")
					return
				case !classified:
					t.Errorf("%v is not classified", err)
				case h.Login != "" && a.name == "401" && got == cred.Limited:
					// The session has ended; the next attempt logs in again.
				case !slices.Contains(a.classes, got):
					t.Errorf("%s, want one of %v: %v", got, a.classes, err)
				case got == cred.Limited && cred.RetryAfter(err) != 7*time.Second:
					t.Errorf("asked to wait 7s, it waits %s", cred.RetryAfter(err))
				}
				if effectsOnly && got != cred.Limited && cred.MayHaveHappened(err) != a.unproven {
					t.Errorf("whether it may have happened is told as %v: %v", cred.MayHaveHappened(err), err)
				}
				if !strings.Contains(err.Error(), a.says) {
					t.Errorf("it does not say %q: %v", a.says, err)
				}
				if again := n.twice(); again != "" {
					t.Errorf("sent twice: %s", again)
				}
				clean(t, b, n, c, err)
			})
		}
	}
}

func (h Harness) login(r *http.Request) bool {
	return h.Login != "" && strings.Contains(r.URL.Path, h.Login)
}

// loginFails: whatever a login answers, nothing else was sent, so nothing was
// applied, and that is how it is classified.
func (h Harness) loginFails(t *testing.T) {
	for _, o := range h.bench().ops(t) {
		for _, a := range answers {
			if a.shape && h.AnyJSON {
				continue
			}
			b := h.bench()
			op := find(t, b, o.name)
			n := &network{world: b.net(), bad: a.respond, when: h.login}
			c := b.on(t, n)
			err := op.do(t.Context(), c)
			if got, ok := class(err); !ok || !got.NotApplied() || len(n.sent) != 1 {
				t.Errorf("%s, %s: %s after %d requests: %v", o.name, a.name, got, len(n.sent), err)
			}
			clean(t, b, n, c, err)
		}
	}
}

// clean: no secret in an error, however it is printed, in what is told of calls,
// or in an address; every request has a deadline; nobody is followed elsewhere.
func clean(t *testing.T, b *bench, n *network, c cast, err error) {
	t.Helper()
	secrets := map[string]string{"the canary": Canary, "an id that is in no table": canaryID}
	for name, v := range b.world.Env() {
		if strings.Contains(name, "SECRET") || strings.Contains(name, "KEY") || strings.Contains(name, "MGMT") {
			secrets[name] = v
		}
	}
	texts := map[string]string{"what is told of calls": fmt.Sprintf("%+v", *c.calls), "an address": strings.Join(n.sent, "\n")}
	for e := err; e != nil; e = errors.Unwrap(e) {
		texts["the error"] += fmt.Sprintf("%v %+v %#v %q\n", e, e, e, e)
	}
	for where, text := range texts {
		for what, s := range secrets {
			if strings.Contains(text, s) {
				t.Errorf("%s stands in %s: %s", what, where, text)
			}
		}
	}
	if strings.Contains(texts["an address"], "elsewhere.example.com") {
		t.Error("it followed a redirect, with its credential")
	}
	if len(n.loose) > 0 {
		t.Errorf("without a deadline: %v", n.loose)
	}
}

// cancelled: a vendor that never answers holds nobody longer than the caller's
// own deadline, and what was sent may have happened. Time is virtual, so however
// busy the machine is, the request is out before the deadline.
func (h Harness) cancelled(t *testing.T) {
	const deadline = 20 * time.Millisecond
	for _, o := range h.bench().ops(t) {
		synctest.Test(t, func(t *testing.T) {
			b := h.bench()
			op := find(t, b, o.name)
			ctx, stop := context.WithTimeout(t.Context(), deadline)
			defer stop()
			begun := time.Now()
			err := op.do(ctx, b.on(t, &network{world: b.net(), when: func(r *http.Request) bool { return !h.login(r) }, bad: func(req *http.Request) (*http.Response, error) {
				<-req.Context().Done()
				return nil, req.Context().Err()
			}}))
			if got, ok := class(err); got != cred.Unknown || !ok {
				t.Errorf("%s: %s: %v", o.name, got, err)
			}
			if took := time.Since(begun); took != deadline {
				t.Errorf("%s: returned after %s", o.name, took)
			}
		})
	}
}

// unset: without a credential nothing is sent, and the reference is named.
func (h Harness) unset(t *testing.T) {
	for _, o := range h.bench().ops(t) {
		b := h.bench()
		op := find(t, b, o.name)
		n := &network{world: b.net()}
		e := env(n, func() time.Time { return b.now }, func(name string) (string, bool) {
			v, ok := b.value(name)
			// What is printable is set: account, project. What is secret is not.
			return v, ok && (strings.HasSuffix(name, "_ID") && !strings.Contains(name, "CLIENT"))
		}, &[]vendorhttp.Call{}, inOrder)
		want := "env:"
		if h.ByHand {
			e.Person, want = nil, "run it on a terminal"
		}
		c, err := h.open(e)
		if err != nil {
			t.Fatal(err)
		}
		err = op.do(t.Context(), c)
		if got, ok := class(err); got != cred.Unsent || !ok || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "denied") {
			t.Errorf("%s: %s: %v", o.name, got, err)
		}
		if len(n.sent) != 0 {
			t.Errorf("%s: sent %v", o.name, n.sent)
		}
	}
}
