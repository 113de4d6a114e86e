package providertest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"rekey/internal/claims"
	"rekey/internal/cred"
	"rekey/internal/provider"
)

// says: the descriptor is whole, sheet and code agree, the harness tries every role,
// and the page has what a reader looks for.
func (s *suite) says(t T) {
	v := s.Vendor
	if v.Doc != "" {
		for _, heading := range append([]string{"## What it needs", "## What it reads and writes", "## Worth knowing"}, s.Sections...) {
			if !strings.Contains(v.Doc, "\n"+heading+"\n") {
				t.Errorf("doc.md has no %q", heading)
			}
		}
	}
	if len(v.Issuers) == 0 && v.Store == nil && v.Consumer == nil {
		t.Errorf("the descriptor names no role: neither an issuer, nor a store, nor a consumer")
	}
	if len(v.Issuers) != len(s.Issuers) || (v.Store == nil) != (s.Store == "") || (v.Consumer == nil) != (s.Consumer == "") {
		t.Errorf("the harness does not try every role that the descriptor names")
	}
	for _, sheet := range v.Issuers {
		if s.Issuers[sheet.Kind] == "" || sheet.Settings == nil {
			t.Errorf("the sheet of %s has no settings", sheet.Kind)
		}
		if sheet.NameChars != "" {
			if _, err := regexp.Compile("[" + sheet.NameChars + "]"); err != nil {
				t.Fatalf("the sheet of %s: name characters: %v", sheet.Kind, err)
			}
		}
	}
	b := s.bench(t)
	e, _ := b.env(b.tap(), b.value)
	opened, err := v.Open(e, v.Name, b.fill(s.Connection))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	if err := claims.Vendor(v, opened); err != nil {
		t.Errorf("%v", err)
	}
	if _, ok := opened.(provider.Refers); ok && s.Refer == "" {
		t.Errorf("references may name what it holds, and the harness names none (Refer)")
	}
	c := b.on(t, b.tap())
	for _, sheet := range v.Issuers {
		if i := c.issuers[sheet.Kind]; i != nil {
			if err := claims.Issuer(v.Name, sheet, i); err != nil {
				t.Errorf("%v", err)
			}
		}
	}
	if c.store != nil {
		if err := claims.Holding(v.Name, "store", v.Keeps, c.store); err != nil {
			t.Errorf("%v", err)
		}
	}
	if c.consumer != nil {
		if err := claims.Holding(v.Name, "consumer", v.Holds, c.consumer); err != nil {
			t.Errorf("%v", err)
		}
	}
	unusable := []string{`{`, `[]`}
	if v.Base != "" {
		unusable = append(unusable, `{"base_url":7}`)
	}
	for _, bad := range unusable {
		if _, err := v.Open(e, v.Name, json.RawMessage(bad)); err == nil || !strings.Contains(err.Error(), v.Name) {
			t.Errorf("settings %s are not refused in the name of %s: %v", bad, v.Name, err)
		}
	}
}

// works: every call does what it is for, in uses that are bounded, told, sent once,
// and carry no secret where others see it.
func (s *suite) works(t T) {
	for _, o := range s.bench(t).ops(t) {
		t.Run(o.name, func(t T) {
			b := s.bench(t)
			op := b.find(t, o.name)
			n := b.tap()
			n.judged = true
			c := b.on(t, n)
			if _, err := op.do(t.Context(), c); err != nil {
				t.Fatalf("%v", err)
			}
			s.did[op.role]++
			calls := c.told.all()
			overHTTP, changed := 0, false
			for _, call := range calls {
				changed = changed || call.Changes
				if call.Method != "" {
					overHTTP++
				}
			}
			switch {
			case len(n.uses) == 0 && op.idle:
			case len(n.uses) == 0:
				t.Errorf("it reached for nothing outside: no request, connection, program or file")
			case len(calls) == 0:
				t.Errorf("nothing was told of %v: call Env.Look or Env.Change", n.uses)
			case overHTTP != len(n.sent):
				t.Errorf("%d requests, %d of them told", len(n.sent), overHTTP)
			case op.effect != changed:
				t.Errorf("it is meant to change something: %v; by what it tells it does: %v: %+v", op.effect, changed, calls)
			case !op.effect && n.count(write) > 0:
				t.Errorf("it only looks, and wrote a file")
			}
			s.clean(t, b, n, c, nil)
		})
	}
}

