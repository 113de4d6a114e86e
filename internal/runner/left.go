package runner

import (
	"context"

	"rekey/internal/rotation"
)

// left notes how many attempts the journal of a run that was taken up has lost, and
// tells what lives of them, or that this could not be seen. stops: what may be of this
// run bears no label, so that nothing could clean it up, and the run must not go on.
func (r *Runner) left(ctx context.Context, seen *rotation.Observation) (told []rotation.Refusal, stops bool, _ error) {
	opened := r.state.Opened
	switch {
	case !r.state.Resumed || !opened.Spec.Makes():
		return nil, false, nil
	case !seen.Issuer.Seen:
		return []rotation.Refusal{rotation.LeftUnseen(opened.Spec, r.state.Run)}, false, nil
	case r.Can.Nameless && r.Can.OwnScope && r.Can.Create && r.Past != nil:
		past, err := r.Past(ctx)
		if err != nil {
			return nil, false, err
		}
		told = rotation.LeftNameless(opened.Spec, seen, past, r.state.OpenedAt)
		return told, len(told) > 0, nil
	}
	if seen.Issuer.Owner == "" {
		told = append(told, rotation.LeftUnlisted(opened.Spec, r.state.Run))
	}
	seen.Lost = rotation.LostAttempts(seen.Issuer.Live, r.state.Run)
	return append(told, rotation.Left(opened.Spec, seen, r.state.Run)...), false, nil
}
