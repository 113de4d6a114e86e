package runner_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/rotation"
	"rekey/internal/runner"
	"rekey/internal/secret"
	"rekey/internal/sim/stage"
	"rekey/internal/sop"
)

// triple is an issuer of logins, a store and a consumer in memory, small enough to
// be read at once: what a vendor of another shape than those of the stage makes of a
// run. Every effect is followed by a look whether the consumer's process gets in.
type triple struct {
	t      *testing.T
	clock  *ticking
	events []rotation.Event
	logins map[string]*login
	order  []string
	store  *shelf
	app    *shelf
	copies map[string]*shelf // stores that follow, by key
	calls  []string
	// fault is asked before and after each effect; what it returns is the answer.
	fault   func(op string, n int, after bool) error
	count   map[string]int
	broken  []string
	can     rotation.Capabilities
	spec    sop.Spec
	issuer  provider.Issuer
	given   []string // to checks, on their standard input
	users   map[string][]provider.User
	end     provider.Foreseen
	fails   bool   // the check of the procedure, once everybody runs on the new one
	between func() // happens once everybody runs on the new one
	name    string // of what is played
}

type login struct {
	password, before secret.Value
	version          int
}

type ticking struct{ now time.Time }

func (c *ticking) Now() time.Time { return c.now }
func (c *ticking) Sleep(ctx context.Context, d time.Duration) error {
	c.now = c.now.Add(max(d, 0))
	return ctx.Err()
}

func template(t *testing.T, s string) cred.Template {
	t.Helper()
	out, err := cred.ParseTemplate(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// newTriple is a credential in use: a login, in the store and in an app.
func newTriple(t *testing.T) *triple {
	x := &triple{t: t, clock: &ticking{stage.Start}, logins: map[string]*login{}, count: map[string]int{}, users: map[string][]provider.User{}}
	x.logins["db-old"] = &login{password: secret.New("first"), version: 1}
	x.order = []string{"db-old"}
	x.store = &shelf{x: x, name: "store", history: map[string][]secret.Value{}, held: map[string]kept{
		"USER": {value: secret.New("db-old"), version: 1}, "PASS": {value: secret.New("first"), version: 1}}}
	x.app = &shelf{x: x, name: "app", held: map[string]kept{"DSN": {value: secret.New("db-old:first"), version: 1}}}
	x.app.running = maps.Clone(x.app.held)
	for k, h := range x.store.held {
		x.store.history[k] = []secret.Value{h.value}
	}
	x.issuer = maker{logins{x}}
	x.can = rotation.Capabilities{Create: true, Calls: map[string]string{}}
	x.spec = sop.Spec{
		Name: "DB", Issuer: sop.Issuer{Vendor: "db", Kind: "login", Name: "db-<run>", Fields: []string{"user", "password"}, Grace: time.Hour},
		Store: sop.Place{Key: "store:x", Vendor: "store", Slots: []sop.Slot{
			{Name: "USER", Template: template(t, "{user}"), For: "DB"}, {Name: "PASS", Template: template(t, "{password}"), For: "DB"}}},
		Consumers: []sop.Place{{Key: "app:x", Vendor: "app", Slots: []sop.Slot{{Name: "DSN", Template: template(t, "{user}:{password}"), For: "DB"}}}},
		Validate:  []sop.Probe{{URL: sop.IssuerItself}},
		Timing:    sop.Waits{Poll: time.Second, Validate: time.Minute, Settle: time.Minute, Verify: time.Minute, Quiet: 10 * time.Second, Watch: time.Second, Confirm: time.Minute},
	}
	return x
}

// effect carries something out unless a fault stands before it, and judges.
func (x *triple) effect(op string, do func()) error {
	x.clock.now = x.clock.now.Add(time.Second) // a vendor's dates are exact to a second
	x.count[op]++
	x.calls = append(x.calls, op)
	if x.fault != nil {
		if err := x.fault(op, x.count[op], false); err != nil {
			return err
		}
	}
	do()
	if user, pass, _ := strings.Cut(x.app.process(), ":"); !x.accepts(user, pass) {
		x.broken = append(x.broken, fmt.Sprintf("after %s the app runs with %s:%s, which nobody accepts", op, user, pass))
	}
	if x.fault != nil {
		return x.fault(op, x.count[op], true)
	}
	return nil
}

func (x *triple) accepts(user, pass string) bool {
	l := x.logins[user]
	v := secret.New(pass)
	return l != nil && pass != "" && (l.password.Equal(v) || l.before.Present() && l.before.Equal(v))
}

// lostAnswer is what comes back when nobody knows.
func lostAnswer() error {
	return &cred.Error{Vendor: "db", Op: "x", Class: cred.Unknown, Why: "connection cut"}
}

// play starts a process that carries the run out or takes it up, until it ends or dies.
func (x *triple) play() (st *rotation.State, died bool) {
	x.t.Helper()
	state := rotation.Fold(x.events)
	if len(x.events) == 0 {
		x.Append(x.t.Context(), rotation.Event{At: x.clock.now, Run: "r1", Kind: rotation.KindOpened, Opened: &rotation.Opened{Credential: "DB", Spec: x.spec}})
		state = rotation.Fold(x.events)
	} else {
		e := rotation.Event{At: x.clock.now, Run: "r1", Kind: rotation.KindResumed, Resumed: &rotation.Resumed{}}
		x.Append(x.t.Context(), e)
		state.Apply(e)
	}
	r := x.runner()
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(stage.Crash); !ok {
				panic(p)
			}
			st, died = rotation.Fold(x.events), true
		}
	}()
	res, err := r.Run(x.t.Context(), state)
	if err != nil {
		x.t.Fatal(err)
	}
	return res.State, false
}

