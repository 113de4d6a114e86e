package runner

import (
	"context"
	"time"

	"rekey/internal/rotation"
)

// onlyHere tells whether something that the run needs is in this process's memory only:
// a new secret that the store does not hold yet.
func (r *Runner) onlyHere() bool {
	s := r.state
	if s.Plan == nil || s.Closed != nil || s.Mode != rotation.Forward {
		return false
	}
	r.mu.Lock()
	fresh := r.fresh[s.Generation] != nil || r.meant[s.Generation] != nil
	r.mu.Unlock()
	return fresh && s.Plan.Maker() != "" && s.Step(string(rotation.Store)).Status != rotation.Ended
}

// kept is why another process could not go on with the run after a wait as well as this
// one; "": it could, with nothing in memory only, no search for other holders half done, and,
// while it can still go back, an old secret that the store can give back.
func (r *Runner) kept() string {
	s := r.state
	r.mu.Lock()
	gone := r.old != nil && s.Plan != nil && !s.Final && s.Plan.Seen.Store.History != ""
	walking := len(r.walks) > 0
	r.mu.Unlock()
	switch {
	case r.onlyHere():
		return "the new secret is in this process's memory only"
	case gone:
		return "the old secret, which a way back needs, is in this process's memory only"
	case walking:
		return "a search for other holders is half done"
	}
	return ""
}

// whole is a context for what is finished once it has begun, whatever becomes of ctx: but
// not once the run may be another process's.
func (r *Runner) whole(ctx context.Context) (context.Context, func()) {
	ctx = context.WithoutCancel(ctx)
	if r.Lease == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(r.Lease.Lost, cancel)
	return ctx, func() { stop(); cancel() }
}

func (r *Runner) lost() bool { return r.Lease != nil && r.Lease.Lost.Err() != nil }

// hear takes up what people have said to the run meanwhile.
func (r *Runner) hear(ctx context.Context) error {
	if r.Lease == nil {
		return nil
	}
	if r.lost() {
		return context.Cause(r.Lease.Lost)
	}
	now, err := r.Lease.Hear(context.WithoutCancel(ctx))
	if err != nil || now == nil {
		return err
	}
	now.Past = r.state.Past
	*r.state = *now
	return nil
}

// sleep waits, but no longer than until something is said, the lease is lost, or ctx is
// done.
func (r *Runner) sleep(ctx context.Context, w rotation.Wait, now time.Time) {
	if r.Lease != nil {
		if r.Lease.Keeps != nil && r.Lease.Park(w) {
			defer r.Lease.Keeps(w, r.kept())()
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(r.Lease.Lost, cancel)()
		go func() {
			select {
			case <-r.Lease.News:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	// What ended it is seen at the top of the loop.
	_ = r.Clock.Sleep(ctx, w.Until.Sub(now))
}
