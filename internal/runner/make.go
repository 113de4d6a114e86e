package runner

import (
	"context"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
)

// createWith makes the new generation, once, with a secret of our own making. It is
// held before anything is sent: after a lost answer the generation that bears the
// label is tried with it, instead of being discarded for another one.
func (r *Runner) createWith(ctx context.Context, a rotation.Action, m provider.Maker) rotation.Outcome {
	if b := r.meantFor(a.Generation); b != nil {
		return r.answerLost(ctx, a, m, b)
	}
	name := r.state.Plan.Named(a.Generation)
	b, err := m.Make(name)
	if err != nil {
		return failed(cred.Unsent, "nothing was sent: %v", err)
	}
	r.mean(a.Generation, b)
	h, err := m.CreateWith(ctx, name, b)
	if err == nil {
		return r.obtained(a, h, b, "created "+h.Named()+" with a secret that was made here")
	}
	o := fromError(err)
	if found := r.perhapsMade(ctx, a, m, b, o); found != nil {
		return *found
	}
	return o
}

// perhapsMade looks at once whether what was not plainly answered has happened; nil:
// that cannot be told now. That the name is taken says nothing against it: the request
// may have been sent twice on its way.
func (r *Runner) perhapsMade(ctx context.Context, a rotation.Action, m provider.Maker, b secret.Bundle, o rotation.Outcome) *rotation.Outcome {
	if o.Class.NotApplied() && o.Class != cred.Conflict && !o.Maybe {
		return nil
	}
	found := r.answerLost(ctx, a, m, b)
	if found.Class != cred.Done {
		return nil
	}
	return &found
}

// answerLost looks for the generation that bears the label, and tries it with the
// secret that was sent. Nothing is changed, so it may be asked again.
func (r *Runner) answerLost(ctx context.Context, a rotation.Action, m provider.Maker, b secret.Bundle) rotation.Outcome {
	listed, err := r.Roles.Issuer.List(ctx)
	if err != nil {
		return stillLost(err)
	}
	for _, h := range r.ours(listed, a.Generation) {
		works, err := m.Works(ctx, h, b)
		if err != nil {
			return stillLost(err)
		}
		if works {
			return r.obtained(a, h, b, "created "+h.Named()+"; the answer was lost, and it works with the secret that was made here")
		}
	}
	return failed(cred.Unknown, "the answer was lost, and nothing that bears the label works with the secret that was sent")
}

// rollWith gives the handle a new secret of our own making, once. After a lost answer
// it is tried: a second roll would drop the secret that is in use.
func (r *Runner) rollWith(ctx context.Context, a rotation.Action, m provider.RollMaker, keep time.Time) rotation.Outcome {
	old := r.state.Plan.Old
	if b := r.meantFor(a.Generation); b != nil {
		return r.rollLost(ctx, a, m, b, keep)
	}
	b, err := m.Make(old.Name)
	if err != nil {
		return failed(cred.Unsent, "nothing was sent: %v", err)
	}
	r.mean(a.Generation, b)
	h, err := m.RollWith(ctx, old, keep, b)
	if err == nil {
		return r.rolled(a, h, b, keep, "rolled "+h.Name+" to a secret that was made here")
	}
	o := fromError(err)
	if o.Class.NotApplied() && o.Class != cred.Conflict && !o.Maybe {
		r.mean(a.Generation, nil) // certainly not: if it is tried again, it is sent again
		return o
	}
	if found := r.rollLost(ctx, a, m, b, keep); found.Class == cred.Done {
		return found
	}
	return o
}

// rollLost tries the handle with the secret that was sent.
func (r *Runner) rollLost(ctx context.Context, a rotation.Action, m provider.RollMaker, b secret.Bundle, keep time.Time) rotation.Outcome {
	old := r.state.Plan.Old
	listed, err := r.Roles.Issuer.List(ctx)
	if err != nil {
		return stillLost(err)
	}
	h := old
	for _, l := range listed {
		if l.ID == old.ID {
			h = l
		}
	}
	switch works, err := m.Works(ctx, h, b); {
	case err != nil:
		return stillLost(err)
	case !works:
		return failed(cred.Unknown, "the answer was lost, and %s does not work with the secret that was sent", h.Name)
	}
	return r.rolled(a, h, b, keep, "rolled "+h.Name+"; the answer was lost, and it works with the secret that was made here")
}

// stillLost: that it cannot be looked for now says nothing of what happened, however
// clear this answer is.
func stillLost(err error) rotation.Outcome {
	o := fromError(err)
	o.Class = cred.Unknown
	o.Why = "the answer was lost, and whether it happened cannot be seen: " + o.Why
	return o
}

func (r *Runner) meantFor(generation int) secret.Bundle {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.meant[generation]
}

// mean notes what is about to be sent; nil: it was not.
func (r *Runner) mean(generation int, b secret.Bundle) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b == nil {
		delete(r.meant, generation)
		return
	}
	if r.meant == nil {
		r.meant = map[int]secret.Bundle{}
	}
	r.meant[generation] = b
}
