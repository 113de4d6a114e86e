package providertest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"rekey/internal/cred"
)

// below: every call meets every fault at every place, or at the first and last ones.
// An error that says "not applied" has to be true, and so has a success.
func (s *suite) below(t T) {
	for _, o := range s.sampled(t) {
		seen := s.undisturbed(t, o)
		for _, f := range faults {
			for _, at := range spread(seen.n.count(f.kinds...), s.Positions) {
				t.Run(fmt.Sprintf("%s/%s/%d", o.name, f.name, at+1), func(t T) { s.meets(t, o.name, f, at, seen) })
			}
		}
	}
}

// sampled are the operations that faults are tried on.
func (s *suite) sampled(t T) []op {
	had := map[string]bool{}
	return slices.DeleteFunc(s.bench(t).ops(t), func(o op) bool {
		key := fmt.Sprint(o.role, o.effect)
		skip := s.Sample && had[key]
		had[key] = had[key] || !o.idle
		return skip
	})
}

// seen is an operation that nothing disturbed.
type seen struct {
	n             *tap
	result        string
	before, after string // the role's part of the world
}

func (s *suite) undisturbed(t T, o op) seen {
	t.Helper()
	b := s.bench(t)
	op := b.find(t, o.name)
	good := b.on(t, b.tap())
	out := seen{n: b.tap(), before: b.state(t, good, op.role)}
	var err error
	if out.result, err = op.do(t.Context(), b.on(t, out.n)); err != nil {
		t.Fatalf("%s: %v", o.name, err)
	}
	out.after = b.state(t, good, op.role)
	if !op.effect && out.before != out.after {
		t.Errorf("%s only looks, and what was there has changed:\n%s\nthen\n%s", o.name, out.before, out.after)
	}
	return out
}

// meets tries one operation with one fault.
func (s *suite) meets(t T, name string, f fault, at int, want seen) {
	b := s.bench(t)
	op := b.find(t, name)
	good := b.on(t, b.tap())
	before := b.state(t, good, op.role)
	n := b.tap()
	n.fault, n.at = &f, at
	c := b.on(t, n)
	result, err := op.do(t.Context(), c)
	after := b.state(t, good, op.role)
	if n.met == "" {
		t.Errorf("it went another way: %v before, %v now", want.n.uses, n.uses)
		return
	}
	s.met[string(n.met)]++
	s.clean(t, b, n, c, err)
	got, classified := class(err)
	switch {
	case err != nil && !classified:
		t.Errorf("%v is not classified", err)
	case err != nil && !slices.Contains([]cred.Class{cred.Unknown, cred.Limited, cred.Unsent}, got):
		t.Errorf("nobody said %s: %v", got, err)
	case !op.effect && err == nil:
		if really, err := op.do(t.Context(), good); err == nil && really != result {
			t.Errorf("it calls that done, and tells\n%s\nwhere there is\n%s", result, really)
		}
	case op.effect && err == nil && want.before != want.after && before == after:
		t.Errorf("it calls that done, and nothing has changed")
	case op.effect && err != nil && !cred.MayHaveHappened(err) && before != after:
		t.Errorf("it says that nothing was applied (%v), and there was\n%s\nand is now\n%s", err, before, after)
	}
	if !s.holding(op.role).Piecewise && (op.name == "store: write" || op.name == "consumer: write") && err != nil {
		if changed := differ(before, after); changed != 0 && changed != differ(want.before, want.after) {
			t.Errorf("%d of the slots were written and the others not; then say Piecewise in the descriptor", changed)
		}
	}
	if was, now := want.n.count(dial, program), n.count(dial, program); now > was {
		t.Errorf("it tried again: %d connections and programs, and %d when nothing disturbs it", now, was)
	}
	if again := n.twice(want.n.sent); again != "" {
		t.Errorf("sent twice: %s", again)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.poured >= most {
		t.Errorf("it read %d MiB of an answer without an end", n.poured>>20)
	}
}

// differ is in how many lines two states differ.
func differ(a, b string) int {
	lines, n := strings.Split(a, "\n"), 0
	for l := range strings.SplitSeq(b, "\n") {
		if !slices.Contains(lines, l) {
			n++
		}
	}
	return n
}

// pieces: what arrives one byte at a time is understood as well.
func (s *suite) pieces(t T) {
	for _, o := range s.bench(t).ops(t) {
		if s.Sample {
			continue // one use is one program
		}
		b := s.bench(t)
		op := b.find(t, o.name)
		n := b.tap()
		n.fault = &fault{"in pieces", slowly, []kind{request, send}}
		if _, err := op.do(t.Context(), b.on(t, n)); err != nil {
			t.Errorf("%s: %v", o.name, err)
		}
	}
}

// patience is how long an operation may take to notice that nobody waits for it any
// more: far longer than it takes, so that a busy machine fails nothing.
const patience = 20 * time.Second

// cancelled: a vendor that never answers holds nobody longer than the caller waits,
// and what was sent may have happened.
func (s *suite) cancelled(t T) {
	tried := 0
	for _, o := range s.sampled(t) {
		f := fault{"silence", silent, []kind{request, send, program}}
		b := s.bench(t)
		op := b.find(t, o.name)
		n := b.tap()
		n.fault = &f
		if s.Login != "" {
			n.at = 1 // the login is first
		}
		c := b.on(t, n)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := op.do(ctx, c)
			ended <- err
		}()
		var err error
		select {
		case <-n.reached:
			tried++
			stop()
			select {
			case err = <-ended:
			case <-time.After(patience):
				t.Fatalf("%s: it does not end when nobody waits for it any more", o.name)
			}
			// Limited and unsent are for who knows that what counts was not sent yet: a
			// database that was silent when somebody logged in.
			if got, ok := class(err); !ok || !slices.Contains([]cred.Class{cred.Unknown, cred.Limited, cred.Unsent}, got) {
				t.Errorf("%s: %s: %v", o.name, got, err)
			}
		case err = <-ended: // it uses nothing that can be silent
			stop()
			if err != nil {
				t.Errorf("%s: %v", o.name, err)
			}
		case <-time.After(patience):
			t.Fatalf("%s: it neither ends nor asks anybody", o.name)
		}
		stop()
	}
	t.Logf("%d operations asked somebody who said nothing", tried)
}
