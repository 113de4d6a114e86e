package engine

import (
	"context"
	"runtime/debug"
	"sync"

	"github.com/riverqueue/river"

	"rekey/internal/estate"
	"rekey/internal/lease"
	"rekey/internal/schedule"
	"rekey/internal/sop"
)

// rankOf says how soon a worker is wanted for a run that is opened.
func rankOf(s estate.Said) int64 {
	switch {
	case s.Purpose == sop.ToRevoke || s.Purpose == sop.ToDelete || s.Purpose == sop.AfterRevoke:
		return lease.Urgent
	case s.By.Name != schedule.Actor:
		return lease.Wanted
	}
	return lease.Scheduled
}

// queueUrgent is the queue of what is urgent, which has hands of its own: 200 runs that are
// due at once keep all others busy for an hour.
const queueUrgent = "urgent"

// inLine says when a run gets its turn among those that wait for a worker. What is begun is
// ended before more is begun.
func inLine(d lease.Due) *river.InsertOpts {
	switch {
	case d.Rank >= lease.Urgent:
		return &river.InsertOpts{Queue: queueUrgent}
	case d.Rank == lease.Wanted:
		return &river.InsertOpts{Priority: 1}
	case d.Epoch > 1:
		return &river.InsertOpts{Priority: 2}
	}
	return &river.InsertOpts{Priority: 3}
}

// hands are how many runs a worker works on, by queue: what is urgent may be as much, when a
// vendor was broken into.
func (o Options) hands() map[string]river.QueueConfig {
	return map[string]river.QueueConfig{
		river.QueueDefault: {MaxWorkers: o.AtOnce},
		queueUrgent:        {MaxWorkers: o.AtOnce},
	}
}

// aside is how many runs may wait so beside those that are at work: as much as
// this process has memory for, by a wide margin.
const aside = 256

// Work is one job: to advance a run as far as it goes now. A run that waits for a person to
// do something by hand, or for long with something in memory only, stays in this process and
// leaves its hand to others.
func (w *worker) Work(_ context.Context, job *river.Job[advance]) error {
	done := make(chan struct{})
	leave := sync.OnceFunc(func() { close(done) })
	w.aside.Go(func() {
		defer leave()
		defer w.survive(job.Args.Run)
		stepped := false
		w.carry(lease.Due{Run: job.Args.Run, Epoch: job.Args.Epoch}, func() {
			if stepped {
				return
			}
			select {
			case w.waiting <- struct{}{}:
				stepped = true
				leave()
			default: // so many wait that it keeps its hand
			}
		})
		if stepped {
			<-w.waiting
		}
	})
	<-done
	return nil // what becomes of the run stands in its lease
}

// survive keeps a fault of this program in one run from ending all the others: the lease of
// that one lapses, and it is handed on.
func (w *worker) survive(run string) {
	if fault := recover(); fault != nil {
		w.e.o.Log.Error("a fault of this program ended what was done for a run", "run", run, "why", fault, "stack", string(debug.Stack()))
	}
}