func (x *triple) runner() *runner.Runner {
	roles := runner.Roles{Issuer: x.issuer, Store: x.store, Consumers: map[string]provider.Consumer{"app:x": x.consumer()}, Prober: prober{x}, Checker: checker{x}}
	roles.Further = map[string]provider.Store{}
	for key, s := range x.copies {
		roles.Further[key] = s
	}
	roles.Roller, _ = x.issuer.(provider.Roller)
	return &runner.Runner{Journal: x, Roles: roles, Keyer: secret.NewKeyer(secret.New("triple")), Clock: x.clock, Can: x.can,
		Together: func(calls ...func() error) error {
			var first error
			for _, c := range calls {
				if err := c(); err != nil && first == nil {
					first = err
				}
			}
			return first
		},
		Confirm: func(context.Context, rotation.Ask) (string, error) { return "typed", nil }}
}

// ends plays to the end, over as many processes as die.
func (x *triple) ends(want rotation.Ending) *rotation.State {
	x.t.Helper()
	for range 20 {
		st, died := x.play()
		if died {
			continue
		}
		if st.Closed == nil {
			x.t.Fatalf("%s: it did not end: %+v", x.name, st.Stuck)
		}
		if st.Closed.Ending != want {
			x.t.Fatalf("%s: %s (%s) %v, want %s", x.name, st.Closed.Ending, st.Closed.Why, st.Closed.Refusals, want)
		}
		for _, b := range x.broken {
			x.t.Error(x.name, b)
		}
		return st
	}
	x.t.Fatal("it never ends")
	return nil
}

func (x *triple) Append(_ context.Context, events ...rotation.Event) error {
	for _, e := range events { // as it is read back
		b, err := e.Body()
		if err != nil {
			return err
		}
		back := rotation.Event{At: e.At, Run: e.Run, Kind: e.Kind}
		if err := back.Decode(b); err != nil {
			return err
		}
		x.events = append(x.events, back)
	}
	return nil
}

// told is everything that a step's outcomes said.
func (x *triple) told(step string) string {
	var out []string
	for _, e := range x.events {
		if e.Outcome != nil && e.Outcome.Step == step {
			out = append(append(out, e.Outcome.Why), e.Outcome.Evidence...)
		}
	}
	return strings.Join(out, "; ")
}

// logins is the issuer.
type logins struct{ x *triple }

func (l logins) handle(name string) cred.Handle {
	return cred.Handle{ID: name, Name: name, Version: l.x.logins[name].version}
}

func (l logins) List(context.Context) ([]cred.Handle, error) {
	var out []cred.Handle
	for _, n := range l.x.order {
		if l.x.logins[n] != nil {
			out = append(out, l.handle(n))
		}
	}
	return out, nil
}

func (l logins) Owner(_ context.Context, b secret.Bundle, listed []cred.Handle) (string, error) {
	for _, h := range listed {
		if secret.New(h.ID).Equal(b["user"]) {
			return h.ID, nil
		}
	}
	return "", nil
}

