// Package runner carries a plan out: append the intent, act, append the outcome, fold, decide again.
//
// It is the only place with retries (it asks the core again), the only one that
// holds bundles in memory, and it holds them no longer than the process lives.
package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/secret"
)

// Recorder is what the runner needs of a journal.
type Recorder interface {
	// Append writes events and returns when they are safe on disk.
	Append(ctx context.Context, events ...rotation.Event) error
}

// Clock is time, so that tests own it.
type Clock interface {
	Now() time.Time
	// Sleep waits until d has passed or ctx is done.
	Sleep(ctx context.Context, d time.Duration) error
}

// Roles are the vendors, each in the part it plays for one credential.
type Roles struct {
	Issuer    provider.Issuer
	Roller    provider.Roller   // nil: cannot be rolled
	Switcher  provider.Switcher // nil: cannot be switched off
	Admitter  provider.Admitter // nil: no rules decide who is accepted
	Prober    provider.Prober
	Store     provider.Store
	Further   map[string]provider.Store    // stores that follow it, by key
	Consumers map[string]provider.Consumer // by key
	Checker   provider.Checker
	Surveys   map[string]provider.Surveys // accounts of the consumers, by vendor, that can list all there is
}

// Runner carries out one run.
type Runner struct {
	Journal  Recorder
	Roles    Roles
	Keyer    secret.Keyer
	Clock    Clock
	Can      rotation.Capabilities
	Together func(calls ...func() error) error
	// Calls counts the requests made so far; may be nil.
	Calls func() int
	// Watch is told of every event after it is on disk; may be nil.
	Watch func(rotation.Event)
	// Starts is told which steps are about to be tried; may be nil.
	Starts func([]rotation.Action)
	// Waits is told what is being waited for; may be nil.
	Waits func(rotation.Wait)
	// Confirm asks a person for the typed name; it returns how it was given, or
	// ErrNotConfirmed.
	Confirm func(ctx context.Context, ask rotation.Ask) (how string, err error)
	// Hold waits until this process is the only writer of a place among all that share
	// the journal, or until ctx is done; release lets the next one go on. Whoever holds
	// one place must not wait for another. nil: nobody else writes.
	Hold func(ctx context.Context, key string) (release func(), err error)
	// Unguarded takes things away without looking who holds them. No command sets it:
	// with it, tests show that their judge sees what the look prevents.
	Unguarded bool
	// Reviewed is the plan that has to come out again, or nil.
	Reviewed *rotation.Plan
	Actor    string
	By       *rotation.Who // how that is known; may be nil
	// Past is what the journal remembers of the credential's generations; nil: nothing.
	Past func(ctx context.Context) ([]rotation.Generation, error)
	// Sources tells which references were used; may be nil.
	Sources func() []string
	// Lease is how this process holds the run, where processes share runs out; nil: they
	// do not.
	Lease *Lease

	state  *rotation.State
	mu     sync.Mutex // guards the bundles and the appending of outcomes
	fresh  map[int]secret.Bundle
	meant  map[int]secret.Bundle // made by us and sent; whether they are live is not known
	old    secret.Bundle
	walks  map[string]*walk     // checks for other holders that were not finished, by step
	sights map[string]sight     // what places were last seen to hold, by key
	alive  map[string]ran       // consumers that were seen to run on the new one, by key
	rules  map[string]ruleSight // how rules were last seen, by key
	noted  sync.Map             // values that this run wrote, by what is noted beside them
	works  time.Time            // when the new one was last seen to be what was proven
}

// ErrNotConfirmed means that nobody confirmed what cannot be undone.
var ErrNotConfirmed = errors.New("not confirmed")

// Lease is what a run that is held for a time means for whoever carries it out.
type Lease struct {
	// Lost is done once the run may be another process's: what is under way is cut off.
	Lost context.Context
	// Until is when the lease lapses unless it is renewed: nothing that is begun under it
	// is under way after that.
	Until func() time.Time
	// News has a value once a person has said something to the run.
	News <-chan struct{}
	// Hear returns what the run amounts to with all that was said; nil: nothing was said
	// that is not known.
	Hear func(context.Context) (*rotation.State, error)
	// Park tells whether to let go of the run for the time of a wait, rather than to sleep.
	// It is asked only while nothing is in memory only.
	Park func(rotation.Wait) bool
	// Keeps is told of a wait for which Park would let go of the run, and why that cannot be,
	// before it is slept through; over is called after it. nil: nobody is.
	Keeps func(w rotation.Wait, why string) (over func())
}

// Unconfirmed is why a run waits that nobody has confirmed.
const Unconfirmed = "everything is proven; the old one is revoked when somebody confirms it"

