package runner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// bothBundles returns the secret of the old generation and that of the one under way.
func (r *Runner) bothBundles(ctx context.Context) (old, fresh secret.Bundle, err error) {
	if old, err = r.oldBundle(ctx); err == nil {
		fresh, err = r.newBundle(ctx)
	}
	return old, fresh, err
}

// newBundle returns the secret of the generation under way: from memory, or
// from the store once it is there, or from a consumer that was given it.
func (r *Runner) newBundle(ctx context.Context) (secret.Bundle, error) {
	r.mu.Lock()
	b := r.fresh[r.state.Generation]
	r.mu.Unlock()
	if b != nil {
		return b, nil
	}
	spec := r.state.Plan.Spec
	if r.state.Plan.Strategy == rotation.Repair && spec.Target != "" {
		return r.retaken(ctx)
	}
	held, err := r.Roles.Store.Read(ctx, spec.Store.SlotNames())
	if err != nil {
		return nil, err
	}
	b = assemble(spec.Store, spec.Issuer.Fields, func(s sop.Slot) (secret.Value, bool) {
		h := held[s.Name]
		return h.Value, r.Keyer.Of(h.Value) == r.state.Expected(spec.Store.Key, s.Name)
	})
	if b == nil {
		b = r.heldNew(ctx)
	}
	if b == nil {
		if b, err = r.storedBefore(ctx, held); err != nil && b == nil {
			return nil, err
		}
	}
	if b == nil {
		return nil, errLost
	}
	r.mu.Lock()
	r.fresh[r.state.Generation] = b
	r.mu.Unlock()
	return b, nil
}

// heldNew takes the secret of the generation under way from another store or a consumer
// that was given it, where somebody else has written the store since; nil if none shows it.
func (r *Runner) heldNew(ctx context.Context) secret.Bundle {
	spec := r.state.Plan.Spec
	for _, c := range spec.Places()[1:] {
		if r.state.Step(r.state.Plan.Writes(c.Key)).Status != rotation.Ended {
			continue
		}
		held, err := r.read(ctx, c)
		if err != nil {
			continue
		}
		b := r.heldBy(spec, c, held)
		if b == nil {
			continue
		}
		makes, err := r.fingerprints(spec, b)
		if err == nil && r.state.Made != nil && maps.Equal(makes[c.Key], r.state.Made.Makes[c.Key]) && maps.Equal(makes[spec.Store.Key], r.state.Made.Makes[spec.Store.Key]) {
			return b
		}
	}
	return nil
}

// oldBundle returns the secret of the generation that is being replaced: from
// memory, from the store as it is, from the store's history, or from a consumer that
// holds it still. What comes from there is compared with what was observed, for a
// history can lie.
func (r *Runner) oldBundle(ctx context.Context) (secret.Bundle, error) {
	r.mu.Lock()
	b := r.old
	r.mu.Unlock()
	if b != nil {
		return b, nil
	}
	plan := r.state.Plan
	held, err := r.Roles.Store.Read(ctx, plan.Spec.Store.SlotNames())
	if err != nil {
		return nil, err
	}
	seen := map[string]rotation.SlotSeen{}
	for _, s := range plan.Seen.Store.Slots {
		seen[s.Slot] = s
	}
	var history error
	b = assemble(plan.Spec.Store, plan.Spec.Issuer.Fields, func(s sop.Slot) (secret.Value, bool) {
		was := seen[s.Name]
		if !was.Present {
			return secret.Value{}, false
		}
		if h := held[s.Name]; r.Keyer.Of(h.Value) == was.Fingerprint {
			return h.Value, true
		}
		v, err := r.Roles.Store.ReadVersion(ctx, s.Name, was.Version)
		if err != nil {
			history = err
			return secret.Value{}, false
		}
		return v, r.Keyer.Of(v) == was.Fingerprint
	})
	if b == nil && (cred.ClassOf(history) == cred.Unknown || cred.ClassOf(history) == cred.Limited) {
		return nil, history
	}
	if b == nil {
		var holders []string
		if b, holders = r.heldStill(ctx); b == nil {
			why := "the history does not hold what was there before this run"
			if history != nil {
				why = Problems(history)[0]
			}
			return nil, &cred.Error{Vendor: plan.Spec.Store.Vendor, Op: "read the old values from history", Class: cred.Failed, Why: why + "; " + whereStill(holders)}
		}
	}
	r.mu.Lock()
	r.old = b
	r.mu.Unlock()
	return b, nil
}

