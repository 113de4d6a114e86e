//go:build !windows

package postgres

import (
	"slices"
	"strings"
	"testing"

	"rekey/internal/cred"
	"rekey/internal/logins"
	"rekey/internal/provider"
	"rekey/internal/rotation"
)

// TestConform holds each sheet against a real server: what it claims can be done, with
// the fields that it names, and what it does not claim is refused.
func TestConform(t *testing.T) {
	for _, sheet := range Descriptor.Issuers {
		t.Run(sheet.Kind, func(t *testing.T) {
			b := setUp(t)
			s := b.open()
			i := map[string]provider.Issuer{KindLogin: b.login(s, ""), KindPair: b.pair(s, ""), KindPassword: b.inPlace(s)}[sheet.Kind]
			b.IDs(i)
			made, err := i.(provider.Maker).Make("name-" + b.id)
			if want := slices.Sorted(slices.Values(append(slices.Clone(sheet.Fields), sheet.Optional...))); err != nil || !slices.Equal(made.Fields(), want) {
				t.Fatalf("made %v (%v), the sheet says %v", made.Fields(), err, want)
			}
			again, _ := i.(provider.Maker).Make("name-" + b.id)
			if again[logins.FieldPassword].Equal(made[logins.FieldPassword]) {
				t.Error("two of them have the same password")
			}
			h, _, err := i.Create(t.Context(), "name-"+b.id)
			if sheet.Create != (err == nil) {
				t.Fatalf("create: %v", err)
			}
			if sheet.Roll == rotation.RollAtOnce {
				listed, _ := i.List(t.Context())
				if h, _, err = i.(provider.Roller).Roll(t.Context(), listed[0], zero); err != nil {
					t.Fatal(err)
				}
			}
			if sheet.Label && !strings.Contains(h.Name, b.id) {
				t.Errorf("the name that we chose is not shown: %+v", h)
			}
			now, err := i.(provider.Finder).Find(t.Context(), h)
			if err != nil || now.ID != h.ID || now.Name != h.Name || now.Created != h.Created || now.Version != h.Version {
				t.Errorf("answered %+v, found %+v (%v)", h, now, err)
			}
			if off, err := i.(provider.Switcher).Switch(t.Context(), h, false); sheet.Disable != (err == nil && off.Disabled) {
				t.Errorf("switched off: %+v, %v", off, err)
			}
			b.Class(i.Revoke(t.Context(), h), cred.Done)
			b.Class(i.Revoke(t.Context(), h), cred.Absent)
			if slices.Contains(b.IDs(i), h.ID) {
				t.Error("it is listed after its end")
			}
		})
	}
}
