package external

import (
	"context"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
)

// named are issuers under which two secrets work, and which are told which of them ends.
type named struct{ x *issuer }

// EndNamed ends the secret in goes and no other.
func (n named) EndNamed(ctx context.Context, h cred.Handle, goes, stays secret.Bundle) (cred.Handle, error) {
	r := n.x.ask("end_named")
	r.Handle, r.Bundle, r.Stays = &h, goes, stays
	var out struct{ Handle cred.Handle }
	if err := n.x.p.change(ctx, r, &out); err != nil {
		return cred.Handle{}, err
	}
	return out.Handle, n.x.whole("end_named", out.Handle, nil, false)
}

// namedOf is issuerOf for those: they all roll, and what lingers has to be ended.
func namedOf(x *issuer) provider.Issuer {
	t, o, e, s, u := turns{x}, turnsOurs{turns{x}, makes{x}}, named{x}, switches{x}, tells{x}
	n := 0
	for bit, has := range []bool{len(x.i.Makes) > 0, x.i.Disable, x.i.Users} {
		if has {
			n |= 1 << bit
		}
	}
	return [...]provider.Issuer{
		struct {
			*issuer
			turns
			named
		}{x, t, e},
		struct {
			*issuer
			turnsOurs
			named
		}{x, o, e},
		struct {
			*issuer
			turns
			named
			switches
		}{x, t, e, s},
		struct {
			*issuer
			turnsOurs
			named
			switches
		}{x, o, e, s},
		struct {
			*issuer
			turns
			named
			tells
		}{x, t, e, u},
		struct {
			*issuer
			turnsOurs
			named
			tells
		}{x, o, e, u},
		struct {
			*issuer
			turns
			named
			switches
			tells
		}{x, t, e, s, u},
		struct {
			*issuer
			turnsOurs
			named
			switches
			tells
		}{x, o, e, s, u},
	}[n]
}
