package reference

import (
	"context"
	"io"
	"time"

	"rekey/internal/cred"
	"rekey/internal/secret"
)

// roller rolls in place; made: to a secret that we make.
type roller struct{ issuer }

func (r roller) roll(ctx context.Context, h cred.Handle, keep time.Time, made string) (now cred.Handle, b secret.Bundle, err error) {
	err = r.change(ctx, r.env, issuerName, "roll", func() error {
		t := r.find(h.ID)
		if t == nil {
			return refused(cred.Absent, "there is none", true)
		}
		if made == "" {
			made = "secret-" + r.Random(8)
		}
		t.Before, t.Until, t.Secret, t.Version = t.Secret, keep, made, t.Version+1
		t.Forever = r.Lingers && !keep.IsZero()
		if keep.IsZero() {
			t.Before = ""
		}
		r.publish()
		now, b = r.handle(t), secret.Bundle{fieldID: secret.New(t.ID), fieldSecret: secret.New(t.Secret)}
		return nil
	})
	if err != nil {
		return cred.Handle{}, nil, err
	}
	return now, b, nil
}

func (r roller) Roll(ctx context.Context, h cred.Handle, keep time.Time) (cred.Handle, secret.Bundle, error) {
	return r.roll(ctx, h, keep, "")
}

func (r roller) Keep(ctx context.Context, h cred.Handle, until time.Time) (now cred.Handle, err error) {
	err = r.change(ctx, r.env, issuerName, "keep", func() error {
		t := r.find(h.ID)
		if t == nil {
			return refused(cred.Absent, "there is none", true)
		}
		t.Until = until
		if t.Forever = r.Lingers && until.After(r.At); !until.After(r.At) {
			t.Before = ""
		}
		r.publish()
		now = r.handle(t)
		return nil
	})
	return now, err
}

// Unroll ends the secret that a roll put beside the one in b.
func (r roller) Unroll(ctx context.Context, h cred.Handle, b secret.Bundle) (now cred.Handle, err error) {
	err = r.change(ctx, r.env, issuerName, "unroll", func() error {
		t := r.find(h.ID)
		stays := b[fieldSecret].Reveal()
		switch {
		case t == nil:
			return refused(cred.Absent, "there is none", true)
		case t.Before == stays:
			t.Secret, t.Version = stays, t.Version-1
		case t.Secret != stays:
			return refused(cred.Refused, "that is none of its secrets", true)
		}
		t.Before, t.Forever, t.Until = "", false, time.Time{}
		r.publish()
		now = r.handle(t)
		return nil
	})
	return now, err
}

// maker takes secrets that we make.
type maker struct{ issuer }

func (m maker) Make(string) (secret.Bundle, error) {
	v, err := secret.Generate(m.random(), 24, "abcdefghijkmnpqrstuvwxyz23456789")
	if err != nil {
		return nil, err
	}
	// The id is made with it: it stands in the bundle before anything is sent.
	return secret.Bundle{fieldID: secret.New("id-" + m.Random(6)), fieldSecret: v}, nil
}

// random is a function of the world's seed.
func (d *Double) random() io.Reader { return randomness{d} }

type randomness struct{ d *Double }

func (r randomness) Read(p []byte) (int, error) {
	for i := range p {
		h := r.d.Random(2)
		p[i] = unhex(h[0])<<4 | unhex(h[1])
	}
	return len(p), nil
}

func unhex(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}

func (m maker) CreateWith(ctx context.Context, name string, b secret.Bundle) (h cred.Handle, err error) {
	err = m.change(ctx, m.env, issuerName, "create", func() error {
		id := b[fieldID].Reveal()
		if m.find(id) != nil {
			return refused(cred.Conflict, "there is one already", true)
		}
		if err := m.room(); err != nil {
			return err
		}
		t := m.token(name, b[fieldSecret].Reveal())
		t.ID, t.Hidden, t.Shown = id, m.Knobs.ListLag, m.At.Add(m.Knobs.ListDelay.Std())
		m.publish()
		h = m.handle(t)
		return nil
	})
	if err != nil {
		return cred.Handle{}, err
	}
	return h, nil
}

// Works logs in at the issuer itself, which knows of every change at once.
func (m maker) Works(ctx context.Context, h cred.Handle, b secret.Bundle) (works bool, err error) {
	err = m.look(ctx, m.env, issuerName, "log in", func() error {
		t := m.find(h.ID)
		works = t != nil && t.On && (secret.New(t.Secret).Equal(b[fieldSecret]) ||
			t.Before != "" && (t.Forever || t.Until.After(m.At)) && secret.New(t.Before).Equal(b[fieldSecret]))
		return nil
	})
	return works, err
}

// rollMaker rolls to a secret that we make.
type rollMaker struct {
	roller
	maker maker
}

func (r rollMaker) Make(name string) (secret.Bundle, error) {
	b, err := r.maker.Make(name)
	if err == nil {
		for _, t := range r.M.Tokens {
			if !t.Ended && t.Name == name {
				b[fieldID] = secret.New(t.ID) // it stays
			}
		}
	}
	return b, err
}

func (r rollMaker) CreateWith(ctx context.Context, name string, b secret.Bundle) (cred.Handle, error) {
	return r.maker.CreateWith(ctx, name, b)
}

func (r rollMaker) Works(ctx context.Context, h cred.Handle, b secret.Bundle) (bool, error) {
	return r.maker.Works(ctx, h, b)
}

func (r rollMaker) RollWith(ctx context.Context, h cred.Handle, keep time.Time, b secret.Bundle) (cred.Handle, error) {
	now, _, err := r.roll(ctx, h, keep, b[fieldSecret].Reveal())
	return now, err
}

// EndNamed ends exactly this secret, whatever stands beside it.
func (r rollMaker) EndNamed(ctx context.Context, h cred.Handle, goes, stays secret.Bundle) (now cred.Handle, err error) {
	err = r.change(ctx, r.env, issuerName, "end named", func() error {
		t := r.find(h.ID)
		if t == nil {
			return refused(cred.Absent, "there is none", true)
		}
		has := func(b secret.Bundle) bool {
			return b[fieldSecret].Equal(secret.New(t.Secret)) || t.Before != "" && b[fieldSecret].Equal(secret.New(t.Before))
		}
		switch {
		case !has(stays):
			return refused(cred.Refused, "what stays is none of its secrets", true)
		case !has(goes):
		case goes[fieldSecret].Equal(secret.New(t.Secret)):
			t.Secret, t.Version, t.Before = t.Before, t.Version-1, ""
		default:
			t.Before = ""
		}
		t.Forever = t.Before != "" && t.Forever
		r.publish()
		now = r.handle(t)
		return nil
	})
	return now, err
}
