package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

const (
	// justNow is how old a look may be that still counts as made right before. Several
	// steps that take something away follow each other within it and share one look.
	justNow = 2 * time.Second
	// lately is the same before switching off, which is undone at once if it was wrong:
	// there the answer to a write of ours counts, too.
	lately = 3 * time.Second
)

// arrives is how long, in polls, a request whose answer was lost is waited for before it
// is made once more: it may lie in a queue of the vendor's.
const arrives = 5

// guard looks, right before something is taken away from a generation, whether
// stores and consumers hold it, and whether the rules name the one that they should
// hold instead. Nothing was touched when it returns an outcome; nil: go on.
func (r *Runner) guard(ctx context.Context, a rotation.Action) *rotation.Outcome {
	plan := r.state.Plan
	if plan == nil || r.Unguarded || !guarded(plan.Strategy) && a.Step.Verb != rotation.Roll {
		return nil
	}
	switch a.Step.Verb {
	case rotation.Roll:
		return r.guardRoll(ctx)
	case rotation.Disable, rotation.Dismiss, rotation.Delete, rotation.Expire:
		return r.guardOld(ctx, a)
	case rotation.Withdraw, rotation.Discard:
		if r.state.Made != nil {
			return r.guardNew(ctx)
		}
	case rotation.Enable, rotation.Readmit:
		return r.guardAgain(ctx, a)
	}
	return nil
}

// guardRoll: nobody else has rolled it since it was observed. Another roll would end the
// secret that is in use. One of our own whose answer was lost is looked for elsewhere.
func (r *Runner) guardRoll(ctx context.Context) *rotation.Outcome {
	old := r.state.Plan.Old
	p := r.state.Step(string(rotation.Roll))
	if p.Maybe || r.meantFor(r.state.Generation) != nil {
		return nil
	}
	listed, err := r.Roles.Issuer.List(ctx)
	if err != nil {
		o := fromError(err)
		return &o
	}
	ours := r.state.Final || r.state.Generation > 1 // a roll of this run whose secret was lost
	for _, h := range listed {
		if h.ID == old.ID && !ours && (h.Version != old.Version || !h.Previous.Equal(old.Previous)) {
			o := failed(cred.Foreign, "nothing was rolled: somebody else has changed the secrets of %s since it was observed", h.Named())
			return &o
		}
		// Another roll before a lost one arrives would be ended by that one. Nobody is without
		// meanwhile: by the list, the old one works.
		if h.ID == old.ID && ours && p.First.IsZero() && h.Version == old.Version && h.Version != 0 && h.Previous.Equal(old.Previous) {
			o := failed(cred.Limited, "the roll whose answer was lost has not happened, and may still: Rekey waits for it before trying another")
			o.RetryAfter = arrives * r.state.Plan.Spec.Timing.Poll
			return &o
		}
	}
	gone, err := r.unlisted(ctx, old, listed)
	switch {
	case err != nil:
		o := fromError(err)
		return &o
	case gone:
		o := failed(cred.Foreign, "nothing was rolled: %s no longer exists", old.Named())
		return &o
	}
	return nil
}

// guardAgain waits, before the old one is switched on or named again, until the
// protected address was seen to deny it. An address that does not have the revocation
// of the old one yet accepts it for that reason alone, which would prove nothing:
// whoever is given it then loses access as soon as the address catches up. It waits
// for as long as the plan gives an address to learn of such a change.
func (r *Runner) guardAgain(ctx context.Context, a rotation.Action) *rotation.Outcome {
	since := r.state.Step(a.Step.ID).First // the first look, since the last resume
	late := !since.IsZero() && r.Clock.Now().Sub(since) >= r.state.Plan.Spec.Timing.Confirm
	if late || r.state.Plan.Strategy != rotation.Replace {
		return nil
	}
	for _, p := range r.state.Plan.Spec.Validate {
		if r.state.Step(string(rotation.Denied)+" "+p.URL).Status == rotation.Ended {
			continue
		}
		var verdict cred.Verdict
		var detail string
		b, err := r.oldBundle(ctx)
		if err == nil {
			verdict, detail, err = r.verdict(ctx, p, b)
		}
		switch {
		case err != nil:
			detail = Problems(err)[0]
		case verdict == cred.Rejected:
			continue
		case verdict == cred.Accepted:
			o := failed(cred.Waiting, "%s does not have the revocation of the old one yet (%s); its answer proves nothing until then", p.Title(), detail)
			return &o
		}
		// An answer that is none is not a denial: it may be as late as before.
		o := failed(cred.Waiting, "whether %s has the revocation of the old one cannot be seen (%s); its answer proves nothing until then", p.Title(), detail)
		return &o
	}
	return nil
}

