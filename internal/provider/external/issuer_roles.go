package external

import "rekey/internal/provider"

// issuerOf returns an issuer with what its sheet says that it can do, and nothing else:
// what an issuer can do is asked by its Go type.
func issuerOf(x *issuer) provider.Issuer {
	if x.i.EndsNamed {
		return namedOf(x)
	}
	t, m, o, s, u := turns{x}, makes{x}, turnsOurs{turns{x}, makes{x}}, switches{x}, tells{x}
	n := 0
	for bit, has := range []bool{x.i.Roll != "", len(x.i.Makes) > 0, x.i.Disable, x.i.Users} {
		if has {
			n |= 1 << bit
		}
	}
	return [...]provider.Issuer{
		x,
		struct {
			*issuer
			turns
		}{x, t},
		struct {
			*issuer
			makes
		}{x, m},
		struct {
			*issuer
			turnsOurs
		}{x, o},
		struct {
			*issuer
			switches
		}{x, s},
		struct {
			*issuer
			turns
			switches
		}{x, t, s},
		struct {
			*issuer
			makes
			switches
		}{x, m, s},
		struct {
			*issuer
			turnsOurs
			switches
		}{x, o, s},
		struct {
			*issuer
			tells
		}{x, u},
		struct {
			*issuer
			turns
			tells
		}{x, t, u},
		struct {
			*issuer
			makes
			tells
		}{x, m, u},
		struct {
			*issuer
			turnsOurs
			tells
		}{x, o, u},
		struct {
			*issuer
			switches
			tells
		}{x, s, u},
		struct {
			*issuer
			turns
			switches
			tells
		}{x, t, s, u},
		struct {
			*issuer
			makes
			switches
			tells
		}{x, m, s, u},
		struct {
			*issuer
			turnsOurs
			switches
			tells
		}{x, o, s, u},
	}[n]
}
