package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/vendorhttp"
)

// do tries steps side by side: one append for all intents, one for each outcome
// as it arrives.
func (r *Runner) do(ctx context.Context, actions []rotation.Action) error {
	actions, err := r.allowed(ctx, actions)
	if err != nil || len(actions) == 0 {
		return err
	}
	var effects []string
	for _, a := range actions {
		if a.Step.Verb.Effect() {
			effects = append(effects, a.Step.ID)
		}
	}
	if len(effects) > 0 {
		in := &rotation.Intent{Steps: effects, Generation: r.state.Generation}
		if r.Lease != nil {
			in.Until = r.Lease.Until().UTC()
		}
		if err := r.append(ctx, rotation.Event{Kind: rotation.KindIntent, Intent: in}); err != nil {
			return err
		}
	}
	if r.Starts != nil {
		r.Starts(actions)
	}
	inFlight, done := r.whole(ctx)
	defer done()
	if r.state.Mode == rotation.Back {
		inFlight = vendorhttp.Urgently(inFlight) // somebody may be without access
	}
	calls := make([]func() error, len(actions))
	var happened []rotation.Event // folded once nobody reads the state any more
	for i, a := range actions {
		calls[i] = func() error {
			before := r.calls()
			o := r.tried(inFlight, a)
			o.Step, o.Generation = a.Step.ID, a.Generation
			if len(actions) == 1 {
				o.Calls = r.calls() - before
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			events := []rotation.Event{{Kind: rotation.KindOutcome, Outcome: &o}}
			if err := r.record(ctx, events...); err != nil {
				return err
			}
			happened = append(happened, events...)
			return nil
		}
	}
	err = r.Together(calls...)
	for _, e := range happened {
		r.state.Apply(e)
	}
	return err
}

// allowed leaves out what must not be done now, because of what was seen right
// before it, and notes why. There is no intent yet, so nothing has happened.
func (r *Runner) allowed(ctx context.Context, actions []rotation.Action) ([]rotation.Action, error) {
	var out []rotation.Action
	looking, done := r.whole(ctx)
	defer done()
	for _, a := range actions {
		before := r.calls()
		o := r.guard(looking, a)
		if o == nil {
			out = append(out, a)
			continue
		}
		o.Step, o.Generation, o.Calls = a.Step.ID, a.Generation, r.calls()-before
		if err := r.append(ctx, rotation.Event{Kind: rotation.KindOutcome, Outcome: o}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// act tries one step once.
func (r *Runner) act(ctx context.Context, a rotation.Action) rotation.Outcome {
	if err := r.adopt(ctx, a.Step.Verb); err != nil {
		return fromError(err)
	}
	switch a.Step.Verb {
	case rotation.Take:
		return r.take(ctx)
	case rotation.Create:
		return r.create(ctx, a)
	case rotation.Roll:
		return r.roll(ctx, a)
	case rotation.Extend, rotation.Expire:
		return r.keep(ctx, a)
	case rotation.Prolong:
		return r.prolong(ctx)
	case rotation.Disable, rotation.Enable:
		return r.flip(ctx, a)
	case rotation.Admit, rotation.Dismiss, rotation.Readmit, rotation.Withdraw:
		return r.edit(ctx, a)
	case rotation.Validate:
		return r.validate(ctx, a)
	case rotation.Store:
		return r.store(ctx, a)
	case rotation.Restore:
		return r.restore(ctx, a)
	case rotation.Propagate:
		return r.propagate(ctx, a)
	case rotation.Return:
		return r.giveBack(ctx, a)
	case rotation.Apply, rotation.Reapply:
		return r.apply(ctx, a)
	case rotation.Settle, rotation.Resettle:
		return r.settle(ctx, a)
	case rotation.Check:
		return r.check(ctx, a)
	case rotation.Survey:
		return r.survey(ctx, a)
	case rotation.Quiet:
		return r.unseen(ctx, a, r.quiet(ctx, a))
	case rotation.Pause:
		return rotation.Outcome{Class: cred.Done}
	case rotation.Watch:
		return r.watch(ctx, a)
	case rotation.Running:
		return r.running(ctx)
	case rotation.Revalidate:
		return r.revalidate(ctx, a)
	case rotation.Look:
		return r.lookBack(ctx, a)
	case rotation.Delete:
		return r.delete(ctx)
	case rotation.Discard:
		return r.discard(ctx)
	case rotation.Confirm:
		return r.confirmGone(ctx, a)
	case rotation.Denied:
		return r.denied(ctx, a)
	case rotation.Gone:
		return r.gone(ctx)
	case rotation.Sweep:
		return r.sweep(ctx)
	case rotation.Remove:
		return r.remove(ctx, a)
	}
	return failed(cred.Refused, "this version of Rekey does not know the step %s", a.Step.Verb)
}

// outcomeOf classifies an error of one or several calls. Of several, the one
// that waiting helps least decides.
func outcomeOf(step string, err error) rotation.Outcome {
	o := rotation.Outcome{Step: step, Class: cred.ClassOf(err)}
	if err == nil {
		return o
	}
	o.Why = err.Error()
	for _, e := range leaves(err) {
		if rank(cred.ClassOf(e)) > rank(o.Class) {
			o.Class = cred.ClassOf(e)
		}
		o.RetryAfter = max(o.RetryAfter, cred.RetryAfter(e))
		if ce, ok := errors.AsType[*cred.Error](e); ok {
			o.Maybe = o.Maybe || ce.Maybe
		}
	}
	return o
}

// Problems takes joined errors apart into lines. What one vendor answered to
// several calls for the same reason is said once.
func Problems(err error) []string {
	if err == nil {
		return nil
	}
	var order []string
	ops, same := map[string][]string{}, map[string]*cred.Error{}
	for _, e := range leaves(err) {
		ce, ok := errors.AsType[*cred.Error](e)
		if !ok {
			order = append(order, e.Error())
			continue
		}
		key := fmt.Sprintf("%s|%s|%d|%s|%s", ce.Vendor, ce.Class, ce.Status, ce.Code, ce.Why)
		if same[key] == nil {
			order = append(order, key)
			same[key] = ce
		}
		if !slices.Contains(ops[key], ce.Op) { // one login stands before many requests
			ops[key] = append(ops[key], ce.Op)
		}
	}
	for i, key := range order {
		if ce := same[key]; ce != nil {
			all := *ce
			all.Op = strings.Join(ops[key], ", ")
			order[i] = all.Error()
		}
	}
	return order
}

// leaves takes joined errors apart.
func leaves(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, e := range many.Unwrap() {
			out = append(out, leaves(e)...)
		}
		return out
	}
	return []error{err}
}

func rank(c cred.Class) int {
	switch c {
	case cred.Done:
		return 0
	case cred.Waiting:
		return 1
	case cred.Limited:
		return 2
	case cred.Unknown:
		return 3
	}
	return 4
}

func failed(c cred.Class, format string, args ...any) rotation.Outcome {
	return rotation.Outcome{Class: c, Why: fmt.Sprintf(format, args...)}
}

func fromError(err error) rotation.Outcome { return outcomeOf("", err) }

// afterEffect is the outcome of a step of which a part has been done before
// another call failed: however clear that failure, the step may have happened.
func afterEffect(err error) rotation.Outcome {
	o := fromError(err)
	o.Partly = true
	if o.Class.NotApplied() && o.Class != cred.Limited {
		o.Class = cred.Unknown
	}
	return o
}

// errLost means that a bundle is neither in memory nor in the store.
var errLost = errors.New("the secret is neither in memory nor in the store")

func lost() rotation.Outcome {
	return rotation.Outcome{Class: cred.Absent, Lost: true, Why: errLost.Error()}
}
