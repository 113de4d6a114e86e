package runner

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// rolledUnknown: a handle has had more secrets than the journal knows. If store or
// consumer hold another one than was observed, that is the one under way; the address
// is asked with it before anything else.
func (r *Runner) rolledUnknown(ctx context.Context, listed []cred.Handle, o rotation.Outcome) rotation.Outcome {
	known := r.state.Plan.Old.Version
	if r.state.Made != nil {
		known = r.state.Made.Handle.Version
	}
	for _, h := range listed {
		uncounted := h.Version == 0 && r.state.Made == nil // an issuer that counts no secrets
		if h.ID != r.state.Plan.Old.ID || h.Version <= known && !uncounted {
			continue
		}
		if !uncounted {
			o.Stray = true
			o.Why = "the issuer has given " + h.Name + " a new secret that the journal does not know"
		}
		key, b, makes, err := r.heldSince(ctx)
		if err != nil {
			return fromError(err)
		}
		if b != nil && r.madeOf(key, makes) {
			// Ours is known, and is where it was put: the one that came since is somebody else's.
			o.Evidence = append(o.Evidence, fmt.Sprintf("somebody else has changed the secrets of %s since this run did", h.Named()))
			continue
		}
		if b != nil {
			o.Handle, o.Makes, o.Generation, o.Stray = &h, makes, r.state.Generation, true
			if !h.Previous.IsZero() {
				o.Keep = &h.Previous
			}
			o.Held = append(o.Held, key)
			o.Evidence = append(o.Evidence, key+" holds another secret than before the run: it is taken for the new one")
			r.mu.Lock()
			r.fresh[o.Generation] = b
			r.mu.Unlock()
			if err := r.written(ctx, makes, &o); err != nil {
				return fromError(err)
			}
		}
	}
	return o
}

// madeOf reports whether a place holds what the generation under way makes, as the
// journal knows it.
func (r *Runner) madeOf(key string, makes map[string]map[string]cred.Fingerprint) bool {
	return r.state.Made != nil && maps.Equal(makes[key], r.state.Made.Makes[key])
}

// over notes that the old secret of a roll with grace has ended, whatever the journal
// knows of that: there is nothing to go back to. By our clock and by the issuer's; where
// its end was moved to before what the journal knows, by ours alone, for that was its end at
// once, which we wrote by our clock.
func (r *Runner) over(listed []cred.Handle, o *rotation.Outcome) {
	plan, our := r.state.Plan, r.Clock.Now()
	now := our
	if plan.Strategy != rotation.RollWithGrace || r.state.Final {
		return
	}
	if c, ok := r.Roles.Issuer.(provider.Clocked); ok {
		if ahead, told := c.Ahead(); told {
			now = now.Add(min(0, ahead))
		}
	}
	for _, h := range listed {
		by := now
		if h.Previous.Before(r.state.Keep) {
			by = our
		}
		if h.ID == plan.Old.ID && h.Version > plan.Old.Version && !h.Previous.IsZero() && !h.Previous.After(by) {
			o.Over = true
			o.Evidence = append(o.Evidence, "the secret of "+h.Name+" before the present one has ended")
		}
	}
}

// overTried is over where nothing tells of an end: the old secret is tried, as long as
// there may be something to go back to.
func (r *Runner) overTried(ctx context.Context, o *rotation.Outcome) error {
	maker, ok := r.Roles.Roller.(provider.RollMaker)
	if !ok || !r.Can.Lingers || r.state.Final || r.state.Plan.Strategy != rotation.RollWithGrace || slices.Contains(o.Missing, r.state.Plan.Old.ID) {
		return nil
	}
	old, err := r.oldBundle(ctx)
	if cred.ClassOf(err) == cred.Failed {
		return nil // nobody can tell, and nobody could be given it
	}
	if err != nil {
		return err
	}
	works, err := maker.Works(ctx, r.state.Plan.Old, old)
	if err == nil && !works {
		o.Over = true
		o.Evidence = append(o.Evidence, "the old secret of "+r.state.Plan.Old.Name+" does not work any more: there is nothing to go back to")
	}
	return err
}

// heldSince returns what store or consumer hold if it is not what was observed.
func (r *Runner) heldSince(ctx context.Context) (string, secret.Bundle, map[string]map[string]cred.Fingerprint, error) {
	spec := r.state.Plan.Spec
	other := func(p sop.Place, b secret.Bundle) (map[string]map[string]cred.Fingerprint, error) {
		if b == nil {
			return nil, nil
		}
		makes, err := r.fingerprints(spec, b)
		for _, slot := range p.SlotNames() {
			if makes[p.Key][slot] != r.seenExpected(p.Key, slot) {
				return makes, err
			}
		}
		return nil, err
	}
	stored, err := r.Roles.Store.Read(ctx, spec.Store.SlotNames())
	if err != nil {
		return "", nil, nil, err
	}
	b := r.inUse(spec, stored)
	if makes, err := other(spec.Store, b); makes != nil || err != nil {
		return spec.Store.Key, b, makes, err
	}
	for _, c := range append(slices.Clone(spec.Further), spec.Consumers...) {
		held, err := r.read(ctx, c)
		if err != nil {
			return "", nil, nil, err
		}
		b := r.heldBy(spec, c, held)
		if makes, err := other(c, b); makes != nil || err != nil {
			return c.Key, b, makes, err
		}
	}
	return "", nil, nil, nil
}