// guarded: in an emergency a person has typed the name after reading who is left
// without; a rehearsal ends what nobody else ever got.
func guarded(strategy string) bool {
	return strategy == rotation.Replace || strategy == rotation.RollWithGrace
}

// beforehand is the outcome where what a guard looks at could not be seen.
func beforehand(err error) *rotation.Outcome {
	o := fromError(err)
	o.Why = "before anything is taken away: " + o.Why
	return &o
}

// guardOld: nobody holds the old one, everybody holds the new one, and the rules
// name the new one.
func (r *Runner) guardOld(ctx context.Context, a rotation.Action) *rotation.Outcome {
	if r.state.Made == nil {
		o := failed(cred.Foreign, "there is no new one")
		return &o
	}
	sure := a.Step.Verb != rotation.Disable
	var keys, why, redo, missing []string
	around := r.lookAround(ctx, sure, func() (err error) { redo, missing, err = r.unadmitted(ctx, a); return err })
	if around.err != nil {
		return beforehand(around.err)
	}
	for i, p := range r.places() {
		if w := r.mismatch(p, around.held[i]); w != "" {
			keys, why = append(keys, p.Key), append(why, w)
		}
	}
	switch {
	case len(keys) > 0:
		o := failed(cred.Foreign, "nothing was taken away: %s", strings.Join(why, "; "))
		o.Held = keys
		return &o
	case len(redo) > 0:
		if how, err := r.otherwise(ctx); err == nil && how != "" {
			o := failed(cred.Foreign, "nothing was taken away: %s", how) // no rule could help
			o.Unproven = true
			return &o
		}
		o := failed(cred.Foreign, "the new one is no longer named in %s: somebody else wrote it at the same time", strings.Join(missing, ", "))
		o.Redo = redo
		return &o
	}
	if o := r.guardRuns(r.state.Plan.Spec.Consumers, around.ran); o != nil {
		return o
	}
	if sure {
		return r.guardWorks(ctx)
	}
	return nil
}

// mismatch says how a place does not hold what the new generation makes; "" if it does.
func (r *Runner) mismatch(p sop.Place, held map[string]cred.Fingerprint) string {
	for _, slot := range p.SlotNames() {
		want, now := r.state.Expected(p.Key, slot), held[slot]
		switch {
		case now == want:
		case now != "" && now == r.oldPrint(p.Key, slot):
			return fmt.Sprintf("%s holds the old one in slot %s", p.Key, slot)
		case now == "" && r.hides(p.Key, slot):
			return fmt.Sprintf("slot %s of %s, which does not show what it holds, was written by somebody else", slot, p.Key)
		default:
			return fmt.Sprintf("slot %s of %s was changed by somebody else: it holds %s instead of %s", slot, p.Key, now.Short(), want.Short())
		}
	}
	return ""
}

// unadmitted returns the rules that no longer name the new one.
func (r *Runner) unadmitted(ctx context.Context, a rotation.Action) (redo, names []string, err error) {
	plan := r.state.Plan
	if plan.Strategy != rotation.Replace || r.Roles.Admitter == nil {
		return nil, nil, nil
	}
	var errs []error
	for _, pl := range plan.Seen.Admission.Places {
		if !pl.Admits || a.Step.Verb == rotation.Dismiss && a.Step.Target == pl.Key() {
			continue // the edit itself reads it right before it writes, and tells
		}
		now, err := r.look(ctx, pl, a.Step.Verb != rotation.Disable)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if !now.NamesAny(*r.state.Made.Handle) {
			redo = append(redo, string(rotation.Admit)+" "+pl.Key())
			names = append(names, fmt.Sprintf("%s %q", pl.Kind, pl.Name))
		}
	}
	return redo, names, errors.Join(errs...)
}

// guardNew: nobody holds the new one. Who does is given the old one once more.
func (r *Runner) guardNew(ctx context.Context) *rotation.Outcome {
	var redo, why []string
	places := r.places()
	held, looks := r.lookingAt(ctx, places, true)
	if err := r.Together(looks...); err != nil {
		return beforehand(err)
	}
	for i, p := range places {
		holds := false
		for _, slot := range p.SlotNames() {
			if now := held[i][slot]; now != "" && now == r.newPrint(p.Key, slot) {
				holds, why = true, append(why, p.Key+" holds the new one in slot "+slot)
			}
		}
		if !holds {
			continue
		}
		redo = append(redo, r.state.Plan.GivesBack(p.Key))
		if r.Roles.Consumers[p.Key] != nil {
			redo = append(redo, string(rotation.Resettle)+" "+p.Key)
		}
	}
	if len(redo) == 0 {
		return r.guardRunsBack(ctx)
	}
	o := failed(cred.Foreign, "nothing was taken away: %s", strings.Join(why, "; "))
	o.Redo = slices.DeleteFunc(redo, func(id string) bool { _, known := r.state.Plan.Step(id); return !known })
	return &o
}
