package runner

import (
	"context"
	"testing"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// silent is a prober with no words for what it sees, as a driver outside may be one.
type silent struct {
	provider.Prober
	verdict cred.Verdict
}

func (s silent) Probe(context.Context, sop.Probe, secret.Bundle) (cred.Verdict, string, error) {
	return s.verdict, "", nil
}

// TestAProofSaysWhatWasSeen although the driver has no words for it.
func TestAProofSaysWhatWasSeen(t *testing.T) {
	for _, v := range []cred.Verdict{cred.Accepted, cred.Rejected, cred.Unclear} {
		r := &Runner{Roles: Roles{Prober: silent{verdict: v}}}
		if got, detail, err := r.verdict(t.Context(), sop.Probe{}, nil); got != v || detail != string(v) || err != nil {
			t.Errorf("of %q is told %q, as %q (%v)", v, detail, got, err)
		}
	}
}
