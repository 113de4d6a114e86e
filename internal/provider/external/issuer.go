package external

import (
	"context"
	"slices"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// issuer is what every kind of credential can do.
type issuer struct {
	p        *driver
	i        Issuer
	settings map[string]any
}

// generation is an answer with one in it.
type generation struct {
	Handle cred.Handle
	Bundle map[string]Secret
}

func (g generation) bundle() secret.Bundle {
	out := secret.Bundle{}
	for f, v := range g.Bundle {
		out[f] = v.Value
	}
	return out
}

func (x *issuer) ask(op string) request {
	return request{Op: op, Role: "issuer", Kind: x.i.Kind, Settings: x.settings}
}

// whole refuses an answer without what everything else needs.
func (x *issuer) whole(op string, h cred.Handle, b secret.Bundle, want bool) error {
	why := ""
	switch {
	case h.ID == "":
		why = "the driver's answer names no id"
	case want && !b.Complete(x.i.Fields):
		why = "the driver's answer has not every field of the bundle"
	default:
		return nil
	}
	return &cred.Error{Vendor: x.p.name, Op: op, Class: cred.Unknown, Why: why}
}

// List returns every live credential.
func (x *issuer) List(ctx context.Context) ([]cred.Handle, error) {
	var out struct{ Handles *[]cred.Handle }
	if err := x.p.look(ctx, x.ask("list"), &out); err != nil {
		return nil, err
	}
	if out.Handles == nil {
		return nil, &cred.Error{Vendor: x.p.name, Op: "list", Class: cred.Unknown, Why: "the driver's answer has no list"}
	}
	for _, h := range *out.Handles {
		if err := x.whole("list", h, nil, false); err != nil {
			return nil, err
		}
	}
	return *out.Handles, nil
}

// Find returns one by its id.
func (x *issuer) Find(ctx context.Context, h cred.Handle) (cred.Handle, error) {
	r := x.ask("find")
	r.Handle = &h
	var out struct{ Handle cred.Handle }
	if err := x.p.look(ctx, r, &out); err != nil {
		return cred.Handle{}, err
	}
	return out.Handle, x.whole("find", out.Handle, nil, false)
}

// Owner compares public fields with what is listed; a driver without any is asked.
func (x *issuer) Owner(ctx context.Context, b secret.Bundle, listed []cred.Handle) (string, error) {
	if len(x.i.Public) > 0 {
		for _, h := range listed {
			for _, f := range x.i.Public {
				if v := b[f]; v.Present() && (v.Equal(secret.New(h.Public)) || v.Equal(secret.New(h.ID))) {
					return h.ID, nil
				}
			}
		}
		return "", nil
	}
	if !b.Complete(x.i.Fields) {
		return "", nil
	}
	r := x.ask("owner")
	r.Bundle, r.Listed = b, listed
	var out struct{ ID string }
	if err := x.p.look(ctx, r, &out); err != nil {
		return "", err
	}
	if out.ID != "" && !slices.ContainsFunc(listed, func(h cred.Handle) bool { return h.ID == out.ID }) {
		return "", &cred.Error{Vendor: x.p.name, Op: "owner", Class: cred.Unknown, Why: "the driver names one that is not listed"}
	}
	return out.ID, nil
}

// Create makes one.
func (x *issuer) Create(ctx context.Context, name string) (cred.Handle, secret.Bundle, error) {
	if len(x.i.Makes) > 0 {
		m := makes{x}
		b, err := m.Make(name)
		if err != nil {
			return cred.Handle{}, nil, err
		}
		h, err := m.CreateWith(ctx, name, b)
		return h, b, err
	}
	r := x.ask("create")
	r.Name = name
	var out generation
	if err := x.p.change(ctx, r, &out); err != nil {
		return cred.Handle{}, nil, err
	}
	return out.Handle, out.bundle(), x.whole("create", out.Handle, out.bundle(), true)
}

// Revoke ends one.
func (x *issuer) Revoke(ctx context.Context, h cred.Handle) error {
	r := x.ask("revoke")
	r.Handle = &h
	return x.p.change(ctx, r, &struct{}{})
}

// ForeseeEnd asks a driver that says that it can tell.
func (x *issuer) ForeseeEnd(ctx context.Context, old cred.Handle) (provider.Foreseen, error) {
	var out provider.Foreseen
	if !x.i.Foresees {
		return out, nil
	}
	r := x.ask("foresee_end")
	r.Handle = &old
	err := x.p.look(ctx, r, &out)
	return out, err
}

// Probe asks the issuer itself; it reaches no other place.
func (x *issuer) Probe(ctx context.Context, p sop.Probe, b secret.Bundle) (cred.Verdict, string, error) {
	refused := &cred.Error{Vendor: x.p.name, Op: "verify", Class: cred.Refused, Why: "this driver proves a credential by its issuer alone"}
	if p.URL != sop.IssuerItself || !x.i.Verifies {
		return cred.Unclear, "", refused
	}
	r := x.ask("verify")
	if r.Bundle = b; b == nil {
		r.Bundle = secret.Bundle{}
	}
	var out struct {
		Verdict cred.Verdict
		Detail  string
	}
	if err := x.p.look(ctx, r, &out); err != nil {
		return cred.Unclear, "", err
	}
	if out.Verdict != cred.Accepted && out.Verdict != cred.Rejected {
		out.Verdict = cred.Unclear
	}
	return out.Verdict, out.Detail, nil
}

// Guard tells of no application: there is none in front of an issuer.
func (x *issuer) Guard(context.Context, sop.Probe) (string, error) { return "", nil }

// Wrong is made up.
func (x *issuer) Wrong() secret.Bundle {
	b := secret.Bundle{}
	for _, f := range x.i.Fields {
		b[f] = secret.New("rekey0made0up0" + f)
	}
	return b
}
