//go:build !windows

package lease_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rekey/internal/journal"
	"rekey/internal/lease"
	"rekey/internal/realserver"
	"rekey/internal/vendorhttp"
)

var postgres, stopPostgres = realserver.PostgresOnce()

func TestMain(m *testing.M) { realserver.Main(m, stopPostgres) }

var schemas atomic.Int64

// bench is a journal that two processes have opened.
type bench struct {
	*testing.T
	journals [2]*journal.Journal
	stores   [2]*lease.Store
}

func everywhere(t *testing.T, test func(b *bench)) {
	try := func(open func() (*journal.Journal, error)) func(*testing.T) {
		return func(t *testing.T) {
			t.Parallel()
			b := &bench{T: t}
			for i := range b.stores {
				j, err := open()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = j.Close() })
				b.journals[i] = j
				if b.stores[i], err = lease.Open(t.Context(), j); err != nil {
					t.Fatal(err)
				}
			}
			test(b)
		}
	}
	t.Parallel()
	dir := t.TempDir()
	t.Run("sqlite", try(func() (*journal.Journal, error) { return journal.Open(dir) }))
	address := ""
	t.Run("postgres", func(t *testing.T) {
		address = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/trusting?search_path=lease%d", postgres(t).Port, schemas.Add(1))
		try(func() (*journal.Journal, error) { return journal.OpenPostgres(context.Background(), address) })(t)
	})
}

// add makes a run due, in the transaction of an entry.
func (b *bench) add(run string) (d lease.Due) {
	b.Helper()
	b.write(0, func(ctx context.Context, tx *sql.Tx) (err error) {
		d, err = b.stores[0].Add(ctx, tx, run, "NAME", "a plan", 0)
		return err
	}, nil)
	return d
}

// write appends an entry by one of the processes, with something in its transaction.
func (b *bench) write(process int, with func(context.Context, *sql.Tx) error, want error) {
	b.Helper()
	_, err := b.journals[process].AppendWith(b.Context(), func(_ journal.View, tx *sql.Tx) error { return with(b.Context(), tx) },
		journal.Draft{At: time.Now(), Run: "r", Subject: "NAME", Kind: "k", Body: json.RawMessage(`{}`)})
	if !errors.Is(err, want) {
		b.Fatalf("it is %v, and not %v", err, want)
	}
}

func (b *bench) entries() int {
	b.Helper()
	all, err := b.journals[0].Kinds(b.Context(), "k")
	if err != nil {
		b.Fatal(err)
	}
	return len(all)
}

// lapse has a run's lease be over, as if its holder had been stopped for long.
func (b *bench) lapse(run string) {
	b.Helper()
	db, _ := b.journals[0].DB()
	if _, err := db.ExecContext(b.Context(), `UPDATE lease_runs SET expires = 1 WHERE run = $1`, run); err != nil {
		b.Fatal(err)
	}
}

// handOn hands on what has lapsed, by the second process.
func (b *bench) handOn() (due []lease.Due) {
	b.Helper()
	lapsed, late, err := b.stores[1].Left(b.Context(), time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	db, _ := b.journals[1].DB()
	for _, d := range append(lapsed, late...) {
		tx, err := db.BeginTx(b.Context(), nil)
		if err == nil {
			d, err = b.stores[1].HandOn(b.Context(), tx, d, time.Hour)
		}
		if err == nil {
			err = tx.Commit()
		}
		if err != nil {
			b.Fatal(err)
		}
		due = append(due, d)
	}
	return due
}

// TestOfManyWhoClaimARunOneGetsIt, and a job of an epoch that has passed gets nothing.
func TestOfManyWhoClaimARunOneGetsIt(t *testing.T) {
	everywhere(t, func(b *bench) {
		d := b.add("run")
		var got atomic.Int64
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				h, err := b.stores[i%2].Claim(b.Context(), d, fmt.Sprint("worker ", i), time.Minute)
				switch {
				case err == nil && h.Plan == "a plan" && h.Clean && h.Epoch == d.Epoch+1:
					got.Add(1)
				case !errors.Is(err, lease.ErrHeld):
					b.Errorf("it is %v", err)
				}
			})
		}
		all.Wait()
		if got.Load() != 1 {
			b.Errorf("%d have got it", got.Load())
		}
	})
}

