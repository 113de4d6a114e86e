package runner

import (
	"context"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/sop"
)

// ran is how a consumer was when it was last looked at, and when.
type ran struct {
	at time.Time
	p  provider.Progress
}

func (r *Runner) noteRan(key string, p provider.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.alive == nil {
		r.alive = map[string]ran{}
	}
	p.Slots = nil
	r.alive[key] = ran{r.Clock.Now(), p}
}

// forgetRan: what runs at a consumer is about to be changed.
func (r *Runner) forgetRan(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.alive, key)
}

// progress looks how a consumer is on the write that it was given last, unless everything
// was just seen to run on it; sure: an answer that is a little older does not count.
func (r *Runner) progress(ctx context.Context, c sop.Place, sure bool) (provider.Progress, error) {
	_, consumer, seen := r.consumer(c.Key)
	if consumer == nil {
		return provider.Progress{}, &cred.Error{Vendor: c.Vendor, Op: "look at " + c.Key, Class: cred.Refused, Why: "it is no longer in rekey.yaml"}
	}
	r.mu.Lock()
	last, ok := r.alive[c.Key]
	r.mu.Unlock()
	if age := r.Clock.Now().Sub(last.at); ok && (age <= justNow || age <= lately && !sure) {
		return last.p, nil
	}
	follow := provider.Followed{Since: seen.Mark}
	settled := r.state.Step(string(rotation.Settle) + " " + c.Key).Last
	if r.state.Mode != rotation.Forward {
		follow = r.returned(c.Key, seen)
		settled = r.state.Step(string(rotation.Resettle) + " " + c.Key).Last
	}
	if settled != nil {
		follow.Own = settled.Mark
	}
	p, err := consumer.Progress(ctx, follow, c.SlotNames())
	if err == nil && p.Slots != nil {
		r.noteSlots(c.Key, r.states(c.Key, c.SlotNames(), p.Slots), true)
	}
	if err == nil && p.Class == cred.Done {
		r.noteRan(c.Key, p)
	}
	return p, err
}

// returned names the write that gave a consumer its old values back.
func (r *Runner) returned(key string, seen *rotation.ConsumerSeen) provider.Followed {
	f := provider.Followed{Same: seen.Mark}
	if given := r.state.Step(string(rotation.Return) + " " + key).Last; given != nil {
		f.Since = given.Mark
	}
	return f
}
