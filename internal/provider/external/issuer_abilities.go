package external

import (
	"context"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// makes are issuers whose secrets Rekey makes.
type makes struct{ x *issuer }

// Make returns what one will consist of: what the sheet makes, and the name elsewhere.
func (m makes) Make(name string) (secret.Bundle, error) {
	b := secret.Bundle{}
	for _, f := range m.x.i.Fields {
		how, ours := m.x.i.Makes[f]
		if !ours {
			b[f] = secret.New(name)
			continue
		}
		v, err := secret.Generate(m.x.p.env.Random, how.Length, alphabets[how.Alphabet])
		if err != nil {
			return nil, err
		}
		b[f] = v
	}
	return b, nil
}

// CreateWith makes one with a bundle of ours.
func (m makes) CreateWith(ctx context.Context, name string, b secret.Bundle) (cred.Handle, error) {
	r := m.x.ask("create")
	r.Name, r.Bundle = name, b
	var out struct{ Handle cred.Handle }
	if err := m.x.p.change(ctx, r, &out); err != nil {
		return cred.Handle{}, err
	}
	return out.Handle, m.x.whole("create", out.Handle, nil, false)
}

// Works tells whether one is live with exactly this bundle.
func (m makes) Works(ctx context.Context, h cred.Handle, b secret.Bundle) (bool, error) {
	r := m.x.ask("works")
	r.Handle, r.Bundle = &h, b
	var out struct{ Works *bool }
	if err := m.x.p.look(ctx, r, &out); err != nil {
		return false, err
	}
	if out.Works == nil {
		return false, &cred.Error{Vendor: m.x.p.name, Op: "works", Class: cred.Unknown, Why: "the driver's answer does not say"}
	}
	return *out.Works, nil
}

// turns are issuers that give one a new secret in place.
type turns struct{ x *issuer }

func (t turns) roll(ctx context.Context, h cred.Handle, keep time.Time, b secret.Bundle) (cred.Handle, secret.Bundle, error) {
	r := t.x.ask("roll")
	r.Handle, r.Time, r.Bundle = &h, keep, b
	var out generation
	if err := t.x.p.change(ctx, r, &out); err != nil {
		return cred.Handle{}, nil, err
	}
	return out.Handle, out.bundle(), t.x.whole("roll", out.Handle, out.bundle(), b == nil)
}

// Roll makes a new secret.
func (t turns) Roll(ctx context.Context, h cred.Handle, keep time.Time) (cred.Handle, secret.Bundle, error) {
	if len(t.x.i.Makes) == 0 {
		return t.roll(ctx, h, keep, nil)
	}
	b, err := makes(t).Make(h.Name)
	if err != nil {
		return cred.Handle{}, nil, err
	}
	got, _, err := t.roll(ctx, h, keep, b)
	return got, b, err
}

// Keep moves the end of the secret before the present one.
func (t turns) Keep(ctx context.Context, h cred.Handle, until time.Time) (cred.Handle, error) {
	r := t.x.ask("keep")
	r.Handle, r.Time = &h, until
	var out struct{ Handle cred.Handle }
	if err := t.x.p.change(ctx, r, &out); err != nil {
		return cred.Handle{}, err
	}
	return out.Handle, t.x.whole("keep", out.Handle, nil, false)
}

// Unroll leaves the secret in b as the only one; a driver that does not say that it can is
// not asked.
func (t turns) Unroll(ctx context.Context, h cred.Handle, b secret.Bundle) (cred.Handle, error) {
	if !t.x.i.Unrolls {
		return cred.Handle{}, &cred.Error{Vendor: t.x.p.name, Op: "unroll", Class: cred.Refused, Why: "the driver cannot end it alone"}
	}
	r := t.x.ask("unroll")
	r.Handle, r.Bundle = &h, b
	var out struct{ Handle cred.Handle }
	if err := t.x.p.change(ctx, r, &out); err != nil {
		return cred.Handle{}, err
	}
	return out.Handle, t.x.whole("unroll", out.Handle, nil, false)
}

// turnsOurs is turns with a secret that Rekey makes.
type turnsOurs struct {
	turns
	makes
}

// RollWith rolls to a bundle of ours.
func (t turnsOurs) RollWith(ctx context.Context, h cred.Handle, keep time.Time, b secret.Bundle) (cred.Handle, error) {
	got, _, err := t.roll(ctx, h, keep, b)
	return got, err
}

// switches are issuers that switch one off and on.
type switches struct{ x *issuer }

// Switch switches one.
func (s switches) Switch(ctx context.Context, h cred.Handle, on bool) (cred.Handle, error) {
	r := s.x.ask("switch")
	r.Handle, r.On = &h, &on
	var out struct{ Handle cred.Handle }
	if err := s.x.p.change(ctx, r, &out); err != nil {
		return cred.Handle{}, err
	}
	return out.Handle, s.x.whole("switch", out.Handle, nil, false)
}

// tells are issuers that tell who uses one.
type tells struct{ x *issuer }

// Users returns them.
func (t tells) Users(ctx context.Context, h cred.Handle) ([]provider.User, error) {
	r := t.x.ask("users")
	r.Handle = &h
	var out struct{ Users []provider.User }
	err := t.x.p.look(ctx, r, &out)
	return out.Users, err
}
