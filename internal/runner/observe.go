package runner

import (
	"context"
	"sync"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
	"rekey/internal/sop"
)

// Observe collects everything that a plan and its rollback need, side by side
// and read-only. Its error joins everything that could not be seen.
func (r *Runner) Observe(ctx context.Context, spec sop.Spec) (rotation.Observation, error) {
	seen := rotation.Observation{
		At:        r.Clock.Now().UTC(),
		Further:   following(spec),
		Consumers: make([]rotation.ConsumerSeen, len(spec.Consumers)),
		Gates:     make([]rotation.GateSeen, len(spec.Validate)),
		Checks:    make([]rotation.CheckSeen, len(spec.Verify)),
	}
	var stored map[string]provider.Held
	further := make([]map[string]provider.Held, len(spec.Further))
	// In an emergency nothing waits for what is not needed to find the right one.
	var unseen sync.Mutex
	aside := func(call func() error) func() error {
		if spec.Purpose != sop.ToRevoke && spec.Purpose != sop.ToDelete {
			return call
		}
		return func() error {
			if err := call(); err != nil {
				unseen.Lock()
				defer unseen.Unlock()
				seen.Unseen = append(seen.Unseen, Problems(err)...)
			}
			return nil
		}
	}
	snapshots := make([]provider.Snapshot, len(spec.Consumers))
	listed := r.listing(ctx, spec)

	calls := []func() error{
		func() (err error) {
			seen.Issuer.Live, err = r.Roles.Issuer.List(ctx)
			seen.Issuer.Seen = err == nil
			return err
		},
		aside(func() (err error) {
			if stored, err = r.Roles.Store.Read(ctx, spec.Store.SlotNames()); err != nil {
				return err
			}
			seen.Store.History, seen.Store.HistoryUnseen, err = history(r.Roles.Store.History(ctx, stored))
			return err
		}),
		aside(func() error { return r.foresee(ctx, spec, &seen) }),
	}
	for i, s := range spec.Further {
		calls = append(calls, aside(func() (err error) { further[i], err = r.Roles.Further[s.Key].Read(ctx, s.SlotNames()); return err }))
	}
	var rules []cred.Place
	if r.Roles.Admitter != nil {
		calls = append(calls, aside(func() error {
			a, err := r.Roles.Admitter.Places(ctx)
			rules = a.Places
			seen.Admission = rotation.AdmissionSeen{Places: rotation.Naming(a.Places), Everyone: a.Everyone}
			return err
		}))
	}
	if self, ok := r.Roles.Issuer.(provider.Self); ok {
		calls = append(calls, func() (err error) { seen.Issuer.Self, err = self.Self(ctx); return err })
	}
	for i, c := range spec.Consumers {
		calls = append(calls, aside(func() (err error) {
			snapshots[i], err = r.Roles.Consumers[c.Key].Snapshot(ctx, c.SlotNames())
			return err
		}))
	}
	for i, p := range spec.Validate {
		calls = append(calls, aside(func() (err error) { seen.Gates[i], err = r.gate(ctx, p); return err }))
	}
	for i, c := range spec.Verify {
		if spec.Purpose == sop.ToRepair {
			continue // what has drifted cannot be true now
		}
		if c.Stdin != "" {
			continue // once it is known what is in use
		}
		calls = append(calls, aside(func() error {
			class, detail, err := r.Roles.Checker.Check(ctx, c, time.Time{})
			seen.Checks[i] = rotation.CheckSeen{URL: c.Title(), Class: class, Detail: detail}
			return err
		}))
	}
	if err := r.Together(append(calls, listed.calls...)...); err != nil {
		r.partly(spec, &seen, stored, further, snapshots)
		return seen, err
	}
	if err := r.sameAccount(spec, seen.Issuer.Live, rules); err != nil {
		return seen, err
	}

	b := r.inUse(spec, stored)
	if spec.Purpose == sop.ToRepair {
		b = r.taken(spec, stored, further, snapshots)
	}
	if seen.Whole = spec.Purpose == sop.ToRepair && b != nil; b != nil {
		seen.Store.Slots = r.slotsSeen(spec.Store, stored, b)
		if err := r.own(ctx, spec, b, &seen); err != nil {
			return seen, err
		}
		if err := r.recall(ctx, spec, &seen, rules); err != nil {
			return seen, err
		}
		r.mu.Lock()
		r.old = b
		r.mu.Unlock()
	}
	if err := r.fed(ctx, spec, b, &seen, aside); err != nil {
		return seen, err
	}
	if err := r.foreseeEnd(ctx, spec, &seen); err != nil {
		return seen, err
	}
	r.usedNow(ctx, spec, &seen)
	seen.Store.Slots = r.slotsSeen(spec.Store, stored, b)
	r.furtherSeen(spec, &seen, further, b)
	for i, c := range spec.Consumers {
		s := snapshots[i]
		if s.Slots == nil {
			seen.Consumers[i] = rotation.ConsumerSeen{Key: c.Key} // an emergency: it could not be asked
			continue
		}
		seen.Consumers[i] = r.consumerSeen(c, s, b)
	}
	twice(seen.Consumers)
	if b != nil && spec.Looks() {
		found, err := r.walked(ctx, rotation.ObserveStep, listed, r.seeker(spec, b, seen.Issuer, nil))
		if err != nil {
			return seen, err
		}
		seen.Copies, seen.Blind = found.copies, found.blind
	}
	if r.Sources != nil {
		seen.Sources = r.Sources()
	}
	return seen, nil
}

