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

// parkable tells whether another process could go on with the run after a wait as well as
// this one: with nothing in memory only, no search for other holders half done, and, while
// it can still go back, an old secret that the store can give back.
func (r *Runner) parkable() bool {
	s := r.state
	r.mu.Lock()
	kept := r.old == nil || s.Plan == nil || s.Final || s.Plan.Seen.Store.History == ""
	walking := len(r.walks) > 0
	r.mu.Unlock()
	return kept && !walking && !r.onlyHere()
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
func (r *Runner) sleep(ctx context.Context, d time.Duration) {
	if r.Lease != nil {
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
	_ = r.Clock.Sleep(ctx, d)
}