// heldStill takes the old bundle from a consumer, or from a store that follows, whose
// slots are as they were observed. holders hold it in a form that gives it not back.
func (r *Runner) heldStill(ctx context.Context) (b secret.Bundle, holders []string) {
	plan := r.state.Plan
	old := map[string]cred.Fingerprint{}
	for _, s := range plan.Seen.Store.Slots {
		old[s.Slot] = s.Expected
	}
	for _, c := range append(slices.Clone(plan.Spec.Consumers), plan.Spec.Further...) {
		now, err := r.read(ctx, c)
		if err != nil {
			continue
		}
		held := map[string]provider.Held{}
		for _, s := range r.seenSlots(c.Key) {
			if h := now[s.Slot]; s.Present && s.Fingerprint == s.Expected && r.Keyer.Of(h.Value) == s.Fingerprint {
				held[s.Slot] = h
			}
		}
		if len(held) == 0 {
			continue
		}
		holders = append(holders, c.Key)
		vs, err := values(plan.Spec.Store, r.heldBy(plan.Spec, c, held))
		right := err == nil
		for _, v := range vs {
			right = right && (old[v.Slot] == "" || r.Keyer.Of(v.Value) == old[v.Slot])
		}
		if right {
			return r.heldBy(plan.Spec, c, held), holders
		}
	}
	return nil, holders
}

// whereStill says where an old value is, which the store cannot give back.
func whereStill(holders []string) string {
	if len(holders) == 0 {
		return "no other registered place holds the old value any more"
	}
	return "the old value is still held by " + strings.Join(holders, " and ")
}

// assemble puts a bundle together from slots that hold one field alone; nil if a
// field is missing.
func assemble(p sop.Place, fields []string, value func(sop.Slot) (secret.Value, bool)) secret.Bundle {
	b := secret.Bundle{}
	for _, s := range p.Slots {
		field, alone := s.Template.Alone()
		if !alone || b[field].Present() {
			continue
		}
		if v, ok := value(s); ok && v.Present() {
			b[field] = v
		}
	}
	if !b.Complete(fields) {
		return nil
	}
	return b
}

// values renders a place's slots from a bundle; a slot that is dropped gets none.
func values(p sop.Place, b secret.Bundle) ([]provider.SlotValue, error) {
	out := make([]provider.SlotValue, 0, len(p.Slots))
	for _, s := range p.Slots {
		if s.Dropped {
			out = append(out, provider.SlotValue{Slot: s.Name})
			continue
		}
		v, err := b.Render(s.Template)
		if err != nil {
			return nil, fmt.Errorf("%s: slot %s: %w", p.Key, s.Name, err)
		}
		out = append(out, provider.SlotValue{Slot: s.Name, Value: v})
	}
	return out, nil
}

// fingerprints of everything that would be made from a bundle, by place and slot.
func (r *Runner) fingerprints(spec sop.Spec, b secret.Bundle) (map[string]map[string]cred.Fingerprint, error) {
	out := map[string]map[string]cred.Fingerprint{}
	for _, p := range spec.Places() {
		vs, err := values(p, b)
		if err != nil {
			return nil, err
		}
		out[p.Key] = map[string]cred.Fingerprint{}
		for _, v := range vs {
			out[p.Key][v.Slot] = r.Keyer.Of(v.Value)
		}
	}
	return out, nil
}

// states turns what the slots of a place hold into what may be shown.
func (r *Runner) states(place string, names []string, held map[string]provider.Held) []cred.SlotState {
	out := make([]cred.SlotState, 0, len(names))
	for _, n := range names {
		h := held[n]
		s := cred.SlotState{Slot: n, Present: h.Present, Version: h.Version, Fingerprint: r.print(place, n, h)}
		if h.Hidden {
			s.Hidden, s.Written = true, h.Written.UTC()
		}
		out = append(out, s)
	}
	return out
}
