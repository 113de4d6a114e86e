package estate

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"sync"
	"time"

	"rekey/internal/cred"
	"rekey/internal/history"
	"rekey/internal/lease"
	"rekey/internal/provider"
	"rekey/internal/refs"
	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
	"rekey/internal/wire"
)

// work is everything that one operation works with.
type work struct {
	*Estate
	spec       sop.Spec
	finder     *refs.Finder
	env        provider.Env
	crew       *wire.Crew
	keyer      secret.Keyer
	book       history.Book
	face       Face                       // of the run that is carried out; nil: none
	recorder   *history.Recorder          // of the run that is carried out; nil: none
	leases     *lease.Store               // nil: not opened yet
	limits     vendorhttp.Limits          // what all processes know of the vendors' rate limits; nil: each on its own
	held       *lease.Held                // the lease on the run that is carried out; nil: none
	by         rotation.Who               // who does this; set before anything is changed
	asks       provider.Person            // instead of whoever the surroundings name; nil: those
	unattended bool                       // nobody is asked to do anything by hand
	seen       map[provider.Want][]string // what somebody has seen by hand before
	unanswered *provider.Task             // the first that nobody could be asked, nor has said before
	closes     []func()

	mu    sync.Mutex
	calls map[string]int // by vendor
}

func (w *work) close() {
	for i := len(w.closes) - 1; i >= 0; i-- {
		w.closes[i]()
	}
}

// prepare opens everything for one credential. Nothing of it touches a vendor.
func (e *Estate) prepare(spec sop.Spec, with ...func(*work)) (*work, error) {
	w, err := e.surround(spec, with...)
	if err != nil {
		return nil, err
	}
	if w.crew, err = wire.Open(spec, e.config.Vendors, w.env); err != nil {
		err = &Error{Code: Unwired, Credential: spec.Name, Err: err, Problems: w.missing()}
		w.close()
		return nil, err
	}
	w.closes = append(w.closes, func() { w.crew.Close(context.Background()) })
	return w, nil
}

// missing are all references of the credential that are not set: they are set in one go.
func (w *work) missing() (out []string) {
	for _, f := range variables(w.config, []sop.Spec{w.spec}, wantedBy(w.config, []sop.Spec{w.spec}).inputs, w.finder) {
		if !f.OK {
			out = append(out, f.What)
		}
	}
	return out
}

// ours returns why the run that is carried out is not this process's any more.
func (w *work) ours(ctx context.Context) error {
	switch {
	case w.held != nil:
		return w.held.Ours(ctx)
	case w.recorder == nil:
		return nil // nothing is carried out
	}
	return w.recorder.Ours(ctx)
}

// late returns why nothing more is sent, right before it would be.
func (w *work) late(ctx context.Context) error {
	if w.held == nil {
		return nil
	}
	return w.held.Late(ctx)
}

// left is how long the lease lasts still; 0: there is none.
func (w *work) left() time.Duration {
	if w.held == nil {
		return 0
	}
	return max(w.held.Left(), 1)
}

// keep writes notes, all or none.
func (w *work) keep(ctx context.Context, notes ...history.Note) error {
	if err := w.book.Add(context.WithoutCancel(ctx), notes...); err != nil {
		return &Error{Code: Unwritable, Err: err}
	}
	return nil
}

// keepAnswered is keep of what somebody asked for, and what he is answered.
func (w *work) keepAnswered(ctx context.Context, answer any, notes ...history.Note) error {
	err := w.book.AddWith(context.WithoutCancel(ctx), func(ctx context.Context, _ history.Book, tx *sql.Tx) error {
		return w.done(ctx, tx, answer)
	}, notes...)
	if coded := codedError(err); err == nil || coded != nil {
		return coded
	}
	return &Error{Code: Unwritable, Err: err}
}

// surround opens what is not a vendor: network, references, journal, key.
func (e *Estate) surround(spec sop.Spec, with ...func(*work)) (*work, error) {
	w := &work{Estate: e, spec: spec, calls: map[string]int{}}
	for _, f := range with {
		f(w)
	}
	if err := w.open(spec); err != nil {
		w.close()
		return nil, failed(err)
	}
	return w, nil
}

func (w *work) open(spec sop.Spec) error {
	transport, lookup, err := w.surroundings()
	if err != nil {
		return err
	}
	w.finder = &refs.Finder{Dir: w.config.Dir, Env: lookup, Asked: &w.asked, Simulated: w.config.Simulate != ""}
	w.env = provider.Env{
		Transport: vendorhttp.Fence{Next: transport, Ours: w.ours, Late: w.late}, Now: w.now, Together: wire.Together,
		Resolve: w.finder.Secret, Text: w.finder.Text, Observe: w.observe,
		Outside: w.ways(), Ours: w.ours, Late: w.late, Left: w.left, Memory: &w.memory,
		Person: w.person, Urgent: spec.Purpose == sop.ToRevoke || spec.Purpose == sop.ToDelete,
	}
	w.finder.Store = w.referred
	j, closing, err := w.Journal()
	if err != nil {
		return err
	}
	w.closes = append(w.closes, func() { _ = closing() })
	w.book = history.Book{J: j}
	if _, real := w.here.Clock.(RealClock); w.limits == nil && real { // the database goes by no other
		w.limits = lease.LimitsOf(j)
	}
	w.env.Limits = w.limits
	if err := w.sameWorld(context.Background(), w.book); err != nil {
		return err
	}
	w.keyer, w.env.Marks, err = w.place().Beside(context.Background(), j)
	return err
}

// observe counts calls and tells of them.
func (w *work) observe(c vendorhttp.Call) {
	w.mu.Lock()
	w.calls[c.Vendor]++
	w.mu.Unlock()
	if w.face != nil {
		w.face.Call(c)
	}
}

func (w *work) callCount() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.calls {
		n += c
	}
	return n
}

// called are the calls so far, by vendor.
func (w *work) called() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.calls)
}

// person asks whoever is there to do by hand what no request can.
func (w *work) person(ctx context.Context, t provider.Task) (provider.Answer, error) {
	if names, said := w.seen[t.Want]; said && (t.Want == provider.WantLook || t.Want == provider.WantWhich) {
		return provider.Answer{Names: names}, nil
	}
	err := ErrNobody
	ask := w.here.Person
	if w.asks != nil {
		ask = w.asks
	}
	if ask != nil && !w.unattended {
		var answer provider.Answer
		if answer, err = ask(ctx, t); err == nil {
			return answer, nil
		}
	}
	if errors.Is(err, ErrNobody) {
		if w.unanswered == nil {
			w.unanswered = &t
		}
		err = &cred.Error{Vendor: "assisted", Op: "ask a person", Class: cred.Unsent, Why: "no person can be asked here: use a terminal, or the console of a server"}
	}
	return provider.Answer{}, err
}

// ErrNobody is what a person's desk answers where nobody sits at it.
var ErrNobody = errors.New("no person can be asked here")

// runner returns a runner over all this, which tells nobody of what it does.
func (w *work) runner() *runner.Runner {
	return &runner.Runner{
		Journal: &history.Recorder{Book: w.book, Credential: w.spec.Name}, Hold: w.book.J.Hold,
		Roles: w.crew.Roles, Can: w.crew.Can, Keyer: w.keyer, Clock: w.here.Clock, Together: wire.Together,
		Past:  func(ctx context.Context) ([]rotation.Generation, error) { return w.book.Generations(ctx, w.spec.Name) },
		Calls: w.callCount, Sources: w.finder.Used, Actor: w.by.Name, By: &w.by,
	}
}