func (l logins) Create(ctx context.Context, name string) (cred.Handle, secret.Bundle, error) {
	panic("a secret that we make is never asked for")
}

func (l logins) Revoke(_ context.Context, h cred.Handle) error {
	if l.x.logins[h.ID] == nil {
		return &cred.Error{Vendor: "db", Op: "drop", Class: cred.Absent}
	}
	return l.x.effect("revoke", func() { delete(l.x.logins, h.ID) })
}

// maker makes its secrets here.
type maker struct{ logins }

func (m maker) Make(name string) (secret.Bundle, error) {
	m.x.count["make"]++
	return secret.Bundle{"user": secret.New(name), "password": secret.New(fmt.Sprintf("made-%d", m.x.count["make"]))}, nil
}

func (m maker) CreateWith(_ context.Context, name string, b secret.Bundle) (cred.Handle, error) {
	err := m.x.effect("create", func() {
		m.x.logins[name] = &login{password: b["password"], version: 1}
		m.x.order = append(m.x.order, name)
	})
	if err != nil {
		return cred.Handle{}, err
	}
	return m.handle(name), nil
}

func (m maker) Works(_ context.Context, h cred.Handle, b secret.Bundle) (bool, error) {
	if m.x.fault != nil {
		m.x.count["works"]++
		if err := m.x.fault("works", m.x.count["works"], false); err != nil {
			return false, err
		}
	}
	l := m.x.logins[h.ID]
	return l != nil && l.password.Equal(b["password"]), nil
}

// watching is an issuer that tells who uses a login, and what will fail at the end.
type watching struct{ maker }

func (w watching) Users(_ context.Context, h cred.Handle) ([]provider.User, error) {
	w.x.count["users"]++
	return w.x.users[h.ID], nil
}

func (w watching) ForeseeEnd(context.Context, cred.Handle) (provider.Foreseen, error) {
	return w.x.end, nil
}

// roller keeps two secrets of a login.
type roller struct{ maker }

func (r roller) Make(string) (secret.Bundle, error) { return r.maker.Make("db-old") }

func (r roller) Roll(context.Context, cred.Handle, time.Time) (cred.Handle, secret.Bundle, error) {
	panic("a secret that we make is never asked for")
}

func (r roller) RollWith(_ context.Context, h cred.Handle, keep time.Time, b secret.Bundle) (cred.Handle, error) {
	err := r.x.effect("roll", func() {
		l := r.x.logins[h.ID]
		l.before, l.password, l.version = l.password, b["password"], l.version+1
		if keep.IsZero() {
			l.before = secret.Value{}
		}
	})
	return r.handle(h.ID), err
}

func (r roller) Keep(_ context.Context, h cred.Handle, until time.Time) (cred.Handle, error) {
	err := r.x.effect("keep", func() {
		if !until.After(r.x.clock.now) {
			r.x.logins[h.ID].before = secret.Value{}
		}
	})
	return r.handle(h.ID), err
}

type prober struct{ x *triple }

func (p prober) Probe(_ context.Context, _ sop.Probe, b secret.Bundle) (cred.Verdict, string, error) {
	if b != nil && p.x.accepts(b["user"].Reveal(), b["password"].Reveal()) {
		return cred.Accepted, "logged in", nil
	}
	return cred.Rejected, "denied", nil
}
func (p prober) Guard(context.Context, sop.Probe) (string, error) { return "", nil }
func (p prober) Wrong() secret.Bundle {
	return secret.Bundle{"user": secret.New("nobody"), "password": secret.New("nothing")}
}

// shelf is a store or an app.
type shelf struct {
	x       *triple
	name    string
	held    map[string]kept
	running map[string]kept // nil: nothing runs there
	history map[string][]secret.Value
	applied bool // what is written takes effect by Apply only
	hidden  bool // what it holds is shown to nobody
	stamps  bool // a note is kept beside what is hidden
	plain   bool // it counts no versions
	mark    int
}

type kept struct {
	value   secret.Value
	version int
	written time.Time
	stamp   map[string]string
}

func (s *shelf) process() string {
	if s.running == nil {
		return ""
	}
	return s.running["DSN"].value.Reveal()
}

