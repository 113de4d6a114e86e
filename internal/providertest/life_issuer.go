package providertest

import (
	"context"
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// issuer: made, found by its label, known by its bundle, proven, switched off and on,
// rolled, revoked, gone, and absent when revoked again.
func (l life) issuer(t T, sheet provider.Sheet, i provider.Issuer) {
	ctx := t.Context()
	before, err := i.List(ctx)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, h := range before {
		if start := named(sheet, ""); sheet.Label && len(start) > 5 && strings.HasPrefix(h.Name, start) {
			t.Logf("an earlier run left %s; revoked now", h.Name)
			if err := i.Revoke(ctx, h); err != nil {
				t.Fatalf("%v", err)
			}
		}
	}
	var like cred.Handle
	if len(before) > 0 {
		like = before[len(before)-1]
	} else if _, copies := i.(provider.Copier); copies || !sheet.Create {
		t.Fatalf("there is none to make another after")
	}
	h, b := like, secret.Bundle(nil)
	if sheet.Create {
		name := named(sheet, l.now().UTC().Format("20060102-150405"))
		if h, b, err = create(ctx, i, name, like); err != nil {
			t.Fatalf("%v", err)
		}
		defer func() { _ = i.Revoke(context.WithoutCancel(ctx), h) }()
		l.made(t, sheet, i, name, h, b, before)
	}
	if s, ok := i.(provider.Switcher); ok && sheet.Disable {
		for _, on := range []bool{false, true} {
			if got, err := s.Switch(ctx, h, on); err != nil || got.Disabled == on {
				t.Errorf("switched on %v: disabled %v: %v", on, got.Disabled, err)
			}
		}
	}
	if sheet.Roll != "" {
		h, b = l.rolled(t, sheet, i, h, b)
		if u, ok := i.(provider.Unroller); ok && sheet.Lingers {
			h, b = l.unrolled(t, sheet, i, u, h, b)
		}
	}
	if !sheet.Create {
		return // it is the only one
	}
	if err := i.Revoke(ctx, h); err != nil {
		t.Fatalf("%v", err)
	}
	l.listed(t, i, h.ID, false)
	l.proves(t, sheet, i, h, b, false)
	if got := cred.ClassOf(i.Revoke(ctx, h)); got != cred.Absent {
		t.Errorf("revoked again: %s", got)
	}
	if f, ok := i.(provider.Finder); ok {
		if _, err := f.Find(ctx, h); cred.ClassOf(err) != cred.Absent {
			t.Errorf("looked for after it was revoked: %v", err)
		}
	}
	l.names(t, sheet, like)
}

// made holds a new one against its sheet.
func (l life) made(t T, sheet provider.Sheet, i provider.Issuer, name string, h cred.Handle, b secret.Bundle, before []cred.Handle) {
	ctx := t.Context()
	list := l.listed(t, i, h.ID, true)
	if sheet.Label && h.Name != name {
		t.Errorf("it was to be named %q, and is named %q", name, h.Name)
	}
	if sheet.OwnScope && len(list) != len(before)+1 {
		t.Errorf("in a scope that is ours alone there were %d, one was made, and there are %d", len(before), len(list))
	}
	if !h.Created.IsZero() && l.now().Sub(h.Created).Abs() > 10*time.Minute {
		t.Errorf("made now, and it says at %s", h.Created)
	}
	for _, f := range b.Fields() {
		if !slices.Contains(sheet.Fields, f) && !slices.Contains(sheet.Optional, f) {
			t.Errorf("it has a field %s that the sheet does not name", f)
		}
	}
	owner, err := i.Owner(ctx, b, list)
	if err != nil || owner != h.ID {
		t.Errorf("its bundle belongs to %q: %v", owner, err)
	}
	if other, err := i.Owner(ctx, secret.Bundle{}, list); err != nil || other != "" {
		t.Errorf("an empty bundle belongs to %q: %v", other, err)
	}
	l.proves(t, sheet, i, h, b, true)
	for _, listed := range l.listed(t, i, h.ID, true) {
		if !sheet.LastSeen && !listed.LastSeen.IsZero() {
			t.Errorf("it tells when %s was last used, and the sheet says that it does not", listed.Name)
		}
	}
}

// rolled: another secret in place; with a grace the one before works on until its
// time, or until it is ended.
func (l life) rolled(t T, sheet provider.Sheet, i provider.Issuer, h cred.Handle, old secret.Bundle) (cred.Handle, secret.Bundle) {
	ctx := t.Context()
	got, b, err := roll(ctx, i, h, l.b.grace(sheet))
	if err != nil {
		t.Fatalf("rolled: %v", err)
	}
	if got.ID != h.ID || !b.Complete(sheet.Fields) {
		t.Errorf("rolled in place, it has the id %q instead of %q, and the fields %v", got.ID, h.ID, b.Fields())
	}
	l.proves(t, sheet, i, got, b, true)
	if sheet.Roll != "roll with grace" {
		if old != nil {
			l.proves(t, sheet, i, got, old, false)
		}
		return got, b
	}
	if old != nil {
		l.proves(t, sheet, i, got, old, true)
	}
	if sheet.Lingers != got.Previous.IsZero() {
		t.Errorf("the sheet says that a grace has no end by itself: %v; it ends at %s", sheet.Lingers, got.Previous)
	}
	if r, ok := i.(provider.Roller); ok {
		if got, err = r.Keep(ctx, got, l.now().Add(-time.Second)); err != nil {
			t.Fatalf("the grace is ended: %v", err)
		}
	}
	if old != nil {
		l.proves(t, sheet, i, got, old, false)
	}
	l.proves(t, sheet, i, got, b, true)
	return got, b
}

// unrolled: after a roll the one before is the only one again. One that cannot do that
// refuses, with nothing changed.
func (l life) unrolled(t T, sheet provider.Sheet, i provider.Issuer, u provider.Unroller, h cred.Handle, old secret.Bundle) (cred.Handle, secret.Bundle) {
	ctx := t.Context()
	_, b, err := roll(ctx, i, h, l.b.grace(sheet))
	if err != nil {
		t.Fatalf("rolled once more: %v", err)
	}
	got, err := u.Unroll(ctx, h, old)
	if cred.ClassOf(err) == cred.Refused {
		l.proves(t, sheet, i, h, old, true)
		l.proves(t, sheet, i, h, b, true)
		if r, ok := i.(provider.Roller); ok {
			if h, err = r.Keep(ctx, h, l.now().Add(-time.Second)); err != nil {
				t.Fatalf("the one before is ended: %v", err)
			}
		}
		return h, b
	}
	for try := range 2 {
		if err != nil || got.ID != h.ID {
			t.Fatalf("taken back for time %d: it has the id %q instead of %q: %v", try+1, got.ID, h.ID, err)
		}
		l.proves(t, sheet, i, got, old, true)
		l.proves(t, sheet, i, got, b, false)
		got, err = u.Unroll(ctx, h, old)
	}
	if _, err := u.Unroll(ctx, h, b); cred.ClassOf(err) != cred.Refused {
		t.Errorf("what is none of its secrets any more is to be left as the only one: %v", err)
	}
	l.proves(t, sheet, i, got, old, true)
	return got, old
}

// proves: what tells whether a bundle works tells it, and tells a made-up one and
// none from a good one, and sends it nowhere else.
func (l life) proves(t T, sheet provider.Sheet, i provider.Issuer, h cred.Handle, b secret.Bundle, works bool) {
	t.Helper()
	if m, ok := i.(provider.Maker); ok {
		l.works(t, m, h, b, works)
	}
	p, ok := i.(provider.Prober)
	if !ok || !sheet.Verifies {
		return
	}
	want := cred.Rejected
	if works {
		want = cred.Accepted
	}
	itself := sop.Probe{URL: sop.IssuerItself}
	for who, ask := range map[string]struct {
		b    secret.Bundle
		want cred.Verdict
	}{"the bundle": {b, want}, "a made-up one": {p.Wrong(), cred.Rejected}, "none": {nil, cred.Rejected}} {
		got, detail, err := p.Probe(t.Context(), itself, ask.b)
		for n := 0; got != ask.want && n < 30; n++ {
			l.b.d.Wait(time.Second)
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

// works: a secret that we made is told from another one that we made.
func (l life) works(t T, m provider.Maker, h cred.Handle, b secret.Bundle, want bool) {
	t.Helper()
	other, err := m.Make(h.Name)
	if err != nil {
		t.Fatalf("make a secret: %v", err)
	}
	for f, v := range other {
		if v.Equal(b[f]) && v.Present() && !slices.Contains(publicOf(l.s, f), f) {
			t.Errorf("two secrets that were made have the same %s", f)
		}
	}
	if yes, err := m.Works(t.Context(), h, other); yes || err != nil {
		t.Errorf("another secret works: %v, %v", yes, err)
	}
	var yes bool
	for n := 0; n < 30; n++ {
		if yes, err = m.Works(t.Context(), h, b); err == nil && yes == want {
			return
		}
		l.b.d.Wait(time.Second)
	}
	t.Errorf("whether it works is told as %v, want %v: %v", yes, want, err)
}

// publicOf returns the field if any sheet calls it no secret: a name is the same each time.
func publicOf(s *suite, field string) []string {
	for _, sheet := range s.Vendor.Issuers {
		if slices.Contains(sheet.Public, field) {
			return []string{field}
		}
	}
	return nil
}

// names: one as long as the sheet allows is kept whole, and a longer one is refused or
// kept whole, but never cut: by a name that was cut nothing is found again.
func (l life) names(t T, sheet provider.Sheet, like cred.Handle) {
	if !sheet.Label || sheet.NameMax == 0 {
		return
	}
	// What is published of names is broken here on purpose: nobody judges it.
	i := l.b.on(t, l.b.tap()).issuers[sheet.Kind]
	fits, exceeds := longest(sheet)
	for _, name := range []string{fits, exceeds} {
		h, b, err := create(t.Context(), i, name, like)
		switch {
		case err == nil && h.Name != name:
			t.Errorf("a name of %d characters became one of %d", len(name), len(h.Name))
		case err != nil && name == fits:
			t.Errorf("a name of %d characters, which the sheet allows: %v", len(name), err)
		case err != nil && cred.MayHaveHappened(err):
			t.Errorf("a name of %d characters, one more than the sheet allows, may have been taken: %v", len(name), err)
		}
		l.b.gave(sheet.Kind, b)
		if err == nil {
			if err := i.Revoke(t.Context(), h); err != nil {
				t.Errorf("clean up: %v", err)
			}
		}
	}
}
