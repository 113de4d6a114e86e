package providertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// create makes one, after another where the issuer works like that, and with a secret
// of ours where we make it.
func create(ctx context.Context, i provider.Issuer, name string, like cred.Handle) (cred.Handle, secret.Bundle, error) {
	if m, ok := i.(provider.Maker); ok {
		b, err := m.Make(name)
		if err != nil {
			return cred.Handle{}, nil, fmt.Errorf("make a secret: %w", err)
		}
		h, err := m.CreateWith(ctx, name, b)
		return h, b, err
	}
	if c, ok := i.(provider.Copier); ok {
		return c.CreateLike(ctx, name, like)
	}
	return i.Create(ctx, name)
}

// roll gives one a new secret, one of ours where we make it.
func roll(ctx context.Context, i provider.Issuer, h cred.Handle, keep time.Time) (cred.Handle, secret.Bundle, error) {
	if m, ok := i.(provider.RollMaker); ok {
		b, err := m.Make(h.Name)
		if err != nil {
			return cred.Handle{}, nil, fmt.Errorf("make a secret: %w", err)
		}
		got, err := m.RollWith(ctx, h, keep, b)
		return got, b, err
	}
	return i.(provider.Roller).Roll(ctx, h, keep)
}

// grace is as long as the sheet allows, up to an hour; zero where there is none.
func (b *bench) grace(sheet provider.Sheet) time.Time {
	if sheet.Roll != "roll with grace" {
		return time.Time{}
	}
	d := time.Hour
	if sheet.GraceMax > 0 {
		d = min(d, sheet.GraceMax)
	}
	return b.d.Now().Add(d)
}

func (b *bench) issuerOps(t T, sheet provider.Sheet, good provider.Issuer) []op {
	t.Helper()
	kind := sheet.Kind
	of := func(c cast) provider.Issuer { return c.issuers[kind] }
	// One that nothing names, so that it may be ended; where no second one can be
	// made, the one that is there.
	var h, like cred.Handle
	var bundle secret.Bundle
	listed := sync.OnceFunc(func() {
		list, err := good.List(t.Context())
		if err != nil || len(list) == 0 {
			t.Fatalf("%s: the world has none, or does not tell: %v", kind, err)
		}
		h, like = list[len(list)-1], list[0]
	})
	made := sync.OnceFunc(func() {
		listed()
		if sheet.Create {
			var err error
			if h, bundle, err = create(t.Context(), good, named(sheet, "of the suite"), like); err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			b.gave(kind, bundle)
		}
	})
	out := []op{{role: kind, name: kind + ": list", again: true, do: func(ctx context.Context, c cast) (string, error) {
		l, err := of(c).List(ctx)
		if err == nil && len(l) == 0 {
			err = errors.New("the world has none")
		}
		return handles(l), err
	}}}
	if sheet.Create {
		out = append(out, op{role: kind, name: kind + ": create", effect: true, do: wholly(func(ctx context.Context, c cast) error {
			made, bundle, err := create(ctx, of(c), named(sheet, "another"), like)
			b.gave(kind, bundle)
			if err == nil && (made.ID == "" || !bundle.Complete(sheet.Fields)) {
				return errors.New("created, without a handle or without every field that the sheet names")
			}
			return err
		}), prep: func(T) { listed() }})
	}
	out = append(out, b.looks(sheet, good, &h, &bundle)...)
	if _, ok := good.(provider.Switcher); ok && sheet.Disable {
		out = append(out, op{role: kind, name: kind + ": switch off", effect: true, again: true, do: wholly(func(ctx context.Context, c cast) error {
			got, err := of(c).(provider.Switcher).Switch(ctx, h, false)
			if err == nil && !got.Disabled {
				return errors.New("switched off, and it says that it is on")
			}
			return err
		})})
	}
	if _, ok := good.(provider.Roller); ok && sheet.Roll != "" {
		out = append(out, op{role: kind, name: kind + ": roll", effect: true, do: wholly(func(ctx context.Context, c cast) error {
			_, bundle, err := roll(ctx, of(c), h, b.grace(sheet))
			b.gave(kind, bundle)
			if err == nil && !bundle.Complete(sheet.Fields) {
				return errors.New("rolled, without every field that the sheet names")
			}
			return err
		})})
	}
	if a, ok := good.(provider.Admitter); ok && sheet.Admits {
		in, err := a.Places(t.Context())
		if err != nil || len(in.Places) == 0 {
			t.Fatalf("%s: the world has no rules: %v", kind, err)
		}
		out = append(out, admitterOps(kind, in, &h)...)
	}
	out = append(out, op{role: kind, name: kind + ": revoke", effect: true, do: wholly(func(ctx context.Context, c cast) error { return of(c).Revoke(ctx, h) })})
	for i := range out {
		if out[i].prep == nil && out[i].name != kind+": list" {
			out[i].prep = func(T) { made() }
		}
	}
	return out
}

