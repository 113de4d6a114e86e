package claims

import (
	"context"
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
	if err := Issuer("v", good, plain{}); err != nil {
		t.Error(err)
	}
	with := func(change func(*provider.Sheet)) provider.Sheet {
		s := good
		change(&s)
		return s
	}
	if err := Issuer("v", with(func(s *provider.Sheet) { s.Roll = rotation.RollWithGrace }), rolling{}); err != nil {
		t.Error(err)
	}
	for says, s := range map[string]provider.Sheet{
		"can roll it in place, and the code cannot":            with(func(s *provider.Sheet) { s.Roll = rotation.RollAtOnce }),
		"roll it by way of sideways":                           with(func(s *provider.Sheet) { s.Roll = "sideways" }),
		"can switch it off, and the code cannot":               with(func(s *provider.Sheet) { s.Disable = true }),
		"can edit the rules that name it, and the code cannot": with(func(s *provider.Sheet) { s.Admits = true }),
		"can tell by itself whether it works":                  with(func(s *provider.Sheet) { s.Verifies = true }),
		"nothing can renew it":                                 with(func(s *provider.Sheet) { s.Create = false }),
		"does not say what it consists of":                     with(func(s *provider.Sheet) { s.Fields = nil }),
		"its field other is public":                            with(func(s *provider.Sheet) { s.Public = []string{"other"} }),
		"names its field value twice":                          with(func(s *provider.Sheet) { s.Optional = []string{"value"} }),
		"no end of a grace, and no grace":                      with(func(s *provider.Sheet) { s.Lingers = true }),
		"a name that it does not show":                         with(func(s *provider.Sheet) { s.NameMax = 63 }),
		"the inside of a class":                                with(func(s *provider.Sheet) { s.Label, s.NameChars = true, "z-a" }),
		"at most one may live":                                 with(func(s *provider.Sheet) { s.MaxLive = 1 }),
	} {
		if err := Issuer("v", s, plain{}); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "vendor v") {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// TestWhatTheCodeCanDoIsSaid: an ability that the sheet does not name would never be used.
func TestWhatTheCodeCanDoIsSaid(t *testing.T) {
	s := provider.Sheet{Kind: "k", Fields: []string{"value"}, Create: true}
	if err := Issuer("v", s, rolling{}); err == nil || !strings.Contains(err.Error(), "the code can roll it in place, and the sheet does not say so") {
		t.Error(err)
	}
	if err := Holding("v", "store", provider.Holding{Applied: true}, nil); err == nil || !strings.Contains(err.Error(), "the code cannot") {
		t.Error(err)
	}
	if err := Holding("v", "store", provider.Holding{}, applies{}); err == nil || !strings.Contains(err.Error(), "the sheet does not say so") {
		t.Error(err)
	}
	if err := Vendor(provider.Descriptor{Name: "v", Store: &struct{}{}}, nobody{}); err == nil || !strings.Contains(err.Error(), "can be a store, and the code cannot; nothing tells one store") {
		t.Error(err)
	}
	if err := Vendor(provider.Descriptor{Name: "v"}, nobody{}); err != nil {
		t.Error(err)
	}
}

type applies struct{}

func (applies) Apply(context.Context, []string) error { return nil }

type nobody struct{}

func (nobody) Close(context.Context) {}
