package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

func (r *Runner) probe(url string) (sop.Probe, bool) {
	for _, p := range r.state.Plan.Spec.Validate {
		if p.URL == url {
			return p, true
		}
	}
	return sop.Probe{}, false
}

// validate asks the address with the new credential. It may learn of it late,
// so a refusal means "not yet" until the time that the plan allows.
func (r *Runner) validate(ctx context.Context, a rotation.Action) rotation.Outcome {
	p, ok := r.probe(a.Step.Target)
	if !ok {
		return failed(cred.Refused, "the plan knows no probe %s", a.Step.Target)
	}
	b, err := r.newBundle(ctx)
	if err == errLost {
		return lost()
	}
	if err != nil {
		return fromError(err)
	}
	verdict, detail, err := r.verdict(ctx, p, b)
	if err != nil {
		return fromError(err)
	}
	if verdict != cred.Accepted {
		why := fmt.Sprintf("%s (%s)", verdict, detail)
		first := r.state.Step(a.Step.ID).First
		if r.state.Made != nil && !first.IsZero() && r.Clock.Now().Sub(first)+10*r.state.Plan.Spec.Timing.Poll >= a.Step.Within {
			if how, err := r.otherwise(ctx); err == nil && how != "" { // it is about to be given up
				why += ": " + how
			}
		}
		return r.notLetIn(ctx, a, why)
	}
	if o := r.tooEarly(a); o != nil {
		return *o
	}
	if r.state.Step(a.Step.ID).Last != nil {
		// The address took a while to learn of the rule, which may have been written since.
		r.forgetRules()
		if o := r.notLetIn(ctx, a, "accepted, but the address may not have the change yet"); o.Class != cred.Waiting {
			return o
		}
	}
	which := "the new one: "
	if r.state.Plan.Strategy == rotation.Repair {
		which = "the protected address accepts it: "
	}
	return rotation.Outcome{Class: cred.Done, Evidence: []string{which + detail}}
}

// tooEarly: somebody had taken the new one out of a rule again, and it was named anew.
// An address that learns late may accept it by the first edit, and deny it as soon as
// it learns of what came between. So its answer counts only once it has had as long
// to learn of the last edit as it took for the first.
func (r *Runner) tooEarly(a rotation.Action) *rotation.Outcome {
	var named time.Time // for the last time
	for _, pl := range r.state.Plan.Seen.Admission.Places {
		if p := r.state.Step(string(rotation.Admit) + " " + pl.Key()); p.Redone && p.Done.After(named) {
			named = p.Done
		}
	}
	if named.IsZero() {
		return nil
	}
	now, p := r.Clock.Now().UTC(), r.state.Step(a.Step.ID)
	since := &now
	if p.Last != nil && p.Last.Since != nil {
		since = p.Last.Since
	}
	took := time.Duration(0)
	if !p.First.IsZero() {
		took = since.Sub(p.First)
	}
	if !now.Before(named.Add(took + r.state.Plan.Spec.Timing.Poll + time.Second)) {
		return nil
	}
	o := failed(cred.Waiting, "it is accepted, but the address may not have learned yet that somebody else had taken it out and that it was named anew")
	o.Since = since
	return &o
}

// notLetIn is "not yet", unless a rule does not name the new one any more: then it is
// named again.
func (r *Runner) notLetIn(ctx context.Context, a rotation.Action, why string) rotation.Outcome {
	o := failed(cred.Waiting, "%s", why)
	if r.state.Made == nil {
		return o
	}
	redo, names, err := r.unadmitted(ctx, a)
	if err == nil && len(redo) > 0 {
		o = failed(cred.Foreign, "%s: the new one is no longer named in %s: somebody else wrote it at the same time", why, strings.Join(names, ", "))
		o.Redo = redo
	}
	return o
}

// revalidate asks the address with the old credential, before anybody is given it
// again. It may learn late that it was switched on or named again.
func (r *Runner) revalidate(ctx context.Context, a rotation.Action) rotation.Outcome {
	p, ok := r.probe(a.Step.Target)
	if !ok {
		return failed(cred.Refused, "the plan knows no probe %s", a.Step.Target)
	}
	b, err := r.oldBundle(ctx)
	if err != nil {
		return fromError(err)
	}
	if o := r.takenAway(ctx); o != nil {
		return *o
	}
	verdict, detail, err := r.verdict(ctx, p, b)
	if err != nil {
		return fromError(err)
	}
	if verdict == cred.Unclear {
		// What is behind Access may be down because of the new one. A denial comes
		// from Access itself, and this answer did not.
		wrong, how, err := r.verdict(ctx, p, r.Roles.Prober.Wrong())
		if err == nil && wrong == cred.Rejected {
			if last := r.state.Step(a.Step.ID).Last; last == nil || last.Since == nil {
				// It may have been too busy to say so: that counts only if it is so again.
				now := r.Clock.Now().UTC()
				o := failed(cred.Waiting, "the protected address neither accepts nor denies the old one (%s)", detail)
				o.Since = &now
				return o
			}
			return rotation.Outcome{Class: cred.Done, Evidence: []string{fmt.Sprintf("the protected address does not deny the old one (%s), and denies a made-up one (%s)", detail, how)}}
		}
	}
	if verdict != cred.Accepted {
		return failed(cred.Waiting, "the old one, %s, is not accepted yet: %s (%s)", r.state.Plan.Old.Named(), verdict, detail)
	}
	return rotation.Outcome{Class: cred.Done, Evidence: []string{"the old one: " + detail}}
}

