package drift

import "testing"

// TestBesideAnOpenRunTheRunIsOffered: what changes a place is refused beside it, and a look is not.
func TestBesideAnOpenRunTheRunIsOffered(t *testing.T) {
	found := []Finding{{Repair: "rekey repair X --from a:b"}, {Repair: "rekey run X --after-revoke"}, {Repair: "rekey check X"}}
	for i, want := range []string{"rekey resume 7f   (a run of it is open)", "rekey resume 7f   (a run of it is open)", "rekey check X"} {
		if got := During(found, "7f")[i].Repair; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got := During(found, "")[i].Repair; got != found[i].Repair {
			t.Errorf("without a run: %q", got)
		}
	}
}
