package runner

import (
	"context"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// following are the stores that follow the first, not looked at yet.
func following(spec sop.Spec) []rotation.StoreSeen {
	var out []rotation.StoreSeen
	for _, s := range spec.Further {
		out = append(out, rotation.StoreSeen{Key: s.Key})
	}
	return out
}

// furtherSeen notes what the stores that follow hold, as far as they could be asked, beside
// what a bundle makes. What foresee has told of them stays.
func (r *Runner) furtherSeen(spec sop.Spec, seen *rotation.Observation, held []map[string]provider.Held, b secret.Bundle) {
	for i, s := range spec.Further {
		if held[i] != nil {
			seen.Further[i].Slots = r.slotsSeen(s, held[i], b)
		}
	}
}

// foresee asks the stores for the rules that they have of their own, one after another.
func (r *Runner) foresee(ctx context.Context, spec sop.Spec, seen *rotation.Observation) error {
	if spec.Purpose == sop.ToRevoke || spec.Purpose == sop.ToDelete {
		return nil
	}
	err := r.foreseeOne(ctx, spec.Store, r.Roles.Store, &seen.Store, seen)
	for i, s := range spec.Further {
		if err == nil {
			err = r.foreseeOne(ctx, s, r.Roles.Further[s.Key], &seen.Further[i], seen)
		}
	}
	return err
}

// foreseeOne asks one of them. That its rules cannot be read stops nothing, and is never
// taken for their absence: it is told.
func (r *Runner) foreseeOne(ctx context.Context, place sop.Place, role provider.Store, at *rotation.StoreSeen, seen *rotation.Observation) error {
	store, ok := role.(provider.Foresight)
	if !ok {
		return nil
	}
	var writes []provider.Intended
	for _, s := range place.Slots {
		writes = append(writes, provider.Intended{Slot: s.Name, Like: s.Template.String()})
	}
	foreseen, err := store.Foresee(ctx, writes)
	switch cred.ClassOf(err) {
	case cred.Done:
	case cred.Denied, cred.Absent:
		foreseen.Told = append(foreseen.Told, "whether rules of the store stand against a write or a rollback is not known: "+Problems(err)[0])
	default:
		return err
	}
	at.Refused = foreseen.Refused
	seen.Advice = append(seen.Advice, foreseen.Told...)
	return nil
}

// history: what a store says about its history is a finding, unless it could not
// be asked at all. That we may not look is one as well, since asking again changes
// nothing, but it says nothing of the history.
func history(err error) (why string, unseen bool, _ error) {
	switch cred.ClassOf(err) {
	case cred.Done:
		return "", false, nil
	case cred.Denied:
		return err.Error(), true, nil
	case cred.Unknown, cred.Limited, cred.Unsent, cred.Waiting:
		return "", false, err
	}
	return err.Error(), false, nil
}

// inUse assembles the bundle that the store holds now, by the credential's own
// name if that is complete, otherwise by whichever names are.
func (r *Runner) inUse(spec sop.Spec, stored map[string]provider.Held) secret.Bundle {
	from := func(use func(sop.Slot) bool) secret.Bundle {
		return assemble(spec.Store, spec.Issuer.Fields, func(s sop.Slot) (secret.Value, bool) { return stored[s.Name].Value, use(s) })
	}
	if b := from(func(s sop.Slot) bool { return s.For == spec.Name }); b != nil {
		return b
	}
	return from(func(sop.Slot) bool { return true })
}

// slotsSeen compares what slots hold with what they should hold.
func (r *Runner) slotsSeen(p sop.Place, held map[string]provider.Held, b secret.Bundle) []rotation.SlotSeen {
	out := make([]rotation.SlotSeen, 0, len(p.Slots))
	for i, st := range r.states(p.Key, p.SlotNames(), held) {
		s := rotation.SlotSeen{SlotState: st, Problem: held[st.Slot].Problem, From: held[st.Slot].From, ReadBy: held[st.Slot].ReadBy}
		if b != nil {
			if v, err := b.Render(p.Slots[i].Template); err == nil {
				s.Expected = r.Keyer.Of(v)
			}
		}
		out = append(out, s)
	}
	return out
}