// takenAway looks, before the old one is given back to anybody, whether the issuer has
// it switched off or its rules do not name it, whatever the journal knows of that (it
// may have lost its tail, and a person may have done it): the address may not have learned
// of it yet. What is missing is done again first.
func (r *Runner) takenAway(ctx context.Context) *rotation.Outcome {
	plan := r.state.Plan
	if plan.Strategy != rotation.Replace || r.Unguarded {
		return nil
	}
	var redo, why []string
	h, err := r.find(ctx, plan.Old)
	switch {
	case err == nil && h.Disabled && !plan.Old.Disabled:
		redo, why = append(redo, string(rotation.Enable)), append(why, plan.Old.Name+" is switched off")
	case err != nil && !errors.Is(err, errNoFinder) && cred.ClassOf(err) != cred.Absent:
		o := fromError(err)
		return &o
	}
	for _, pl := range plan.Seen.Admission.Places {
		if !pl.Admits || !pl.NamesAny(plan.Old) || r.Roles.Admitter == nil {
			continue
		}
		now, err := r.look(ctx, pl, true)
		if err != nil {
			o := fromError(err)
			return &o
		}
		if !now.NamesAny(plan.Old) {
			redo = append(redo, string(rotation.Readmit)+" "+pl.Key())
			why = append(why, fmt.Sprintf("%s %q does not name it", pl.Kind, pl.Name))
		}
	}
	if redo = slices.DeleteFunc(redo, func(id string) bool { _, known := plan.Step(id); return !known }); len(redo) == 0 {
		return nil
	}
	o := failed(cred.Foreign, "before the old one is given to anybody: %s", strings.Join(why, "; "))
	o.Redo = redo
	return &o
}

// verdict asks the prober once. Where that has no words for what it saw, the verdict is
// what is told: a proof that says nothing is none.
func (r *Runner) verdict(ctx context.Context, p sop.Probe, b secret.Bundle) (cred.Verdict, string, error) {
	verdict, detail, err := r.Roles.Prober.Probe(ctx, p, b)
	if err == nil && detail == "" {
		detail = string(verdict)
	}
	return verdict, detail, err
}

// confirmGone asks the address with the old and with the new credential: one that
// denies everybody proves nothing.
func (r *Runner) confirmGone(ctx context.Context, a rotation.Action) rotation.Outcome {
	p, ok := r.probe(a.Step.Target)
	if !ok {
		return failed(cred.Refused, "the plan knows no probe %s", a.Step.Target)
	}
	old, fresh, err := r.bothBundles(ctx)
	if err != nil {
		return fromError(err)
	}
	var was, is cred.Verdict
	var wasDetail, isDetail string
	err = r.Together(
		func() (err error) { was, wasDetail, err = r.verdict(ctx, p, old); return err },
		func() (err error) { is, isDetail, err = r.verdict(ctx, p, fresh); return err },
	)
	switch {
	case err != nil:
		return fromError(err)
	case was != cred.Rejected:
		return failed(cred.Waiting, "the old one is still not denied (%s)", wasDetail)
	case is != cred.Accepted:
		why := fmt.Sprintf("the new one is not accepted (%s)", isDetail)
		if how, err := r.otherwise(ctx); err == nil && how != "" {
			return failed(cred.Waiting, "%s: %s", why, how) // no rule could help
		}
		return r.notLetIn(ctx, a, why)
	}
	return rotation.Outcome{Class: cred.Done, Evidence: []string{"the old one: " + wasDetail, "the new one: " + isDetail}}
}

// check runs one check of the procedure.
func (r *Runner) check(ctx context.Context, a rotation.Action) rotation.Outcome {
	for i, c := range r.state.Plan.Spec.Verify {
		if !a.Step.IsCheck(i) {
			continue
		}
		class, detail, err := r.ask(ctx, c, r.state.SettledAt(), r.newBundle)
		if err != nil {
			return fromError(err)
		}
		if class != cred.Done {
			return failed(class, "%s: %s", c.Title(), detail)
		}
		return rotation.Outcome{Class: cred.Done, Evidence: []string{detail}}
	}
	return failed(cred.Refused, "the plan knows no check %s", a.Step.Target)
}

// ask runs a check, and gives it on its standard input what rekey.yaml says.
func (r *Runner) ask(ctx context.Context, c sop.Check, since time.Time, bundle func(context.Context) (secret.Bundle, error)) (cred.Class, string, error) {
	if c.Stdin == "" {
		return r.Roles.Checker.Check(ctx, c, since)
	}
	feeds, ok := r.Roles.Checker.(provider.Feeds)
	if !ok {
		return "", "", &cred.Error{Vendor: "check", Op: c.Title(), Class: cred.Refused, Why: "nothing can be given to it"}
	}
	t, err := cred.ParseTemplate(c.Stdin)
	if err != nil {
		return "", "", &cred.Error{Vendor: "check", Op: c.Title(), Class: cred.Refused, Why: err.Error()}
	}
	b, err := bundle(ctx)
	if err != nil {
		return "", "", err
	}
	v, err := b.Render(t)
	if err != nil {
		return "", "", &cred.Error{Vendor: "check", Op: c.Title(), Class: cred.Refused, Why: err.Error()}
	}
	return feeds.CheckWith(ctx, c, since, v)
}
