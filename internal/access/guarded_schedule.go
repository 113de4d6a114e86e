package access

import (
	"context"

	"rekey/internal/estate"
	"rekey/internal/sop"
)

// Schedule has the credentials that whoever asks may see.
func (g *Guarded) Schedule(ctx context.Context) (estate.Schedule, error) {
	sees, err := g.sees(ctx, sop.OpDue)
	if err != nil {
		return estate.Schedule{}, err
	}
	s, err := g.inner.Schedule(ctx)
	if g.a.Can(ctx, sop.OpDue, "") != nil {
		s.Credentials = kept(s.Credentials, func(c estate.Scheduled) bool { return sees(c.Credential) })
		s.Begin, s.Ask = kept(s.Begin, sees), kept(s.Ask, sees)
		s.TakeUp, s.Failed = nil, nil // runs of whichever credential
	}
	return s, err
}

// Pause is for whoever may pause one credential: it is the brake.
func (g *Guarded) Pause(ctx context.Context, reason string) error {
	if err := g.Some(ctx, sop.OpPause); err != nil {
		return err
	}
	return g.inner.Pause(ctx, reason)
}

// Continue is for whoever may pause one credential.
func (g *Guarded) Continue(ctx context.Context, reason string) error {
	if err := g.Some(ctx, sop.OpPause); err != nil {
		return err
	}
	return g.inner.Continue(ctx, reason)
}

// Approvals are those about what whoever asks may see.
func (g *Guarded) Approvals(ctx context.Context) ([]estate.Approval, error) {
	sees, err := g.sees(ctx, sop.OpDue)
	if err != nil {
		return nil, err
	}
	all, err := g.inner.Approvals(ctx)
	return kept(all, func(s estate.Approval) bool { return s.Request != nil && sees(s.Request.Credential) }), err
}

// Approve is for whoever may approve for this credential. Whether this one wants a fresh
// sign-in is a matter of its rule.
func (g *Guarded) Approve(ctx context.Context, a estate.Answering) (estate.Approval, error) {
	a, err := g.answers(ctx, a)
	if err != nil {
		return estate.Approval{}, err
	}
	return g.inner.Approve(ctx, a)
}

// Refuse is for whoever may approve for this credential.
func (g *Guarded) Refuse(ctx context.Context, a estate.Answering) (estate.Approval, error) {
	a, err := g.answers(ctx, a)
	if err != nil {
		return estate.Approval{}, err
	}
	return g.inner.Refuse(ctx, a)
}

// TakeBack is of one's own: who may see it may ask.
func (g *Guarded) TakeBack(ctx context.Context, a estate.Answering) (estate.Approval, error) {
	var err error
	if a.About, _, err = g.about(ctx, sop.OpDue, a.About); err != nil {
		return estate.Approval{}, err
	}
	return g.inner.TakeBack(ctx, a)
}

func (g *Guarded) answers(ctx context.Context, a estate.Answering) (estate.Answering, error) {
	id, credential, err := g.about(ctx, sop.OpApprove, a.About)
	if err != nil {
		return a, err
	}
	a.About = id
	return a, g.a.Can(ctx, sop.OpApprove, credential)
}
