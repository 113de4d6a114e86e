package runner

import (
	"context"

	"rekey/internal/provider"
	"rekey/internal/rotation"
)

// adopt decides with which credential the issuer is reached, where the one that
// is replaced is its own. From the proof that nobody uses the old one on, the new
// one is used: it shows that the new one can do what is left to do, before the
// old one is taken away. Switching the old one on again needs the new one too.
// Everything else goes on with what rekey.yaml names.
func (r *Runner) adopt(ctx context.Context, v rotation.Verb) error {
	self, ok := r.Roles.Issuer.(provider.Self)
	if !ok || r.state.Plan == nil || !r.state.Plan.OfOurs() || r.state.Plan.Strategy != rotation.Replace {
		return nil
	}
	switch v {
	case rotation.Quiet, rotation.Disable, rotation.Dismiss, rotation.Delete, rotation.Confirm, rotation.Sweep, rotation.Enable, rotation.Readmit:
		if v == rotation.Sweep && r.state.Mode != rotation.Forward {
			break
		}
		b, err := r.newBundle(ctx)
		if err != nil {
			return err
		}
		self.Adopt(b)
		return nil
	case rotation.Create, rotation.Discard, rotation.Look:
	default:
		return nil // asks nobody, or with a credential of its own
	}
	self.Adopt(nil)
	return nil
}
