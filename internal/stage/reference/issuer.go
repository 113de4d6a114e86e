package reference

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// issuer makes tokens.
type issuer struct {
	*Double
	env provider.Env
}

// refused is an answer of the issuer's own. To a write it proves that nothing was
// applied only where it says so: a gateway may have sent it twice.
func refused(class cred.Class, why string, maybe bool) error {
	return &cred.Error{Class: class, Why: why, Maybe: maybe}
}

// look asks and changes nothing, change is the other kind of call.
func (d *Double) look(ctx context.Context, env provider.Env, vendor, op string, effect func() error) error {
	return env.Look(ctx, vendor, op, func(context.Context) error { return d.call(vendor, op, false, effect) })
}

func (d *Double) change(ctx context.Context, env provider.Env, vendor, op string, effect func() error) error {
	return env.Change(ctx, vendor, op, func(context.Context) error { return d.call(vendor, op, true, effect) })
}

// skew is how far the issuer's clock is ahead.
func (d *Double) skew() time.Duration { return d.Knobs.Skew[issuerName].Std() }

func (d *Double) handle(t *Token) cred.Handle {
	h := cred.Handle{ID: t.ID, Public: t.ID, Name: t.Name, Created: t.Created.Add(d.skew()), Disabled: !t.On, Version: t.Version, Previous: t.Until}
	if d.Nameless {
		h.Name = t.ID
	}
	if d.LastSeen && !t.LastSeen.IsZero() {
		h.LastSeen = t.LastSeen.Add(d.skew())
	}
	return h
}

// List shows all but what is not listed yet.
func (i issuer) List(ctx context.Context) ([]cred.Handle, error) {
	var out []cred.Handle
	err := i.look(ctx, i.env, issuerName, "list", func() error {
		i.skewed = true
		for _, t := range i.M.Tokens {
			switch {
			case t.Ended, i.Nameless && t.Name == "theirs", t.Shown.After(i.At):
			case t.Hidden > 0:
				t.Hidden--
			default:
				out = append(out, i.handle(t))
			}
		}
		return nil
	})
	return out, err
}

// Ahead is the issuer's clock, once it was asked.
func (i issuer) Ahead() (time.Duration, bool) { return i.skew(), i.skewed }

// Owner goes by the id.
func (i issuer) Owner(_ context.Context, b secret.Bundle, listed []cred.Handle) (string, error) {
	for _, h := range listed {
		if b[fieldID].Equal(secret.New(h.ID)) {
			return h.ID, nil
		}
	}
	return "", nil
}

// room refuses where there are too many.
func (i issuer) room() error {
	live := 0
	for _, t := range i.M.Tokens {
		if !t.Ended {
			live++
		}
	}
	if i.MaxLive > 0 && live >= i.MaxLive {
		return refused(cred.Refused, "there are too many", false)
	}
	return nil
}

func (i issuer) Create(ctx context.Context, name string) (h cred.Handle, b secret.Bundle, err error) {
	err = i.change(ctx, i.env, issuerName, "create", func() error {
		if err := i.room(); err != nil {
			return err
		}
		t := i.token(name, "secret-"+i.Random(8))
		t.Hidden, t.Shown = i.Knobs.ListLag, i.At.Add(i.Knobs.ListDelay.Std())
		i.publish()
		h, b = i.handle(t), secret.Bundle{fieldID: secret.New(t.ID), fieldSecret: secret.New(t.Secret)}
		return nil
	})
	if err != nil {
		return cred.Handle{}, nil, err
	}
	return h, b, nil
}

// Revoke refuses while a rule names it.
func (i issuer) Revoke(ctx context.Context, h cred.Handle) error {
	return i.change(ctx, i.env, issuerName, "revoke", func() error {
		t := i.find(h.ID)
		if t == nil {
			return refused(cred.Absent, "there is none", true)
		}
		for _, r := range i.M.Rules {
			if i.Admits && slices.Contains(r.Names, h.ID) {
				return refused(cred.Refused, fmt.Sprintf("rule %q names %s", r.Name, t.Name), false)
			}
		}
		t.Ended = true
		i.publish()
		return nil
	})
}

// finder looks at one by its id.
type finder struct{ issuer }

func (f finder) Find(ctx context.Context, h cred.Handle) (now cred.Handle, err error) {
	err = f.look(ctx, f.env, issuerName, "find", func() error {
		t := f.find(h.ID)
		if t == nil {
			return refused(cred.Absent, "there is none", false)
		}
		now = f.handle(t)
		return nil
	})
	return now, err
}

// switcher switches.
type switcher struct{ issuer }

func (s switcher) Switch(ctx context.Context, h cred.Handle, on bool) (now cred.Handle, err error) {
	op := "switch off"
	if on {
		op = "switch on"
	}
	err = s.change(ctx, s.env, issuerName, op, func() error {
		t := s.find(h.ID)
		if t == nil {
			return refused(cred.Absent, "there is none", true)
		}
		t.On = on
		s.publish()
		now = s.handle(t)
		return nil
	})
	return now, err
}

// Probe asks the edge, or the issuer itself.
func (i issuer) Probe(ctx context.Context, p sop.Probe, b secret.Bundle) (cred.Verdict, string, error) {
	verdict, detail := cred.Rejected, "denied"
	err := i.look(ctx, i.env, issuerName, "probe", func() error {
		if b != nil && i.M.Known.opens(b[fieldID].Reveal(), b[fieldSecret].Reveal(), i.At, i.M.Known.All || p.URL == sandboxURL) == "" {
			verdict, detail = cred.Accepted, "accepted"
		}
		return nil
	})
	if e, ok := errors.AsType[*cred.Error](err); ok && e.Status != 0 {
		return cred.Unclear, fmt.Sprint(e.Status), nil // somebody answered, and it tells nothing
	}
	return verdict, detail, err
}

// Guard tells which gate the rules decide on.
func (i issuer) Guard(_ context.Context, p sop.Probe) (string, error) {
	if i.Admits && p.URL != sandboxURL {
		return "gate", nil
	}
	return "", nil
}

// Wrong is a pair that nobody made.
func (issuer) Wrong() secret.Bundle {
	return secret.Bundle{fieldID: secret.New("id-nobody"), fieldSecret: secret.New("secret-nothing")}
}
