package wire

import (
	"errors"
	"strings"
	"testing"

	"rekey/internal/cred"
	"rekey/internal/provider"
)

// TestAPanicInAVendorIsAnUnknownOutcome: one call or several, and nothing of what it
// panicked with is told unless the runtime said it.
func TestAPanicInAVendorIsAnUnknownOutcome(t *testing.T) {
	for says, broken := range map[string]func() error{
		"(invalid memory address or nil pointer dereference) at together_test.go:": func() error { var p *provider.Sheet; return errors.New(p.Kind) },
		"(index out of range [3] with length 0) at together_test.go:":              func() error { var l []int; i := 3; l[i]++; return nil },
		"a bug in Rekey stopped it at together_test.go:":                           func() error { panic("hunter2") },
	} {
		for _, calls := range [][]func() error{{broken}, {func() error { return nil }, broken}} {
			err := Together(calls...)
			if cred.ClassOf(err) != cred.Unknown || !cred.MayHaveHappened(err) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("want %q: %v", says, err)
			}
		}
	}
}