func (s *shelf) show(slots []string) map[string]provider.Held {
	out := map[string]provider.Held{}
	for _, k := range slots {
		h, ok := s.held[k]
		if !ok {
			continue
		}
		out[k] = provider.Held{Present: true, Version: fmt.Sprint(h.version), Value: h.value}
		if s.plain {
			out[k] = provider.Held{Present: true, Value: h.value}
		}
		if s.hidden {
			out[k] = provider.Held{Present: true, Hidden: true, Written: h.written, Stamp: h.stamp}
		}
	}
	return out
}

func (s *shelf) Read(_ context.Context, slots []string) (map[string]provider.Held, error) {
	return s.show(slots), nil
}
func (s *shelf) ReadVersion(_ context.Context, slot, version string) (secret.Value, error) {
	for i, v := range s.history[slot] {
		if fmt.Sprint(i+1) == version {
			return v, nil
		}
	}
	return secret.Value{}, &cred.Error{Vendor: s.name, Op: "read", Class: cred.Absent}
}
func (s *shelf) History(context.Context, map[string]provider.Held) error { return nil }
func (s *shelf) Remove(_ context.Context, slots []string) error {
	return s.x.effect(s.name+" remove", func() {
		for _, k := range slots {
			delete(s.held, k)
		}
	})
}

func (s *shelf) put(values []provider.SlotValue) error {
	return s.x.effect(s.name+" write", func() {
		s.mark++
		for _, v := range values {
			if !v.Value.Present() {
				delete(s.held, v.Slot)
				continue
			}
			k := kept{value: v.Value, version: s.held[v.Slot].version + 1, written: s.x.clock.now}
			if s.stamps {
				k.stamp = v.Stamp
			}
			s.held[v.Slot] = k
			if s.history != nil {
				s.history[v.Slot] = append(s.history[v.Slot], v.Value)
			}
		}
		if s.running != nil && !s.applied {
			s.running = maps.Clone(s.held)
		}
	})
}

// Write of the store; that of the app is its consumer's.
func (s *shelf) Write(_ context.Context, values []provider.SlotValue) (map[string]provider.Held, error) {
	err := s.put(values)
	var slots []string
	for _, v := range values {
		slots = append(slots, v.Slot)
	}
	return s.show(slots), err
}

// done is how often something was asked for.
func (x *triple) done(op string) int {
	return len(slices.DeleteFunc(slices.Clone(x.calls), func(c string) bool { return c != op }))
}

func (x *triple) consumer() provider.Consumer {
	if x.app.applied {
		return applied{reader{x.app}}
	}
	return reader{x.app}
}

// reader is a shelf with a process that reads it.
type reader struct{ s *shelf }

func (a reader) Snapshot(_ context.Context, slots []string) (provider.Snapshot, error) {
	return provider.Snapshot{Slots: a.s.show(slots), Mark: fmt.Sprint(a.s.mark), Units: 1}, nil
}
func (a reader) Write(_ context.Context, values []provider.SlotValue) error { return a.s.put(values) }
func (a reader) Progress(_ context.Context, w provider.Followed, slots []string) (provider.Progress, error) {
	for k, h := range a.s.held {
		if !a.s.running[k].value.Equal(h.value) {
			return provider.Progress{Class: cred.Waiting, Detail: "the process runs with what was there before"}, nil
		}
	}
	return provider.Progress{Class: cred.Done, Mark: fmt.Sprint(a.s.mark), Slots: a.s.show(slots), Evidence: []string{"its process runs with it"}}, nil
}

// applied takes effect by a restart.
type applied struct{ reader }

func (a applied) Apply(context.Context, []string) error {
	return a.s.x.effect("apply", func() { a.s.running = maps.Clone(a.s.held) })
}

type checker struct{ x *triple }

func (c checker) Check(_ context.Context, _ sop.Check, since time.Time) (cred.Class, string, error) {
	if c.x.between != nil && !since.IsZero() {
		c.x.between()
		c.x.between = nil
	}
	if c.x.fails && !since.IsZero() {
		return cred.Failed, "it does not work", nil
	}
	return cred.Done, "it works", nil
}

// CheckWith notes what a check was given.
func (c checker) CheckWith(_ context.Context, k sop.Check, since time.Time, stdin secret.Value) (cred.Class, string, error) {
	c.x.given = append(c.x.given, stdin.Reveal())
	return cred.Done, "it works", nil
}
