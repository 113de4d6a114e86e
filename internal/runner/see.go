package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
)

// see is what a process looks at that takes a run up: the journal may have lost its
// tail (a restored backup, a snapshot), or another process may have gone on. Whatever
// bears a label of this run and is not known is found, and taken up if store or
// consumer hold it; that a generation no longer exists is found too.
func (r *Runner) see(ctx context.Context) error {
	before := r.calls()
	whole, done := r.whole(ctx)
	defer done()
	o := r.sighted(whole)
	o.Step, o.Calls = rotation.ResumeStep, r.calls()-before
	return r.append(ctx, rotation.Event{Kind: rotation.KindOutcome, Outcome: &o})
}

func (r *Runner) sighted(ctx context.Context) rotation.Outcome {
	plan, state := r.state.Plan, r.state
	if err := r.adopt(ctx, r.seenAs()); err != nil && !errors.Is(err, errLost) {
		return fromError(err)
	}
	listed, err := r.Roles.Issuer.List(ctx)
	if cred.ClassOf(err) == cred.Denied && r.byStored(ctx) {
		listed, err = r.Roles.Issuer.List(ctx)
	}
	if err != nil {
		return fromError(err)
	}
	o := rotation.Outcome{Class: cred.Done}
	oldEnded := state.Final && state.Step(string(rotation.Delete)).Status != rotation.Idle
	for _, h := range []*cred.Handle{&plan.Old, r.madeHandle()} {
		if h == nil || h.ID == "" || h == &plan.Old && oldEnded || r.discarded(h) {
			continue
		}
		var gone bool
		if _, ok := r.Roles.Issuer.(provider.Finder); ok {
			gone, err = r.unlisted(ctx, *h, listed)
		} else if h == &plan.Old || r.madeLongAgo() {
			gone, err = r.unlistedAgain(ctx, *h, listed)
		} // a list may be late with what was just made, and nothing else can say that it is gone
		if err != nil {
			return fromError(err)
		}
		if gone {
			o.Missing = append(o.Missing, h.ID)
			o.Evidence = append(o.Evidence, fmt.Sprintf("%s no longer exists", h.Named()))
		}
	}
	if r.state.Made != nil {
		if err := r.written(ctx, r.state.Made.Makes, &o); err != nil {
			return fromError(err)
		}
	}
	if err := r.givenBack(ctx, &o); err != nil {
		return fromError(err)
	}
	if plan.Maker() == string(rotation.Roll) {
		r.over(listed, &o)
		if err := r.overTried(ctx, &o); err != nil {
			return fromError(err)
		}
		return r.rolledUnknown(ctx, listed, o)
	}
	unknown, generation := r.unknown(listed)
	if len(unknown) == 0 {
		return r.changedSince(ctx, o)
	}
	o.Stray = true
	o.Why = "the issuer lists " + names(unknown) + ", which this run made and the journal does not know: the journal was restored to an earlier state, or an answer was lost"
	b, err := r.heldAnywhere(ctx, unknown)
	if err != nil {
		return fromError(err)
	}
	if b == nil {
		return o
	}
	makes, err := r.fingerprints(plan.Spec, b.bundle)
	if err != nil {
		return failed(cred.Unknown, "%v", err)
	}
	o.Held = append(o.Held, b.key)
	o.Handle, o.Makes, o.Generation = &b.handle, makes, generation[b.handle.ID]
	o.Evidence = append(o.Evidence, fmt.Sprintf("%s holds %s: it is the one of this run", b.key, b.handle.Named()))
	r.mu.Lock()
	r.fresh[o.Generation] = b.bundle
	r.mu.Unlock()
	if err := r.written(ctx, makes, &o); err != nil {
		return fromError(err)
	}
	return o
}

// madeLongAgo reports whether the new one was made so long ago that a list which is late
// has it by now.
func (r *Runner) madeLongAgo() bool {
	made := r.state.Step(r.state.Plan.Maker())
	return !made.Done.IsZero() && r.Clock.Now().Sub(made.Done) > arrives*r.state.Plan.Spec.Timing.Poll
}

// lateLists is how often a list that may be late is asked again.
const lateLists = 3

