package runner

import (
	"context"
	"fmt"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// asked returns who is seen to use a generation; tells is false where the issuer cannot.
func (r *Runner) asked(ctx context.Context, h cred.Handle) (users []rotation.User, tells bool, err error) {
	p, tells := r.Roles.Issuer.(provider.Users)
	if !tells {
		return nil, false, nil
	}
	seen, err := p.Users(ctx, h)
	for _, u := range seen {
		users = append(users, rotation.User{Name: u.Name, From: u.From, Count: max(u.Count, 1), Since: u.Since.UTC(), Last: u.Last.UTC()})
	}
	return users, true, err
}

// unused waits while somebody is seen to use the old one, by name; nil: nobody has been
// for as long as the plan wants, or the issuer does not tell.
func (r *Runner) unused(ctx context.Context, a rotation.Action, old cred.Handle) *rotation.Outcome {
	users, tells, err := r.asked(ctx, old)
	switch {
	case err != nil:
		o := fromError(err)
		return &o
	case !tells:
		return nil
	case len(users) > 0:
		o := failed(cred.Waiting, "the old one is in use: %s", rotation.Named(users))
		return &o
	}
	// Who comes back every now and then is seen only if it is looked for a while.
	now := r.Clock.Now().UTC()
	since := &now
	if last := r.state.Step(a.Step.ID).Last; last != nil && last.Since != nil && last.Seen == nil {
		since = last.Since
	}
	want, so := r.state.Plan.Spec.Timing.Quiet, now.Sub(*since)
	if so < want {
		o := failed(cred.Waiting, "nobody has been seen to use the old one for %s", coarse(so))
		o.Since, o.RetryAfter = since, min(want-so, want/4)
		return &o
	}
	if !old.LastSeen.IsZero() {
		return nil
	}
	return &rotation.Outcome{Class: cred.Done, Since: since, Evidence: []string{fmt.Sprintf("the issuer was asked for %s who uses the old one, and saw nobody", coarse(so))}}
}

// users notes who uses the generation in use, for people; that it cannot be seen is told.
func (r *Runner) users(ctx context.Context, h cred.Handle, seen *rotation.Observation) {
	users, _, err := r.asked(ctx, h)
	if err != nil {
		seen.Advice = append(seen.Advice, "who uses it now could not be seen: "+Problems(err)[0])
		return
	}
	seen.Users = users
}

// usedNow notes, in an emergency, who uses the generation that is meant and so goes
// without. It keeps nothing from going on.
func (r *Runner) usedNow(ctx context.Context, spec sop.Spec, seen *rotation.Observation) {
	if spec.Purpose != sop.ToRevoke && spec.Purpose != sop.ToDelete {
		return
	}
	for _, h := range seen.Issuer.Live {
		if spec.Target == "" && h.ID == seen.Issuer.Owner || spec.Target != "" && (h.ID == spec.Target || h.Name == spec.Target || h.Public == spec.Target) {
			users, _, err := r.asked(ctx, h)
			if seen.Users = users; err != nil {
				seen.Unseen = append(seen.Unseen, Problems(err)...)
			}
			return
		}
	}
}

// foreseeEnd asks the issuer what will fail at the end of a run, before anything is
// made. That it cannot tell stops nothing, and is told.
func (r *Runner) foreseeEnd(ctx context.Context, spec sop.Spec, seen *rotation.Observation) error {
	issuer, ok := r.Roles.Issuer.(provider.EndForesight)
	old := seen.Issuer.InUse()
	if !ok || old == nil || spec.Purpose != "" && spec.Purpose != sop.AfterRevoke {
		return nil
	}
	foreseen, err := issuer.ForeseeEnd(ctx, *old)
	switch cred.ClassOf(err) {
	case cred.Done:
	case cred.Denied, cred.Absent:
		foreseen.Told = append(foreseen.Told, "whether the old one can be ended afterwards is not known: "+Problems(err)[0])
	default:
		return err
	}
	seen.Issuer.Refused = foreseen.Refused
	seen.Advice = append(seen.Advice, foreseen.Told...)
	return nil
}

// coarse is a span for people: whole seconds, and below that no more than there were.
func coarse(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Second)
}
