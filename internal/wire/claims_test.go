package wire

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
)

// plain issues and can do nothing besides.
type plain struct{}

func (plain) List(context.Context) ([]cred.Handle, error) { return nil, nil }
func (plain) Owner(context.Context, secret.Bundle, []cred.Handle) (string, error) {
	return "", nil
}
func (plain) Create(context.Context, string) (cred.Handle, secret.Bundle, error) {
	return cred.Handle{}, nil, nil
}
func (plain) Revoke(context.Context, cred.Handle) error { return nil }

// rolling can roll too.
type rolling struct{ plain }

func (rolling) Roll(context.Context, cred.Handle, time.Time) (cred.Handle, secret.Bundle, error) {
	return cred.Handle{}, nil, nil
}
func (rolling) Keep(context.Context, cred.Handle, time.Time) (cred.Handle, error) {
	return cred.Handle{}, nil
}

// TestASheetClaimsOnlyWhatTheCodeCanDo: what a sheet claims and the code cannot keep
// is refused when vendors are opened, each claim by name.
func TestASheetClaimsOnlyWhatTheCodeCanDo(t *testing.T) {
	good := provider.Sheet{Kind: "k", Fields: []string{"value"}, Create: true}
	if err := claims("v", good, plain{}); err != nil {
		t.Error(err)
	}
	with := func(change func(*provider.Sheet)) provider.Sheet {
		s := good
		change(&s)
		return s
	}
	if err := claims("v", with(func(s *provider.Sheet) { s.Roll = rotation.RollWithGrace }), rolling{}); err != nil {
		t.Error(err)
	}
	for says, s := range map[string]provider.Sheet{
		"roll it in place":                with(func(s *provider.Sheet) { s.Roll = rotation.RollAtOnce }),
		"roll it by way of sideways":      with(func(s *provider.Sheet) { s.Roll = "sideways" }),
		"switch it off":                   with(func(s *provider.Sheet) { s.Disable = true }),
		"edit the rules that name it":     with(func(s *provider.Sheet) { s.Admits = true }),
		"tell by itself whether it works": with(func(s *provider.Sheet) { s.Verifies = true }),
		"renew it in any way":             with(func(s *provider.Sheet) { s.Create = false }),
		"say what it consists of":         with(func(s *provider.Sheet) { s.Fields = nil }),
		"have a field other":              with(func(s *provider.Sheet) { s.Public = []string{"other"} }),
	} {
		if err := claims("v", s, plain{}); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "vendor v") {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// TestAPanicInAVendorIsAnUnknownOutcome: one call or several, and nothing of what it
// panicked with is told unless the runtime said it.
func TestAPanicInAVendorIsAnUnknownOutcome(t *testing.T) {
	for says, broken := range map[string]func() error{
		"(invalid memory address or nil pointer dereference) at claims_test.go:": func() error { var p *provider.Sheet; return errors.New(p.Kind) },
		"(index out of range [3] with length 0) at claims_test.go:":              func() error { var l []int; i := 3; l[i]++; return nil },
		"a mistake in Rekey broke it off at claims_test.go:":                     func() error { panic("hunter2") },
	} {
		for _, calls := range [][]func() error{{broken}, {func() error { return nil }, broken}} {
			err := Together(calls...)
			if cred.ClassOf(err) != cred.Unknown || !cred.MayHaveHappened(err) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("want %q: %v", says, err)
			}
		}
	}
}
