package discover_test

import (
	"encoding/json"
	"testing"

	"rekey/internal/discover"
)

// TestNoRulesAreAnEmptyList: of an issuer that knows none, a program that reads them gets
// a list as of every other.
func TestNoRulesAreAnEmptyList(t *testing.T) {
	if b, err := json.Marshal(discover.RulesOf(discover.Seen{})); err != nil || string(b) != "[]" {
		t.Errorf("no rules are written as %s (%v)", b, err)
	}
}
