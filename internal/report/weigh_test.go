package report

import (
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/rotation"
)

// TestThatNobodyCouldLookIsShownAsNoProof: a check mark stands before what was seen.
func TestThatNobodyCouldLookIsShownAsNoProof(t *testing.T) {
	if got := weigh(rotation.HoldersUnknown+": none of 2 places could be read", Style{}); got != "?" {
		t.Errorf("before what could not be looked at stands %q", got)
	}
	if got := weigh("nobody else holds the old one in the account (2 of 2 places read)", Style{}); got != "✓" {
		t.Errorf("before what was seen stands %q", got)
	}
}

// TestAnAgeThatIsNotToldIsNotCalledNever: some issuers do not tell when one was made.
func TestAnAgeThatIsNotToldIsNotCalledNever(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	if got := born(cred.Handle{}, now); got != "when it was made is not reported" {
		t.Errorf("an age that is not told is told as %q", got)
	}
	if got := born(cred.Handle{Created: now.Add(-3 * time.Hour)}, now); got != "made 3h ago" {
		t.Errorf("an age is told as %q", got)
	}
}