// looks are the questions that an issuer may be asked besides.
func (b *bench) looks(sheet provider.Sheet, good provider.Issuer, h *cred.Handle, bundle *secret.Bundle) []op {
	kind := sheet.Kind
	var out []op
	look := func(name string, ask func(context.Context, provider.Issuer) (string, error)) {
		out = append(out, op{role: kind, name: kind + ": " + name, again: true, do: func(ctx context.Context, c cast) (string, error) { return ask(ctx, c.issuers[kind]) }})
	}
	if _, ok := good.(provider.Adviser); ok {
		look("advise", func(ctx context.Context, i provider.Issuer) (string, error) {
			_, err := i.(provider.Adviser).Advise(ctx, *h)
			return "", err
		})
	}
	if _, ok := good.(provider.Finder); ok {
		look("find", func(ctx context.Context, i provider.Issuer) (string, error) {
			got, err := i.(provider.Finder).Find(ctx, *h)
			if err == nil && got.ID != (*h).ID {
				return "", errors.New("it found another one than it was asked for")
			}
			return handles([]cred.Handle{got}), err
		})
	}
	if _, ok := good.(provider.EndForesight); ok {
		look("foresee the end", func(ctx context.Context, i provider.Issuer) (string, error) {
			f, err := i.(provider.EndForesight).ForeseeEnd(ctx, *h)
			if err == nil && len(f.Refused) > 0 {
				return "", fmt.Errorf("nothing stands against it here, and it says that %v does", f.Refused)
			}
			return "", err
		})
		out[len(out)-1].idle = true
	}
	if _, ok := good.(provider.Users); ok {
		look("users", func(ctx context.Context, i provider.Issuer) (string, error) {
			who, err := i.(provider.Users).Users(ctx, *h)
			for _, u := range who {
				if u.Count < 1 || u.Name == "" && u.From == "" {
					return "", fmt.Errorf("a user of which nothing is told: %+v", u)
				}
			}
			return "", err
		})
	}
	if _, ok := good.(provider.Maker); ok && sheet.Create {
		look("works", func(ctx context.Context, i provider.Issuer) (string, error) {
			yes, err := i.(provider.Maker).Works(ctx, *h, *bundle)
			if err == nil && !yes {
				return "", errors.New("it was made with this bundle, and does not work with it")
			}
			return "", err
		})
	}
	if _, ok := good.(provider.Prober); ok && sheet.Verifies && sheet.Create {
		look("verify", func(ctx context.Context, i provider.Issuer) (string, error) {
			v, detail, err := i.(provider.Prober).Probe(ctx, sop.Probe{URL: sop.IssuerItself}, *bundle)
			if err == nil && v == cred.Unclear { // it says so itself: that is not a success
				err = &cred.Error{Op: "verify", Class: cred.Unknown, Why: detail}
			}
			return string(v), err
		})
		out[len(out)-1].probe = true
	}
	return out
}

func admitterOps(kind string, in provider.Admission, h *cred.Handle) []op {
	of := func(c cast) provider.Admitter { return c.issuers[kind].(provider.Admitter) }
	first := in.Places[0]
	out := []op{
		{role: kind, name: kind + ": places", again: true, do: func(ctx context.Context, c cast) (string, error) {
			got, err := of(c).Places(ctx)
			return places(got), err
		}},
		{role: kind, name: kind + ": add to a rule", effect: true, again: true, do: wholly(func(ctx context.Context, c cast) error {
			_, err := of(c).Admit(ctx, first, h.ID)
			return err
		})},
	}
	if len(first.Names) > 0 {
		out = append(out, op{role: kind, name: kind + ": take out of a rule", effect: true, again: true, do: wholly(func(ctx context.Context, c cast) error {
			_, err := of(c).Dismiss(ctx, first, first.Names[0])
			return err
		})})
	}
	return out
}
