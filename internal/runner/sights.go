package runner

import (
	"context"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// sight is what a place was seen to hold, by fingerprint, and when.
type sight struct {
	at    time.Time
	slots map[string]cred.Fingerprint
	dates map[string]time.Time // of the last write of those that are not shown to anybody
	read  bool                 // by a read of its own, not from the answer to a write
}

// noteSlots remembers what a place was seen to hold.
func (r *Runner) noteSlots(key string, slots []cred.SlotState, read bool) {
	s := sight{at: r.Clock.Now(), slots: map[string]cred.Fingerprint{}, dates: map[string]time.Time{}, read: read}
	for _, x := range slots {
		s.slots[x.Slot] = x.Fingerprint
		if x.Hidden {
			s.dates[x.Slot] = x.Written
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sights == nil {
		r.sights = map[string]sight{}
	}
	r.sights[key] = s
}

// forgetSlots: a place is about to be written.
func (r *Runner) forgetSlots(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sights, key)
	delete(r.alive, key)
}

// notePlace remembers how a rule was seen.
func (r *Runner) notePlace(p cred.Place, read bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rules == nil {
		r.rules = map[string]ruleSight{}
	}
	r.rules[p.Key()] = ruleSight{r.Clock.Now(), p, read}
}

// forgetRules makes every rule be read again, however lately it was seen.
func (r *Runner) forgetRules() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules = nil
}

type ruleSight struct {
	at    time.Time
	place cred.Place
	read  bool // by a read of its own, not from the answer to a write
}

// held looks at what a place of the plan holds: again, unless that was just seen.
// sure: only a read counts.
func (r *Runner) held(ctx context.Context, p sop.Place, sure bool) (map[string]cred.Fingerprint, error) {
	r.mu.Lock()
	s, ok := r.sights[p.Key]
	r.mu.Unlock()
	if age := r.Clock.Now().Sub(s.at); ok && (age <= justNow && s.read || age <= lately && !sure) {
		return s.slots, nil
	}
	held, err := r.read(ctx, p)
	if err != nil {
		return nil, err
	}
	r.noteSlots(p.Key, r.states(p.Key, p.SlotNames(), held), true)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sights[p.Key].slots, nil
}

// read asks a place of the plan what it holds.
func (r *Runner) read(ctx context.Context, p sop.Place) (map[string]provider.Held, error) {
	further, c := r.Roles.Further[p.Key], r.Roles.Consumers[p.Key]
	switch {
	case p.Key == r.state.Plan.Spec.Store.Key:
		return r.Roles.Store.Read(ctx, p.SlotNames())
	case further != nil:
		return further.Read(ctx, p.SlotNames())
	case c == nil:
		return nil, &cred.Error{Vendor: p.Vendor, Op: "look at " + p.Key, Class: cred.Refused, Why: "it is no longer in rekey.yaml"}
	}
	return heldByConsumer(ctx, c, p.SlotNames())
}

// lookingAt prepares a look at several places side by side: once the calls were made
// held says of each, in order, what it holds.
func (r *Runner) lookingAt(ctx context.Context, places []sop.Place, sure bool) (held []map[string]cred.Fingerprint, calls []func() error) {
	held = make([]map[string]cred.Fingerprint, len(places))
	for i, p := range places {
		calls = append(calls, func() (err error) { held[i], err = r.held(ctx, p, sure); return err })
	}
	return held, calls
}

func heldByConsumer(ctx context.Context, c provider.Consumer, slots []string) (map[string]provider.Held, error) {
	if h, ok := c.(provider.Holder); ok {
		return h.Held(ctx, slots)
	}
	s, err := c.Snapshot(ctx, slots)
	return s.Slots, err
}

// places are stores and consumers of the plan.
func (r *Runner) places() []sop.Place { return r.state.Plan.Spec.Places() }

// oldPrint is what a slot holds that holds the old generation; "" if that cannot be
// told from the new one.
func (r *Runner) oldPrint(place, slot string) cred.Fingerprint {
	fp := r.seenExpected(place, slot)
	if fp == r.state.Expected(place, slot) {
		return ""
	}
	return fp
}

// newPrint is what a slot holds that holds the new generation; "" if that cannot be
// told from the old one.
func (r *Runner) newPrint(place, slot string) cred.Fingerprint {
	fp := r.state.Expected(place, slot)
	if fp == r.seenExpected(place, slot) {
		return ""
	}
	return fp
}

func (r *Runner) seenExpected(place, slot string) cred.Fingerprint {
	for _, s := range r.seenSlots(place) {
		if s.Slot == slot {
			return s.Expected
		}
	}
	return ""
}

// seenSlots are the slots of a place as they were observed before the run.
func (r *Runner) seenSlots(place string) []rotation.SlotSeen {
	return r.state.Plan.Seen.SlotsOf(r.state.Plan.Spec, place)
}

// look returns a rule as it is now, or as it was just seen.
func (r *Runner) look(ctx context.Context, pl cred.Place, sure bool) (cred.Place, error) {
	r.mu.Lock()
	s, ok := r.rules[pl.Key()]
	r.mu.Unlock()
	if age := r.Clock.Now().Sub(s.at); ok && (age <= justNow && s.read || age <= lately && !sure) {
		return s.place, nil
	}
	now, err := r.Roles.Admitter.Look(ctx, pl)
	if err == nil {
		r.notePlace(now, true)
	}
	return now, err
}
