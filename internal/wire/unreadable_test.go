package wire

import (
	"errors"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
)

// TestWhatOneVendorSaysOfAReferenceIsNotTakenForWhatAnotherSays: the request that the
// secret was wanted for was not sent, whatever the place where it is kept answered.
func TestWhatOneVendorSaysOfAReferenceIsNotTakenForWhatAnotherSays(t *testing.T) {
	for class, want := range map[cred.Class]cred.Class{
		cred.Absent: cred.Unsent, cred.Denied: cred.Unsent, cred.Refused: cred.Unsent, cred.Unsent: cred.Unsent,
		cred.Limited: cred.Limited, cred.Unknown: cred.Limited, cred.Conflict: cred.Limited,
	} {
		err := unreadable(&cred.Error{Vendor: "vault", Op: "read secret", Class: class, Status: 404, Why: "there is none", RetryAfter: time.Second, Maybe: true})
		if cred.ClassOf(err) != want || cred.MayHaveHappened(err) || cred.RetryAfter(err) != time.Second || !strings.Contains(err.Error(), "vault: read secret: ") {
			t.Errorf("%s: %s, may have happened %v: %v", class, cred.ClassOf(err), cred.MayHaveHappened(err), err)
		}
	}
	plain := errors.New("x")
	if unreadable(plain) != plain || unreadable(nil) != nil {
		t.Error("what is not an answer of a vendor was changed")
	}
}
