package providertest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/vendorhttp"
)

// printed is an error in every way in which one is printed.
func printed(err error) string {
	var b strings.Builder
	for e := err; e != nil; e = errors.Unwrap(e) {
		fmt.Fprintf(&b, "%v %+v %#v %q\n", e, e, e, e)
	}
	return b.String()
}

// hostile: every call meets every bad answer over HTTP.
func (s *suite) hostile(t T, effectsOnly bool) {
	when := func(r *http.Request) bool { return !s.login(r) }
	if effectsOnly {
		when = func(r *http.Request) bool { return vendorhttp.Changes(r) && !s.login(r) }
	}
	for _, o := range s.bench(t).ops(t) {
		if effectsOnly && !o.effect || s.requests(t, o) == 0 {
			continue
		}
		for _, a := range s.answers() {
			if a.shape && s.AnyJSON || a.write && !effectsOnly {
				continue
			}
			t.Run(o.name+"/"+a.name, func(t T) {
				b := s.bench(t)
				op := b.find(t, o.name)
				n := b.tap()
				n.bad, n.when = a.respond, when
				c := b.on(t, n)
				_, err := op.do(t.Context(), c)
				s.answered(t, op, a, err, effectsOnly)
				if again := n.twice(nil); again != "" {
					t.Errorf("sent twice: %s", again)
				}
				s.met[string(request)]++
				s.clean(t, b, n, c, err)
			})
		}
	}
}

// requests is how many the operation sends, besides a login.
func (s *suite) requests(t T, o op) int {
	t.Helper()
	b := s.bench(t)
	op := b.find(t, o.name)
	n := b.tap()
	if _, err := op.do(t.Context(), b.on(t, n)); err != nil {
		t.Fatalf("%s: %v", o.name, err)
	}
	return n.count(request)
}

// answered holds an error against what the answer means.
func (s *suite) answered(t T, o op, a answer, err error, effectsOnly bool) {
	t.Helper()
	got, classified := class(err)
	switch {
	case err == nil:
		t.Errorf("it calls that done")
		return
	case o.probe:
		return
	case !classified:
		t.Errorf("%v is not classified", err)
	case s.Login != "" && a.name == "401" && got == cred.Limited:
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
}

func (s *suite) login(r *http.Request) bool {
	return s.Login != "" && strings.Contains(r.URL.Path, s.Login)
}

// loginFails: whatever a login answers, nothing else was sent, so nothing was
// applied, and that is how it is classified.
func (s *suite) loginFails(t T) {
	for _, o := range s.bench(t).ops(t) {
		for _, a := range s.answers() {
			if a.shape && s.AnyJSON {
				continue
			}
			b := s.bench(t)
			op := b.find(t, o.name)
			n := b.tap()
			n.bad, n.when = a.respond, s.login
			c := b.on(t, n)
			_, err := op.do(t.Context(), c)
			if got, ok := class(err); !ok || !got.NotApplied() || len(n.sent) != 1 {
				t.Errorf("%s, %s: %s after %d requests: %v", o.name, a.name, got, len(n.sent), err)
			}
			s.clean(t, b, n, c, err)
		}
	}
}