// unlistedAgain is unlisted where the issuer has nothing but its list: one that is paged
// may lose an entry once, but what lived before this run began is not missing from
// several in a row while it lives.
func (r *Runner) unlistedAgain(ctx context.Context, h cred.Handle, listed []cred.Handle) (bool, error) {
	for n := 1; ; n++ {
		if slices.ContainsFunc(listed, func(x cred.Handle) bool { return x.ID == h.ID }) {
			return false, nil
		}
		if n == lateLists {
			return true, nil
		}
		var err error
		if listed, err = r.Roles.Issuer.List(ctx); err != nil {
			return false, err
		}
	}
}

// changedSince asks again where nothing was made, as far as the journal knows, and the
// store holds something else than was observed: a list may show late what was made.
func (r *Runner) changedSince(ctx context.Context, o rotation.Outcome) rotation.Outcome {
	plan := r.state.Plan
	if r.state.Made != nil || plan.Strategy != rotation.Replace || r.state.Sight.Tries >= lateLists || r.state.Step(plan.Maker()).Status != rotation.Idle {
		return o
	}
	held, err := r.held(ctx, plan.Spec.Store, true)
	if err != nil {
		return fromError(err)
	}
	for _, s := range plan.Seen.Store.Slots {
		if held[s.Slot] != s.Fingerprint {
			return failed(cred.Unknown, "slot %s of %s holds something else than was observed, and the issuer lists nothing that it could be of", s.Slot, plan.Spec.Store.Key)
		}
	}
	return o
}

// written notes which places hold what the new one makes although the journal knows no
// write.
func (r *Runner) written(ctx context.Context, makes map[string]map[string]cred.Fingerprint, o *rotation.Outcome) error {
	for _, p := range r.state.Unwritten() {
		if slices.Contains(o.Held, p.Key) {
			continue
		}
		if _, _, store := r.state.Plan.Spec.OneOfStores(p.Key); r.state.Plan.Strategy == rotation.Rehearse && !store {
			continue // a rehearsal writes no consumer
		}
		held, err := r.held(ctx, p, true)
		if err != nil {
			return err
		}
		if r.rewritten(p.Key) {
			o.Held = append(o.Held, p.Key)
			o.Evidence = append(o.Evidence, p.Key+", which does not show what it holds, was written since it was observed, perhaps by this run")
			continue
		}
		for _, slot := range p.SlotNames() {
			if now := held[slot]; now != "" && now == makes[p.Key][slot] && now != r.seenExpected(p.Key, slot) {
				o.Held = append(o.Held, p.Key)
				o.Evidence = append(o.Evidence, p.Key+" holds the new one, by a write that the journal does not know")
				break
			}
		}
	}
	return nil
}

// givenBack notes which stores hold the new one no more, although the journal says that
// they were given it: no consumer is given it before they are again. Of the first store
// that does not show by itself, for its history still has the new one.
func (r *Runner) givenBack(ctx context.Context, o *rotation.Outcome) error {
	plan := r.state.Plan
	if r.state.Made == nil || r.state.Mode != rotation.Forward || r.state.Given() {
		return nil
	}
	for _, p := range plan.Spec.Stores() {
		if r.state.Step(plan.Writes(p.Key)).Status != rotation.Ended {
			continue
		}
		held, err := r.held(ctx, p, true)
		if err != nil {
			return err
		}
		if w := r.mismatch(p, held); w != "" {
			o.Redo = append(o.Redo, plan.Writes(p.Key))
			o.Evidence = append(o.Evidence, "it was given the new one, and no longer holds it: "+w)
		}
	}
	return nil
}

// seenAs is a step that reaches the issuer by the credential that still works there,
// where the one that is replaced is the issuer's own.
func (r *Runner) seenAs() rotation.Verb {
	for _, v := range []rotation.Verb{rotation.Disable, rotation.Delete} {
		if r.state.Step(string(v)).Status != rotation.Idle && r.state.Step(string(rotation.Enable)).Status != rotation.Ended {
			return rotation.Delete
		}
	}
	return rotation.Create
}

// byStored reaches the issuer by what the store holds, where the credential that is
// replaced is the issuer's own and has ended without the journal knowing it.
func (r *Runner) byStored(ctx context.Context) bool {
	self, ok := r.Roles.Issuer.(provider.Self)
	spec := r.state.Plan.Spec
	if !ok || !r.state.Plan.OfOurs() || r.state.Plan.Strategy != rotation.Replace {
		return false
	}
	stored, err := r.Roles.Store.Read(ctx, spec.Store.SlotNames())
	if err != nil {
		return false
	}
	b := r.inUse(spec, stored)
	if b != nil {
		self.Adopt(b)
	}
	return b != nil
}
