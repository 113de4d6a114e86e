//go:build !windows

package lease_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"rekey/internal/lease"
)

// TestAPlaceHasOneWriterWhileHeHasHisRun.
func TestAPlaceHasOneWriterWhileHeHasHisRun(t *testing.T) {
	everywhere(t, func(b *bench) {
		one, err := b.stores[0].Claim(b.Context(), b.add("run"), "one", time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		two, err := b.stores[1].Claim(b.Context(), b.add("other"), "two", time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		release, err := one.Hold(b.Context(), "policy")
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(b.Context(), 200*time.Millisecond)
		defer cancel()
		if _, err := two.Hold(ctx, "policy"); !errors.Is(err, lease.ErrHeld) {
			b.Fatalf("two write one place: %v", err)
		}
		release()
		if release, err = two.Hold(b.Context(), "policy"); err != nil {
			b.Fatal(err)
		}
		b.lapse("other") // its holder is stopped
		if _, err := one.Hold(b.Context(), "policy"); err != nil {
			b.Errorf("a place is held by one whose lease has lapsed: %v", err)
		}
		release() // takes nothing from the other one
		ctx, cancel = context.WithTimeout(b.Context(), 200*time.Millisecond)
		defer cancel()
		three, err := b.stores[1].Claim(b.Context(), b.add("third"), "two", time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := three.Hold(ctx, "policy"); !errors.Is(err, lease.ErrHeld) {
			b.Errorf("two write one place after a late release: %v", err)
		}
	})
}

// TestAPlaceWhoseAnswerWasLostIsTakenAgain: nobody waits for himself; but two steps of one run
// write a place one after the other.
func TestAPlaceWhoseAnswerWasLostIsTakenAgain(t *testing.T) {
	everywhere(t, func(b *bench) {
		one, err := b.stores[0].Claim(b.Context(), b.add("run"), "one", time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		db, _ := b.journals[0].DB()
		if _, err := db.ExecContext(b.Context(), `INSERT INTO lease_places (place, run, epoch) VALUES ('policy', $1, $2)`, one.Run, one.Epoch); err != nil {
			b.Fatal(err)
		}
		short := func() context.Context {
			ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
			b.Cleanup(cancel)
			return ctx
		}
		release, err := one.Hold(short(), "policy")
		if err != nil {
			b.Fatalf("it waits for itself: %v", err)
		}
		ctx, cancel := context.WithTimeout(b.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := one.Hold(ctx, "policy"); !errors.Is(err, lease.ErrHeld) {
			b.Errorf("two steps of one run write one place: %v", err)
		}
		release()
		if _, err := one.Hold(short(), "policy"); err != nil {
			b.Errorf("a place that was given back: %v", err)
		}
	})
}
