package runner_test

import (
	"strings"
	"testing"

	"rekey/internal/rotation"
	"rekey/internal/sim/stage"
)

// The second issuer: API tokens of a user and of the account, rolled as well, and
// the one with which Rekey itself reaches the vendor.
var apiTokens = []stage.Scenario{
	{Credential: "CF_API_TOKEN_DNS"},
	{Credential: "CF_API_TOKEN_CI"},
	{Credential: "CF_ACCESS_MGMT"},
	{Credential: "CF_API_TOKEN_DNS", Strategy: "roll"},
}

// TestAPITokensUnderEverySingleFault judges the promises for the second issuer. A
// roll at once is down from its first step on, and its plan says so; it may not
// lose the token all the same.
func TestAPITokensUnderEverySingleFault(t *testing.T) {
	y := newTally(t, false)
	singles(t, y, apiTokens, toRotate)
	y.done(0)
}

// TestAPITokensUnderPairs gives them every two faults.
func TestAPITokensUnderPairs(t *testing.T) {
	y := newTally(t, true)
	pairsOf(y, apiTokens, pairKinds, 40)
	y.done(0.02)
}

// TestOwnTokenIsNeverRolled: the answer to a roll would be the only copy of what
// gets us in.
func TestOwnTokenIsNeverRolled(t *testing.T) {
	v := stage.Scenario{Credential: "CF_ACCESS_MGMT", Strategy: "roll"}.Run(1)
	if v.Ending != string(rotation.RefusedRun) || !strings.Contains(v.Stage.Log.Text(), "self-roll") {
		t.Errorf("%q: %s", v.Ending, v.Stage.Log.Text())
	}
}
