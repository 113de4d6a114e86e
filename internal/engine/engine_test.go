//go:build !windows

package engine_test

import (
	"slices"
	"testing"

	"rekey/internal/estate"
	"rekey/internal/rotation"
)

// TestARunIsOpenedAndAWorkerAdvancesIt: who follows it is told everything, in order and
// with its number, as an operation on this machine would.
func TestARunIsOpenedAndAWorkerAdvancesIt(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		e := b.engine("one")
		before := b.stored(console)
		f := &told{}
		ended, err := e.Open(b.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console, Reason: "scheduled"}, f)
		if err != nil {
			b.Fatal(err)
		}
		if c := ended.State.Closed; c == nil || c.Ending != rotation.Rotated {
			b.Fatalf("it ended as %+v, %q", c, ended.Waiting)
		}
		if now := b.stored(console); now == before {
			b.Error("the store holds what it held before")
		}
		logged, err := e.Log(b.Context(), ended.State.Run)
		if err != nil {
			b.Fatal(err)
		}
		var numbers []int64
		for _, en := range logged.Entries {
			numbers = append(numbers, en.Seq)
		}
		if len(f.events) != len(logged.Events) || !slices.Equal(numbers, f.numbers) || f.pasts != 1 || f.past != 0 || f.ended != 1 || len(f.asked) != 0 {
			b.Errorf("told were %d of %d events with the numbers %v of %v, the past %d times, the end %d times, asked %v", len(f.events), len(logged.Events), f.numbers, numbers, f.pasts, f.ended, f.asked)
		}
		if o := f.events[0].Opened; o.Actor != "alice" || o.Word == nil || o.Reason != "scheduled" {
			b.Errorf("it was opened as %+v", o)
		}
		// Who confirmed is who opened it, and not the worker.
		if c := f.of(rotation.KindConfirmed); len(c) != 1 || c[0].Confirmed.Actor != "alice" || c[0].Confirmed.How != "--confirm" {
			b.Errorf("confirmed were %+v", c)
		}
		if r := f.of(rotation.KindResumed); len(r) != 1 || r[0].Resumed.Worker != "one" || !r[0].Resumed.Clean {
			b.Errorf("taken up were %+v", r)
		}
	})
}

// TestWhatAPersonConfirmsIsOnceAndHis: a run that waits frees its worker; another person
// confirms it, and the record names that one.
func TestWhatAPersonConfirmsIsOnceAndHis(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		e := b.engine("one")
		f := &told{}
		ended, err := e.Open(b.Context(), estate.Opening{Wish: estate.Wish{Credential: console}}, f)
		if err != nil {
			b.Fatal(err)
		}
		if ended.Waiting == "" || ended.State.Closed != nil || len(f.asked) != 1 {
			b.Fatalf("it does not wait for a person: %+v, asked %v", ended, f.asked)
		}
		if l, err := e.Leases(b.Context()); err != nil || len(l) != 1 || l[0].Holder != "" || !l[0].Wake.IsZero() {
			b.Errorf("leases are %+v (%v)", l, err)
		}
		if s, err := e.Status(b.Context(), estate.StatusAsked{}); err != nil || s.Rows[0].Credential != console || s.Rows[0].Attention != "asks" || s.Rows[0].Working {
			b.Errorf("the status is %+v (%v)", s.Rows, err)
		}
		b.as("bob")
		f = &told{}
		ended, err = e.Advance(b.Context(), estate.Advancing{Run: ended.State.Run, Confirm: console, Reason: "looks well"}, f)
		if err != nil {
			b.Fatal(err)
		}
		if c := ended.State.Closed; c == nil || c.Ending != rotation.Rotated || f.past == 0 {
			b.Fatalf("it ended as %+v, told of %d before", c, f.past)
		}
		if c := f.of(rotation.KindConfirmed); len(c) != 1 || c[0].Confirmed.Actor != "bob" {
			b.Errorf("confirmed were %+v", c)
		}
		r := f.of(rotation.KindResumed)
		if len(r) != 2 || r[0].Resumed.Worker != "" || r[0].Resumed.Actor != "bob" || r[0].Resumed.Word == nil || r[0].Resumed.Word.Answers == "" || r[1].Resumed.Worker != "one" {
			b.Errorf("taken up were %+v", r)
		}
	})
}

// TestTheFaceIsAskedWhatOnlyAPersonCanSay, as on a terminal.
func TestTheFaceIsAskedWhatOnlyAPersonCanSay(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		f := &told{confirms: "typed"}
		ended, err := b.engine("one").Open(b.Context(), estate.Opening{Wish: estate.Wish{Credential: console}}, f)
		if err != nil {
			b.Fatal(err)
		}
		c := f.of(rotation.KindConfirmed)
		if ended.State.Closed == nil || len(c) != 1 || c[0].Confirmed.How != "typed" || c[0].Confirmed.Actor != "alice" || f.pasts != 1 || f.ended != 1 {
			b.Errorf("it ended as %+v; confirmed were %+v", ended.State.Closed, c)
		}
	})
}

// TestARunIsTurnedBackByAPerson.
func TestARunIsTurnedBackByAPerson(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		e := b.engine("one")
		before := b.stored(console)
		ended, err := e.Open(b.Context(), estate.Opening{Wish: estate.Wish{Credential: console}}, &told{})
		if err != nil || b.stored(console) == before {
			b.Fatalf("nothing was stored, so there is nothing to undo (%v)", err)
		}
		run := ended.State.Run
		ended, err = e.GoBack(b.Context(), estate.Backing{Run: run, Reason: "the app broke"}, &told{})
		if err != nil {
			b.Fatal(err)
		}
		if c := ended.State.Closed; c == nil || c.Ending != rotation.RolledBack || b.stored(console) != before {
			b.Errorf("it ended as %+v", c)
		}
		if _, err := e.TakeUp(b.Context(), estate.Advancing{Run: run}); estate.CodeOf(err) != estate.RunOver {
			b.Errorf("taking it up once more: %v", err)
		}
		if _, err := e.Begin(b.Context(), estate.Opening{Wish: estate.Wish{Credential: "NONE"}}); estate.CodeOf(err) != estate.NoCredential {
			b.Errorf("opening one of a credential that is not there: %v", err)
		}
		if _, err := e.Follow(b.Context(), "none", 0, &told{}); estate.CodeOf(err) != estate.NoRun {
			b.Errorf("following one that is not there: %v", err)
		}
	})
}

// TestARunIsGoneOnWithByTheNextProcess where the one before has ended.
func TestARunIsGoneOnWithByTheNextProcess(t *testing.T) {
	t.Parallel()
	everywhere(t, func(b *bench) {
		one := b.idle("one")
		run, err := one.Begin(b.Context(), estate.Opening{Wish: estate.Wish{Credential: vault}, Confirm: vault})
		if err != nil {
			b.Fatal(err)
		}
		ended, err := b.engine("two").Follow(b.Context(), run, 0, &told{})
		if err != nil {
			b.Fatal(err)
		}
		if c := ended.State.Closed; c == nil || c.Ending != rotation.Rotated {
			b.Errorf("it ended as %+v", c)
		}
	})
}
