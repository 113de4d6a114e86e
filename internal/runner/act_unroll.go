package runner

import (
	"context"
	"slices"
	"strconv"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// unroll ends the secret that a roll put beside the old one, where the old one works
// until it is ended: everybody has that again, and the other would be an orphan, because
// of which no later run could start. What is not certain to be ours is left, and told.
func (r *Runner) unroll(ctx context.Context) rotation.Outcome {
	old := r.state.Plan.Old
	listed, err := r.Roles.Issuer.List(ctx)
	if err != nil {
		return fromError(err)
	}
	i := slices.IndexFunc(listed, func(h cred.Handle) bool { return h.ID == old.ID })
	switch {
	case i < 0:
		return failed(cred.Unknown, "the issuer does not list %s any more", old.ID)
	case listed[i].Version == old.Version:
		return rotation.Outcome{Class: cred.Done, Already: true, Evidence: []string{"there is no secret beside the old one, which works until it is ended"}}
	}
	unroller, able := r.Roles.Roller.(provider.Unroller)
	named, names := r.Roles.Roller.(provider.EndsNamed)
	why := ""
	switch {
	case !able && !names:
		why = "the issuer cannot end it alone"
	case r.state.Step(string(rotation.Roll)).Status != rotation.Ended:
		why = "whether this run has made it is not known"
	default:
		for _, p := range r.places() {
			held, err := r.held(ctx, p, true)
			if err != nil {
				return fromError(err)
			}
			if w := r.notOld(p, held); w != "" {
				why = w
			}
		}
	}
	if why != "" {
		return leftBeside(why)
	}
	b, err := r.oldBundle(ctx)
	if err != nil {
		return fromError(err)
	}
	var now cred.Handle
	if names {
		var fresh secret.Bundle
		if fresh, err = r.newBefore(ctx); err == nil {
			now, err = named.EndNamed(ctx, old, fresh, b)
		}
	} else {
		now, err = unroller.Unroll(ctx, old, b)
	}
	switch cred.ClassOf(err) {
	case cred.Refused, cred.Conflict, cred.Foreign:
		return leftBeside(Problems(err)[0])
	}
	switch {
	case err != nil:
		return fromError(err)
	case now.Version == listed[i].Version: // it had ended, and what is there is none that was named
		return leftBeside("ending the one that this run knows changed nothing")
	case now.Version > old.Version:
		return rotation.Outcome{Class: cred.Done, Evidence: []string{"the new secret has ended; the old one works, and so does another one, which this run does not know"}}
	}
	return rotation.Outcome{Class: cred.Done, Evidence: []string{"the new secret has ended; the old one is the only one"}}
}

// leftBeside tells why a secret beside the old one was let live.
func leftBeside(why string) rotation.Outcome {
	return rotation.Outcome{Class: cred.Done, Already: true, Evidence: []string{"the old secret works until it is ended; another one beside it was left: " + why}}
}

// newBefore is newBundle for an end that names the secret which is to end.
func (r *Runner) newBefore(ctx context.Context) (secret.Bundle, error) {
	b, err := r.newBundle(ctx)
	if err == errLost {
		err = &cred.Error{Vendor: r.state.Plan.Spec.Issuer.Vendor, Op: "end the new secret", Class: cred.Refused, Why: "which of them is the new one is not known: the process that made it has ended, and the store does not show it any more"}
	}
	return b, err
}

// storedBefore takes the secret of the generation under way from the history of the first
// store, where it was written and something else is there now; nil if it is not there.
func (r *Runner) storedBefore(ctx context.Context, held map[string]provider.Held) (secret.Bundle, error) {
	spec := r.state.Plan.Spec
	if p := r.state.Step(r.state.Plan.Writes(spec.Store.Key)); p.Status == rotation.Idle && !p.Maybe {
		return nil, nil // it was never written
	}
	var wrong error
	b := assemble(spec.Store, spec.Issuer.Fields, func(s sop.Slot) (secret.Value, bool) {
		now, err := strconv.Atoi(held[s.Name].Version)
		for n := now; err == nil && n > max(0, now-mostBack); n-- {
			v, err := r.Roles.Store.ReadVersion(ctx, s.Name, strconv.Itoa(n))
			switch cred.ClassOf(err) {
			case cred.Done:
			case cred.Unknown, cred.Limited:
				wrong = err
				return secret.Value{}, false
			default:
				continue // that version is gone, or is not for us
			}
			if r.Keyer.Of(v) == r.state.Expected(spec.Store.Key, s.Name) {
				return v, true
			}
		}
		return secret.Value{}, false
	})
	return b, wrong
}

// mostBack is how many versions of the store are looked at for it.
const mostBack = 4

// beside tells of a secret beside the old one, which lives on after going back.
func (r *Runner) beside(listed []cred.Handle) string {
	old := r.state.Plan.Old
	i := slices.IndexFunc(listed, func(h cred.Handle) bool { return h.ID == old.ID })
	if !r.Can.Lingers || i < 0 || listed[i].Version <= old.Version {
		return ""
	}
	return "a second secret of " + old.Name + " works, too, until it is ended: end it by hand before the next run; check says how"
}