// TestWhoWasOvertakenWritesNothing: his lease lapsed, another one has the run, and neither
// an entry nor a renewal of his is taken, nor may he send anything.
func TestWhoWasOvertakenWritesNothing(t *testing.T) {
	everywhere(t, func(b *bench) {
		one, err := b.stores[0].Claim(b.Context(), b.add("run"), "one", time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		b.write(0, func(ctx context.Context, tx *sql.Tx) error { return one.Check(ctx, tx) }, nil)
		if err := one.Ours(b.Context()); err != nil {
			b.Errorf("the run is said not to be its holder's: %v", err)
		}
		if due := b.handOn(); len(due) != 0 {
			b.Errorf("a run is handed over whose holder lives: %v", due)
		}
		b.lapse("run")
		due := b.handOn()
		if len(due) != 1 || due[0].Epoch <= one.Epoch {
			b.Fatalf("handed on are %+v, after epoch %d", due, one.Epoch)
		}
		before := b.entries()
		b.write(0, func(ctx context.Context, tx *sql.Tx) error { return one.Check(ctx, tx) }, lease.ErrLost)
		two, err := b.stores[1].Claim(b.Context(), due[0], "two", time.Minute)
		if err != nil || two.Clean {
			b.Fatalf("the next one: clean %v, %v", two.Clean, err)
		}
		b.write(0, func(ctx context.Context, tx *sql.Tx) error { return one.Check(ctx, tx) }, lease.ErrLost)
		if err := one.Ours(b.Context()); !errors.Is(err, lease.ErrLost) {
			b.Errorf("it may send: %v", err)
		}
		if one.Lost().Err() == nil {
			b.Error("what it has under way is not cut off")
		}
		if n := b.entries(); n != before {
			b.Errorf("%d entries were written", n-before)
		}
		if _, err := one.LetGo(b.Context(), nil, lease.Letting{Deaf: true}); !errors.Is(err, lease.ErrLost) {
			b.Errorf("it lets go of what is another's: %v", err)
		}
		if err := one.Over(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.write(1, func(ctx context.Context, tx *sql.Tx) error { return two.Check(ctx, tx) }, nil)
	})
}

// TestWhatIsSaidToARunIsHeardBeforeItIsLetGoOf, and wakes a worker where nobody is at it.
func TestWhatIsSaidToARunIsHeardBeforeItIsLetGoOf(t *testing.T) {
	everywhere(t, func(b *bench) {
		h, err := b.stores[0].Claim(b.Context(), b.add("run"), "one", time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		var due *lease.Due
		say := func() {
			b.write(1, func(ctx context.Context, tx *sql.Tx) (err error) {
				due, err = b.stores[1].Say(ctx, tx, "run", "NAME", 0)
				return err
			}, nil)
		}
		if say(); due != nil {
			b.Errorf("a worker is woken for a run that is held: %+v", due)
		}
		if _, err := h.LetGo(b.Context(), nil, lease.Letting{Wake: -1}); !errors.Is(err, lease.ErrSaid) {
			b.Fatalf("it was let go of without hearing: %v", err)
		}
		said, unheard := h.Unheard()
		if !unheard {
			b.Fatal("nothing is said to be unheard")
		}
		h.Heard(said)
		if err := h.Renew(b.Context()); err != nil {
			b.Fatal(err)
		}
		if _, unheard := h.Unheard(); unheard {
			b.Error("it is unheard still")
		}
		let, err := h.LetGo(b.Context(), nil, lease.Letting{Wake: -1, Clean: true, Waits: "for somebody"})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := b.stores[1].Claim(b.Context(), let, "two", time.Minute); !errors.Is(err, lease.ErrHeld) {
			b.Errorf("a run that waits for a person was taken up: %v", err)
		}
		if rows, err := b.stores[1].Rows(b.Context(), "run"); err != nil || len(rows) != 1 || rows[0].Waits != "for somebody" || rows[0].Holder != "" {
			b.Errorf("it stands as %+v (%v)", rows, err)
		}
		if say(); due == nil || due.Epoch <= let.Epoch {
			b.Fatalf("nobody is woken: %+v", due)
		}
		if h, err := b.stores[1].Claim(b.Context(), *due, "two", time.Minute); err != nil || !h.Clean {
			b.Errorf("it was let go of properly, and is clean %v (%v)", h.Clean, err)
		}
	})
}

// TestAProcessThatHasLockedTheCredentialTakesARunOver of another such process, and of no
// worker that lives.
func TestAProcessThatHasLockedTheCredentialTakesARunOver(t *testing.T) {
	everywhere(t, func(b *bench) {
		one, err := b.stores[0].Seize(b.Context(), "run", "NAME", lease.Process+"one", time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		two, err := b.stores[1].Seize(b.Context(), "run", "NAME", lease.Process+"two", time.Minute)
		if err != nil || two.Epoch <= one.Epoch {
			b.Fatalf("the second one: epoch %d after %d (%v)", two.Epoch, one.Epoch, err)
		}
		b.write(0, func(ctx context.Context, tx *sql.Tx) error { return one.Check(ctx, tx) }, lease.ErrLost)
		let, err := two.LetGo(b.Context(), nil, lease.Letting{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := b.stores[0].Claim(b.Context(), let, "worker", time.Minute); err != nil {
			b.Fatal(err)
		}
		if _, err := b.stores[1].Seize(b.Context(), "run", "NAME", lease.Process+"three", time.Minute); !errors.Is(err, lease.ErrHeld) {
			b.Errorf("a worker's run was taken over: %v", err)
		}
		b.lapse("run")
		if _, err := b.stores[1].Seize(b.Context(), "run", "NAME", lease.Process+"three", time.Minute); err != nil {
			b.Errorf("of one that is gone it was not: %v", err)
		}
	})
}

// TestALaptopThatSleptGoesOn where nobody has taken the run up meanwhile.
func TestALaptopThatSleptGoesOn(t *testing.T) {
	everywhere(t, func(b *bench) {
		h, err := b.stores[0].Seize(b.Context(), "run", "NAME", lease.Process+"one", time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		h.Patient = true
		b.lapse("run")
		if err := h.Renew(b.Context()); err != nil {
			b.Error(err)
		}
		b.lapse("run")
		b.handOn()
		if err := h.Renew(b.Context()); !errors.Is(err, lease.ErrLost) {
			b.Errorf("its run was handed on, and it is %v", err)
		}
	})
}

// TestItIsLookedAtAgainRightBeforeBytesGoOut: by then a lease may have lapsed that lasted when
// the request began. A patient holder renews it, if nobody has taken the run up meanwhile.
func TestItIsLookedAtAgainRightBeforeBytesGoOut(t *testing.T) {
	everywhere(t, func(b *bench) {
		const term = 600 * time.Millisecond
		h, err := b.stores[0].Claim(b.Context(), b.add("run"), "one", term)
		if err != nil {
			b.Fatal(err)
		}
		patient, err := b.stores[0].Seize(b.Context(), "other", "NAME", lease.Process+"one", term)
		if err != nil {
			b.Fatal(err)
		}
		patient.Patient = true
		for _, h := range []*lease.Held{h, patient} {
			if err := errors.Join(h.Ours(b.Context()), h.Late(b.Context())); err != nil {
				b.Error(err)
			}
		}
		time.Sleep(term)
		if err := h.Late(b.Context()); !errors.Is(err, lease.ErrLost) {
			b.Errorf("it has lapsed, and it is %v", err)
		}
		if err := patient.Late(b.Context()); err != nil || patient.Left() < term/3 {
			b.Errorf("a patient one did not renew it: %v, %s left", err, patient.Left())
		}
		time.Sleep(term)
		b.handOn()
		if err := patient.Late(b.Context()); !errors.Is(err, lease.ErrLost) {
			b.Errorf("its run was handed on, and it is %v", err)
		}
	})
}

// TestALeaseThatCannotBeRenewedIsLost, and one that can is not.
func TestALeaseThatCannotBeRenewedIsLost(t *testing.T) {
	everywhere(t, func(b *bench) {
		h, err := b.stores[0].Claim(b.Context(), b.add("run"), "one", 300*time.Millisecond)
		if err != nil {
			b.Fatal(err)
		}
		other, err := b.stores[1].Claim(b.Context(), b.add("other"), "two", time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		other.Keep()
		defer other.Stop()
		h.Keep()
		defer h.Stop()
		if err := b.journals[0].Close(); err != nil { // its database is out of reach
			b.Fatal(err)
		}
		<-h.Lost().Done()
		if !errors.Is(context.Cause(h.Lost()), lease.ErrLost) {
			b.Errorf("it is lost for %v", context.Cause(h.Lost()))
		}
		if other.Lost().Err() != nil {
			b.Errorf("the other one is lost, too: %v", context.Cause(other.Lost()))
		}
	})
}

// TestWhoIsDueForLongIsSaidAgain: a job may be lost.
func TestWhoIsDueForLongIsSaidAgain(t *testing.T) {
	everywhere(t, func(b *bench) {
		d := b.add("run")
		if due := b.handOn(); len(due) != 0 {
			b.Errorf("it is said again at once: %v", due)
		}
		db, _ := b.journals[0].DB()
		if _, err := db.ExecContext(b.Context(), `UPDATE lease_runs SET wake = 1`); err != nil {
			b.Fatal(err)
		}
		lapsed, late, err := b.stores[0].Left(b.Context(), time.Hour)
		if err != nil || len(lapsed) != 0 || len(late) != 1 || late[0] != d {
			b.Errorf("found are %v and %v (%v)", lapsed, late, err)
		}
		due := b.handOn()
		if len(due) != 1 || due[0].Epoch <= d.Epoch {
			b.Fatalf("it is not said again: %v", due)
		}
		if _, err := b.stores[0].HandOn(b.Context(), db, d, time.Hour); !errors.Is(err, lease.ErrHeld) {
			b.Errorf("it is handed on twice: %v", err)
		}
		if _, err := b.stores[0].Claim(b.Context(), d, "one", time.Minute); !errors.Is(err, lease.ErrHeld) {
			b.Errorf("the job that was late gets it, too: %v", err)
		}
		if h, err := b.stores[0].Claim(b.Context(), due[0], "one", time.Minute); err != nil || !h.Clean {
			b.Errorf("the new one does not get it as it was: %+v (%v)", h, err)
		}
	})
}

// TestWhoWorksIsKnown.
func TestWhoWorksIsKnown(t *testing.T) {
	everywhere(t, func(b *bench) {
		for _, name := range []string{"one", "two"} {
			if err := b.stores[0].Seen(b.Context(), name); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := b.stores[0].Claim(b.Context(), b.add("run"), "two", time.Minute); err != nil {
			b.Fatal(err)
		}
		if err := b.stores[0].Gone(b.Context(), "one"); err != nil {
			b.Fatal(err)
		}
		got, err := b.stores[1].Workers(b.Context())
		if err != nil || len(got) != 1 || got[0].Name != "two" || got[0].Holds != 1 || got[0].Ago < 0 {
			b.Errorf("known are %+v (%v)", got, err)
		}
	})
}

// TestWhatOneProcessHoldsBackIsHeldByTheOther: looks and changes apart, for as long as who
// knows of the longest time says, and by what rekey.yaml leads to, on the database's clock.
func TestWhatOneProcessHoldsBackIsHeldByTheOther(t *testing.T) {
	everywhere(t, func(b *bench) {
		one, two := b.stores[0].Limits(), lease.LimitsOf(b.journals[1])
		if h := one.Held(b.Context(), "a vendor"); h != (vendorhttp.Held{}) {
			b.Errorf("held for %+v by nobody", h)
		}
		one.Hold(b.Context(), "a vendor", vendorhttp.Held{Looks: time.Hour})
		one.Hold(b.Context(), "a vendor", vendorhttp.Held{Looks: time.Second, Changes: time.Minute})
		time.Sleep(1100 * time.Millisecond) // what was read counts for a second
		for i, l := range []*lease.Limits{one, two} {
			if h := l.Held(b.Context(), "a vendor"); h.Looks < 50*time.Minute || h.Looks > time.Hour || h.Changes < 50*time.Second || h.Changes > time.Minute {
				b.Errorf("process %d: held for %+v", i, h)
			}
		}
		if h := two.Held(b.Context(), "another vendor"); h != (vendorhttp.Held{}) {
			b.Errorf("another vendor is held for %+v", h)
		}
		if all, err := lease.LimitedNow(b.Context(), b.journals[1]); err != nil || len(all) != 1 || all[0].Vendor != "a vendor" {
			b.Errorf("told are %+v (%v)", all, err)
		}
		if err := b.journals[1].Close(); err != nil {
			b.Fatal(err)
		}
		if h := two.Held(b.Context(), "a third vendor"); h != (vendorhttp.Held{}) {
			b.Errorf("without the database it is held for %+v", h)
		}
	})
}

// TestWhoIsAtARunIsToldToAnybody, where there are no leases yet, too.
func TestWhoIsAtARunIsToldToAnybody(t *testing.T) {
	none, err := journal.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = none.Close() })
	if runs, err := lease.Standings(t.Context(), none); err != nil || len(runs) != 0 {
		t.Errorf("at work without leases: %v (%v)", runs, err)
	}
	everywhere(t, func(b *bench) {
		at := func(when string, atWork bool, waits ...string) {
			b.Helper()
			want := lease.Standing{AtWork: atWork, Waits: strings.Join(waits, "")}
			if runs, err := lease.Standings(b.Context(), b.journals[1]); err != nil || runs["run"] != want {
				b.Errorf("%s: %v (%v)", when, runs, err)
			}
		}
		d := b.add("run")
		at("due", true)
		h, err := b.stores[0].Claim(b.Context(), d, "one", time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		at("held", true)
		if err := h.Asks(b.Context(), "make one"); err != nil {
			b.Fatal(err)
		}
		if runs, err := lease.Standings(b.Context(), b.journals[1]); err != nil || runs["run"] != (lease.Standing{AtWork: true, ByHand: "make one"}) {
			b.Errorf("asking a person: %v (%v)", runs, err)
		}
		if err := h.Asks(b.Context(), ""); err != nil {
			b.Fatal(err)
		}
		at("answered", true)
		b.lapse("run")
		at("lapsed", false)
		if _, err := h.LetGo(b.Context(), nil, lease.Letting{Wake: -1, Waits: "somebody to agree"}); err != nil {
			b.Fatal(err)
		}
		at("waiting for a person", false, "somebody to agree")
	})
}
