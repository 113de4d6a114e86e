package runner

import (
	"context"
	"fmt"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
)

// quiet asks the issuer when the old generation was last used. It is unused when
// that is longer ago than the plan wants, by the issuer's own clock. An issuer whose
// clock is not known is believed only while the time that it tells stands still.
func (r *Runner) quiet(ctx context.Context, a rotation.Action) rotation.Outcome {
	listed, err := r.Roles.Issuer.List(ctx)
	if err != nil {
		return fromError(err)
	}
	o := r.usedBy(ctx, a, r.quietBy(ctx, a, listed))
	o.Stray = r.doubled(listed)
	return o
}

// quietBy goes by a list that was just read.
func (r *Runner) quietBy(ctx context.Context, a rotation.Action, listed []cred.Handle) rotation.Outcome {
	plan := r.state.Plan
	find := func(h cred.Handle) (cred.Handle, bool, error) {
		for _, x := range listed {
			if x.ID == h.ID {
				return x, true, nil
			}
		}
		gone, err := r.unlisted(ctx, h, listed)
		if err != nil || gone {
			return cred.Handle{}, false, err
		}
		x, err := r.find(ctx, h)
		return x, err == nil, err
	}
	if _, ok, err := find(*r.state.Made.Handle); err != nil {
		return fromError(err)
	} else if !ok {
		return failed(cred.Waiting, "the issuer does not list the new one yet")
	}
	old, ok, err := find(plan.Old)
	switch {
	case err != nil:
		return fromError(err)
	case !ok:
		return rotation.Outcome{Class: cred.Done, Evidence: []string{"the issuer no longer has the old one, in its list or by its id: somebody else deleted it"}}
	}
	if o := r.unused(ctx, a, old); o != nil {
		return *o
	}
	if old.LastSeen.IsZero() {
		return rotation.Outcome{Class: cred.Done, Evidence: []string{"the issuer tells no last use of the old one, so that nobody uses it is not known from there"}}
	}
	return r.lastUse(a, old)
}

// doubled reports whether a list shows something that bears a label of this run and that it
// does not know: a creation that was answered well may have been sent twice on its way.
func (r *Runner) doubled(listed []cred.Handle) bool {
	if r.state.Plan.Maker() != string(rotation.Create) {
		return false
	}
	strays, _ := r.unknown(listed)
	return len(strays) > 0
}

// lastUse goes by the time at which the old one was last used.
func (r *Runner) lastUse(a rotation.Action, old cred.Handle) rotation.Outcome {
	plan := r.state.Plan
	now, exact := r.issuerNow()
	ago := now.Sub(old.LastSeen)
	o := rotation.Outcome{Class: cred.Waiting, Seen: &old.LastSeen}
	if !exact {
		ago = r.stoodStill(a, old.LastSeen, &o)
	}
	if ago < plan.Spec.Timing.Quiet {
		o.Why = fmt.Sprintf("the old one was used %s ago: something unregistered still holds it", max(ago, 0).Round(time.Second))
		if !exact {
			o.Why = fmt.Sprintf("the issuer's clock is not known, and its last use of the old one, %s, has stood still for %s only", old.LastSeen.UTC().Format(time.TimeOnly), ago.Round(time.Second))
		}
		return o
	}
	o.Class = cred.Done
	o.Evidence = []string{fmt.Sprintf("the old one was last used %s ago", ago.Round(time.Second))}
	if !exact {
		o.Evidence = []string{fmt.Sprintf("the issuer's last use of the old one has stood still for %s", ago.Round(time.Second))}
	}
	return o
}

// issuerNow is the time by the issuer's clock; false if that is not known.
func (r *Runner) issuerNow() (time.Time, bool) {
	now := r.Clock.Now()
	c, ok := r.Roles.Issuer.(provider.Clocked)
	if !ok {
		return now, false
	}
	ahead, known := c.Ahead()
	if !known || !r.borneOut(ahead) {
		return now, false
	}
	// A Date is cut to the second: what was used this very second is not unused.
	return now.Add(ahead - time.Second), true
}

// clockTolerance is how far a vendor's Date and the times that it stamps may lie apart.
const clockTolerance = 5 * time.Second

// borneOut reports whether the clock that an issuer's answers tell is the one that it
// stamps times with: something between here and there may have set the Date. What it
// stamped is the creation of the new one, which this run made.
func (r *Runner) borneOut(ahead time.Duration) bool {
	p := r.state.Step(r.state.Plan.Maker())
	if r.state.Made == nil || r.state.Made.Handle == nil || r.state.Made.Handle.Created.IsZero() {
		return true // it stamps nothing that could be compared
	}
	stamped := r.state.Made.Handle.Created.Add(-ahead) // by our clock
	return stamped.After(p.First.Add(-clockTolerance)) && stamped.Before(p.Done.Add(clockTolerance))
}

// stoodStill is for how long, by our clock, the issuer has told this same last use.
func (r *Runner) stoodStill(a rotation.Action, seen time.Time, o *rotation.Outcome) time.Duration {
	now := r.Clock.Now().UTC()
	o.Since = &now
	if last := r.state.Step(a.Step.ID).Last; last != nil && last.Seen != nil && last.Since != nil && last.Seen.Equal(seen) {
		o.Since = last.Since
	}
	return now.Sub(*o.Since)
}