// fed runs the checks that are given the credential in use.
func (r *Runner) fed(ctx context.Context, spec sop.Spec, b secret.Bundle, seen *rotation.Observation, aside func(func() error) func() error) error {
	var calls []func() error
	for i, c := range spec.Verify {
		if c.Stdin == "" || spec.Purpose == sop.ToRepair {
			continue
		}
		calls = append(calls, aside(func() error {
			seen.Checks[i] = rotation.CheckSeen{URL: c.Title(), Class: cred.Failed, Detail: "the store holds no complete credential that it could be given"}
			if b == nil {
				return nil
			}
			class, detail, err := r.ask(ctx, c, time.Time{}, func(context.Context) (secret.Bundle, error) { return b, nil })
			seen.Checks[i].Class, seen.Checks[i].Detail = class, detail
			return err
		}))
	}
	if len(calls) == 0 {
		return nil
	}
	return r.Together(calls...)
}

// partly keeps what was seen although something else was not, for people: no plan is
// made of it.
func (r *Runner) partly(spec sop.Spec, seen *rotation.Observation, stored map[string]provider.Held, further []map[string]provider.Held, snapshots []provider.Snapshot) {
	if stored != nil {
		seen.Store.Slots = r.slotsSeen(spec.Store, stored, nil)
	}
	r.furtherSeen(spec, seen, further, nil)
	for i, c := range spec.Consumers {
		seen.Consumers[i] = rotation.ConsumerSeen{Key: c.Key}
		if s := snapshots[i]; s.Slots != nil {
			seen.Consumers[i] = r.consumerSeen(c, s, nil)
		}
	}
}

// recall compares the rules with what the journal remembers of the generation in
// use, for a repair, and for the successor of one that is gone.
func (r *Runner) recall(ctx context.Context, spec sop.Spec, seen *rotation.Observation, rules []cred.Place) error {
	if spec.Purpose != sop.ToRepair && !seen.Issuer.Gone || r.Past == nil || r.Roles.Admitter == nil {
		return nil
	}
	past, err := r.Past(ctx)
	if seen.Issuer.Gone {
		seen.Admission.Lost = rotation.Formerly(rules, seen.Issuer.Owner, past)
		return err
	}
	for _, h := range seen.Issuer.Live {
		if h.ID == seen.Issuer.Owner {
			seen.Admission.Lost, _ = rotation.Lost(rules, h, past)
		}
	}
	return err
}

// gate asks a protected address without and with a wrong credential: one that accepts both
// proves nothing, and is found before anything is made.
func (r *Runner) gate(ctx context.Context, p sop.Probe) (rotation.GateSeen, error) {
	g := rotation.GateSeen{URL: p.URL}
	var without, wrong string
	err := r.Together(
		func() (err error) { g.Gate, err = r.Roles.Prober.Guard(ctx, p); return err },
		func() (err error) { g.Without, without, err = r.verdict(ctx, p, nil); return err },
		func() (err error) {
			g.Wrong, wrong, err = r.verdict(ctx, p, r.Roles.Prober.Wrong())
			return err
		},
	)
	g.Detail = "without any: " + without + "; with a made-up one: " + wrong
	return g, err
}