// lacks: what the service has no route for is told as absent, not passed over.
func (s *suite) lacks(t T) {
	b := s.bench(t)
	for _, o := range b.every(t) {
		if slices.Contains(s.Lacks, o.name) {
			o.ready(t)
			if _, err := o.do(t.Context(), b.on(t, b.tap())); cred.ClassOf(err) != cred.Absent {
				t.Errorf("%s: %v", o.name, err)
			}
		}
	}
}

// repeats: what is called idempotent is so.
func (s *suite) repeats(t T) {
	for _, o := range s.bench(t).ops(t) {
		if !o.again {
			continue
		}
		b := s.bench(t)
		op := b.find(t, o.name)
		n := b.tap()
		n.judged = true
		c := b.on(t, n)
		for i := range 2 {
			if _, err := op.do(t.Context(), c); err != nil {
				t.Errorf("%s, time %d: %v", o.name, i+1, err)
			}
		}
	}
}

// together: reads may run side by side; the race detector looks on.
func (s *suite) together(t T) {
	b := s.bench(t)
	c := b.on(t, b.tap())
	var wg sync.WaitGroup
	for _, o := range b.ops(t) {
		for range 4 {
			if !o.effect {
				o.ready(t)
				wg.Go(func() {
					if _, err := o.do(context.Background(), c); err != nil {
						t.Errorf("%s: %v", o.name, err)
					}
				})
			}
		}
	}
	wg.Wait()
}

// speaks: all that passed between the driver and its double so far was as the vendor
// publishes it.
func (s *suite) speaks(t T) {
	if s.Judge == nil {
		t.Logf("nothing is published of what it says, or nobody holds it against that")
		return
	}
	for _, v := range s.Judge.Violations() {
		t.Errorf("%s", v)
	}
	counts := s.Judge.Counts()
	for _, op := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%6d  %s", counts[op], op)
	}
	if len(counts) < s.Least {
		t.Errorf("only %d operations were seen", len(counts))
	}
}

// whole: every role was tried and something went wrong at each kind of use; a suite
// that ran nothing is none that was passed.
func (s *suite) whole(t T) {
	var roles []string
	for _, sheet := range s.Vendor.Issuers {
		roles = append(roles, sheet.Kind)
	}
	if s.Vendor.Store != nil {
		roles = append(roles, inStore)
	}
	if s.Vendor.Consumer != nil {
		roles = append(roles, inConsumer)
	}
	if s.Refer != "" {
		roles = append(roles, inRefer)
	}
	for _, r := range roles {
		if s.did[r] == 0 {
			t.Errorf("no operation of %s was carried out", r)
		}
	}
	if len(s.did) == 0 {
		t.Errorf("no operation was carried out at all")
	}
	if len(s.met) == 0 {
		t.Errorf("no fault was met: what the driver does when its vendor is not well was not tried")
	}
	t.Logf("operations carried out %v, faults met %v", s.did, s.met)
}

// clean: no secret in an error, however it is printed, in what is told of calls,
// or in an address; everything has a deadline; nobody is followed elsewhere.
func (s *suite) clean(t T, b *bench, n *tap, c cast, err error) {
	t.Helper()
	texts := map[string]string{"what is told of calls": fmt.Sprintf("%+v", c.told.all()), "an address": strings.Join(n.sent, "\n"), "the error": printed(err)}
	for where, text := range texts {
		for what, v := range b.secrets() {
			if v.In(text) {
				t.Errorf("%s stands in %s: %s", what, where, text)
			}
		}
	}
	if strings.Contains(texts["an address"], "elsewhere.example.com") {
		t.Errorf("it followed a redirect, with its credential")
	}
	if len(n.loose) > 0 {
		t.Errorf("without a deadline: %v", n.loose)
	}
}