// Result is how a run ended in this process.
type Result struct {
	State    *rotation.State
	Waiting  string         // why it stopped although it is neither closed nor stuck
	Detached bool           // interrupted by the caller
	Parked   *rotation.Wait // let go of until then
	Clean    bool           // nothing is begun, and nothing is in memory only
}

// Run goes on from the given state until the run is closed, stuck, waiting for
// a person, or ctx is done. Work in flight is finished first: ctx stops only
// what has not begun. Under a lease, ctx does not stop it either while a new secret is
// in memory only.
func (r *Runner) Run(ctx context.Context, state *rotation.State) (Result, error) {
	r.state = state
	if r.fresh == nil {
		r.fresh = map[int]secret.Bundle{}
	}
	end := func(res Result, err error) (Result, error) {
		res.State, res.Clean = state, err == nil && !r.onlyHere()
		return res, err
	}
	for {
		if err := r.hear(ctx); err != nil {
			return end(Result{}, err)
		}
		going := ctx
		if r.Lease != nil && r.onlyHere() {
			going = context.WithoutCancel(ctx)
		}
		if state.Closed == nil && going.Err() != nil {
			return end(Result{Detached: true}, nil)
		}
		now := r.Clock.Now()
		d := rotation.Next(state, now, r.fresh[state.Generation] != nil || r.meant[state.Generation] != nil)
		var err error
		switch {
		case d.Close != nil:
			if state.Closed == nil {
				err = r.append(ctx, rotation.Event{Kind: rotation.KindClosed, Closed: d.Close})
			}
			if err == nil {
				return end(Result{}, nil)
			}
		case d.Stuck != nil:
			if state.Stuck == nil {
				err = r.append(ctx, rotation.Event{Kind: rotation.KindStuck, Stuck: d.Stuck})
			}
			if err == nil {
				return end(Result{}, nil)
			}
		case d.Observe:
			err = r.plan(going)
		case d.See:
			err = r.see(going)
		case d.Turn != nil:
			err = r.append(ctx, rotation.Event{Kind: rotation.KindTurned, Turned: d.Turn})
		case d.Ask != nil:
			var waiting string
			waiting, err = r.confirm(going, *d.Ask)
			if waiting != "" {
				return end(Result{Waiting: waiting}, nil)
			}
		case d.Wait != nil:
			if r.Waits != nil {
				r.Waits(*d.Wait)
			}
			if r.Lease != nil && r.Lease.Park(*d.Wait) && r.kept() == "" {
				return end(Result{Parked: d.Wait}, nil)
			}
			r.sleep(going, *d.Wait, now)
		case len(d.Do) > 0:
			err = r.do(going, d.Do)
		default:
			err = errors.New("no decision was made; this is a bug in Rekey")
		}
		if going.Err() != nil && errors.Is(err, context.Canceled) && !r.lost() {
			continue // what did not begin is not a failure; the top of the loop says so
		}
		if err != nil {
			return end(Result{}, err)
		}
	}
}

// append writes events, then folds them and tells the watcher. Nothing is
// folded that is not on disk.
func (r *Runner) append(ctx context.Context, events ...rotation.Event) error {
	if err := r.record(ctx, events...); err != nil {
		return err
	}
	for _, e := range events {
		r.state.Apply(e)
	}
	return nil
}

// record writes events and tells the watcher, and leaves the state as it is: steps that
// are tried side by side read it.
func (r *Runner) record(ctx context.Context, events ...rotation.Event) error {
	for i := range events {
		events[i].At = r.Clock.Now().UTC()
		events[i].Run = r.state.Run
	}
	// An interruption must not lose the outcome of what was done.
	if err := r.Journal.Append(context.WithoutCancel(ctx), events...); err != nil {
		return fmt.Errorf("the journal cannot be written, so nothing more is done: %w", err)
	}
	for _, e := range events {
		if r.Watch != nil {
			r.Watch(e)
		}
	}
	return nil
}

func (r *Runner) confirm(ctx context.Context, ask rotation.Ask) (waiting string, err error) {
	how, err := "", ErrNotConfirmed
	if r.Confirm != nil {
		how, err = r.Confirm(ctx, ask)
	}
	if err != nil {
		if errors.Is(err, ErrNotConfirmed) {
			return Unconfirmed, nil
		}
		return "", err
	}
	return "", r.append(ctx, rotation.Event{Kind: rotation.KindConfirmed, Confirmed: &rotation.Confirmed{Name: ask.Name, Actor: r.Actor, By: r.By, How: how}})
}

func (r *Runner) calls() int {
	if r.Calls == nil {
		return 0
	}
	return r.Calls()
}
