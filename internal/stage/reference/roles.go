package reference

import "rekey/internal/provider"

// What an issuer is in any case, and what it is besides by how its secrets are made.
type (
	plain interface {
		provider.Issuer
		provider.Prober
		provider.Clocked
	}
	rolling interface {
		plain
		provider.Roller
		provider.Unroller
	}
	making interface {
		plain
		provider.Maker
	}
	rollMaking interface {
		rolling
		provider.RollMaker
		provider.EndsNamed
	}
)

// has are the roles of an issuer that are switched on one by one.
type has struct{ switches, admits, finds bool }

// withPlain plays exactly these roles.
func withPlain(b plain, h has, s provider.Switcher, a provider.Admitter, f provider.Finder) provider.Issuer {
	switch h {
	case has{true, false, false}:
		return struct {
			plain
			provider.Switcher
		}{b, s}
	case has{false, true, false}:
		return struct {
			plain
			provider.Admitter
		}{b, a}
	case has{true, true, false}:
		return struct {
			plain
			provider.Switcher
			provider.Admitter
		}{b, s, a}
	case has{false, false, true}:
		return struct {
			plain
			provider.Finder
		}{b, f}
	case has{true, false, true}:
		return struct {
			plain
			provider.Switcher
			provider.Finder
		}{b, s, f}
	case has{false, true, true}:
		return struct {
			plain
			provider.Admitter
			provider.Finder
		}{b, a, f}
	case has{true, true, true}:
		return struct {
			plain
			provider.Switcher
			provider.Admitter
			provider.Finder
		}{b, s, a, f}
	}
	return b
}

// withRolling plays exactly these roles.
func withRolling(b rolling, h has, s provider.Switcher, a provider.Admitter, f provider.Finder) provider.Issuer {
	switch h {
	case has{true, false, false}:
		return struct {
			rolling
			provider.Switcher
		}{b, s}
	case has{false, true, false}:
		return struct {
			rolling
			provider.Admitter
		}{b, a}
	case has{true, true, false}:
		return struct {
			rolling
			provider.Switcher
			provider.Admitter
		}{b, s, a}
	case has{false, false, true}:
		return struct {
			rolling
			provider.Finder
		}{b, f}
	case has{true, false, true}:
		return struct {
			rolling
			provider.Switcher
			provider.Finder
		}{b, s, f}
	case has{false, true, true}:
		return struct {
			rolling
			provider.Admitter
			provider.Finder
		}{b, a, f}
	case has{true, true, true}:
		return struct {
			rolling
			provider.Switcher
			provider.Admitter
			provider.Finder
		}{b, s, a, f}
	}
	return b
}

// withMaking plays exactly these roles.
func withMaking(b making, h has, s provider.Switcher, a provider.Admitter, f provider.Finder) provider.Issuer {
	switch h {
	case has{true, false, false}:
		return struct {
			making
			provider.Switcher
		}{b, s}
	case has{false, true, false}:
		return struct {
			making
			provider.Admitter
		}{b, a}
	case has{true, true, false}:
		return struct {
			making
			provider.Switcher
			provider.Admitter
		}{b, s, a}
	case has{false, false, true}:
		return struct {
			making
			provider.Finder
		}{b, f}
	case has{true, false, true}:
		return struct {
			making
			provider.Switcher
			provider.Finder
		}{b, s, f}
	case has{false, true, true}:
		return struct {
			making
			provider.Admitter
			provider.Finder
		}{b, a, f}
	case has{true, true, true}:
		return struct {
			making
			provider.Switcher
			provider.Admitter
			provider.Finder
		}{b, s, a, f}
	}
	return b
}

// withRollMaking plays exactly these roles.
func withRollMaking(b rollMaking, h has, s provider.Switcher, a provider.Admitter, f provider.Finder) provider.Issuer {
	switch h {
	case has{true, false, false}:
		return struct {
			rollMaking
			provider.Switcher
		}{b, s}
	case has{false, true, false}:
		return struct {
			rollMaking
			provider.Admitter
		}{b, a}
	case has{true, true, false}:
		return struct {
			rollMaking
			provider.Switcher
			provider.Admitter
		}{b, s, a}
	case has{false, false, true}:
		return struct {
			rollMaking
			provider.Finder
		}{b, f}
	case has{true, false, true}:
		return struct {
			rollMaking
			provider.Switcher
			provider.Finder
		}{b, s, f}
	case has{false, true, true}:
		return struct {
			rollMaking
			provider.Admitter
			provider.Finder
		}{b, a, f}
	case has{true, true, true}:
		return struct {
			rollMaking
			provider.Switcher
			provider.Admitter
			provider.Finder
		}{b, s, a, f}
	}
	return b
}
