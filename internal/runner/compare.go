package runner

import (
	"context"
	"sync"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// Compare looks at issuer, rules, every store and every consumer, read-only, for what
// disagrees; protected addresses and checks are not asked. What could not be seen is told under
// Unseen and leaves its part empty: no list (nil), no rules (nil), no slots.
func (r *Runner) Compare(ctx context.Context, spec sop.Spec) rotation.Observation {
	seen := rotation.Observation{At: r.Clock.Now().UTC(), Further: following(spec), Consumers: make([]rotation.ConsumerSeen, len(spec.Consumers))}
	aside := setAside(&seen.Unseen)
	var stored map[string]provider.Held
	further := make([]map[string]provider.Held, len(spec.Further))
	snapshots := make([]provider.Snapshot, len(spec.Consumers))
	calls := []func() error{
		func() (err error) { seen.Issuer.Live, err = r.Roles.Issuer.List(ctx); aside(err); return nil },
		func() (err error) {
			stored, err = r.Roles.Store.Read(ctx, spec.Store.SlotNames())
			aside(err)
			return nil
		},
	}
	if r.Roles.Admitter != nil {
		calls = append(calls, func() error {
			a, err := r.Roles.Admitter.Places(ctx)
			seen.Admission = rotation.AdmissionSeen{Places: a.Places, Everyone: a.Everyone}
			aside(err)
			return nil
		})
	}
	for i, s := range spec.Further {
		calls = append(calls, func() (err error) {
			further[i], err = r.Roles.Further[s.Key].Read(ctx, s.SlotNames())
			aside(err)
			return nil
		})
	}
	for i, c := range spec.Consumers {
		calls = append(calls, func() (err error) {
			snapshots[i], err = r.Roles.Consumers[c.Key].Snapshot(ctx, c.SlotNames())
			aside(err)
			return nil
		})
	}
	_ = r.Together(calls...) // each has noted its own

	b := r.inUse(spec, stored)
	if stored != nil {
		seen.Store.Slots = r.slotsSeen(spec.Store, stored, b)
	}
	r.furtherSeen(spec, &seen, further, b)
	for i, c := range spec.Consumers {
		seen.Consumers[i].Key = c.Key
		if s := snapshots[i]; s.Slots != nil {
			seen.Consumers[i] = r.consumerSeen(c, s, b)
		}
	}
	if seen.Issuer.Live == nil {
		return seen
	}
	owner := func(b secret.Bundle) string {
		if b == nil {
			return ""
		}
		id, err := r.Roles.Issuer.Owner(ctx, b, seen.Issuer.Live)
		if cred.ClassOf(err) != cred.Done {
			aside(err)
		}
		return id
	}
	if b != nil {
		if err := r.own(ctx, spec, b, &seen); err != nil {
			// Whose it is is not known: that makes it neither unclaimed nor dead.
			aside(err)
			seen.Issuer.Live = nil
			return seen
		}
	}
	for i, s := range spec.Further {
		if further[i] != nil && differs(seen.Further[i].Slots) {
			seen.Further[i].Holds = owner(r.heldBy(spec, s, further[i]))
		}
	}
	for i, c := range spec.Consumers {
		if s := snapshots[i]; s.Slots != nil && differs(seen.Consumers[i].Slots) {
			seen.Consumers[i].Holds = owner(r.heldBy(spec, c, s.Slots))
		}
	}
	return seen
}

// differs reports whether some slot does not hold what it should.
func differs(slots []rotation.SlotSeen) bool {
	for _, s := range slots {
		if s.Present && (s.Expected == "" || s.Fingerprint != s.Expected) {
			return true
		}
	}
	return false
}

// heldBy assembles the bundle that a consumer holds, by the credential's own name
// if that is complete; nil if its slots do not tell every field.
func (r *Runner) heldBy(spec sop.Spec, c sop.Place, held map[string]provider.Held) secret.Bundle {
	for _, all := range []bool{false, true} {
		b := secret.Bundle{}
		for _, s := range c.Slots {
			if !all && s.For != spec.Name {
				continue
			}
			parts, ok := secret.Unrender(s.Template, held[s.Name].Value)
			for field, v := range parts {
				if ok && !b[field].Present() {
					b[field] = v
				}
			}
		}
		if b.Complete(spec.Issuer.Fields) {
			return b
		}
	}
	return nil
}

// InUse returns what the issuer lists, and the live credential of it that the store
// holds; the zero Handle if the issuer lists none. Read-only.
func (r *Runner) InUse(ctx context.Context, spec sop.Spec) (inUse cred.Handle, live []cred.Handle, err error) {
	var stored map[string]provider.Held
	err = r.Together(
		func() (err error) { live, err = r.Roles.Issuer.List(ctx); return err },
		func() (err error) { stored, err = r.Roles.Store.Read(ctx, spec.Store.SlotNames()); return err },
	)
	b := r.inUse(spec, stored)
	if err != nil || b == nil {
		return cred.Handle{}, live, err
	}
	id, err := r.Roles.Issuer.Owner(ctx, b, live)
	for _, h := range live {
		if h.ID == id && id != "" {
			return h, live, err
		}
	}
	return cred.Handle{}, live, err
}

// setAside returns what notes an error in a list, from calls side by side: for looks
// that go on without what they cannot see.
func setAside(list *[]string) func(error) {
	var mu sync.Mutex
	return func(err error) {
		if err != nil {
			mu.Lock()
			defer mu.Unlock()
			*list = append(*list, Problems(err)...)
		}
	}
}
