package scheduler_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"rekey/internal/approvals"
	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/schedule"
	"rekey/internal/scheduler"
	"rekey/internal/sim"
)

func count(runs []estate.Summary, ending rotation.Ending) (n int) {
	for _, r := range runs {
		if r.Ending == ending {
			n++
		}
	}
	return n
}

// TestWhatIsDueIsRotatedWithoutAPerson, once, however often and by however many processes
// the schedule is asked; the two credentials share a consumer, so one follows the other.
func TestWhatIsDueIsRotatedWithoutAPerson(t *testing.T) {
	t.Parallel()
	b := newBench(t, "    run: automatically\n", "")
	e, one := b.service("one")
	_, two := b.service("two")
	tick := func() {
		t.Helper()
		var all sync.WaitGroup
		errs := make([]error, 6)
		for i := range errs {
			all.Go(func() { errs[i] = []*scheduler.Scheduler{one, two}[i%2].Begin(t.Context()) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	tick()
	if runs := b.ended(e); len(runs) != 1 || count(runs, rotation.Rotated) != 1 || runs[0].Actor != schedule.Actor || !strings.HasPrefix(runs[0].Reason, "due since 20") {
		t.Fatalf("%+v", runs)
	}
	tick()
	if runs := b.ended(e); len(runs) != 2 || count(runs, rotation.Rotated) != 2 || runs[0].Credential == runs[1].Credential {
		t.Fatalf("%+v", runs)
	}
	tick()
	if runs := b.ended(e); len(runs) != 2 {
		t.Fatalf("more than was due: %+v", runs)
	}
	logged, err := e.Log(t.Context(), b.ended(e)[0].Run)
	if err != nil {
		t.Fatal(err)
	}
	for _, ev := range logged.Events {
		if c := ev.Confirmed; c != nil && (c.By == nil || c.By.How != "run: automatically") {
			t.Errorf("confirmed by %+v", c.By)
		}
	}
}

// TestADecisionThatIsOldBeginsNothing: another run was begun, and is over, since.
func TestADecisionThatIsOldBeginsNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, "    run: automatically\n", "")
	e, s := b.service("one")
	old, err := e.Schedule(t.Context())
	if err != nil || len(old.Begin) != 1 {
		t.Fatalf("%+v %v", old, err)
	}
	if err := s.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	runs := b.ended(e)
	_, err = e.Begin(t.Context(), estate.Opening{Wish: estate.Wish{Credential: runs[0].Credential}, After: estate.NoRunYet})
	if estate.CodeOf(err) != estate.NotNewest || len(b.ended(e)) != 1 {
		t.Errorf("%v", err)
	}
	if _, err = e.Begin(t.Context(), estate.Opening{Wish: estate.Wish{Credential: runs[0].Credential}, After: runs[0].Run}); err != nil {
		t.Errorf("the newest one: %v", err)
	}
}

// TestNothingBeginsWhatAPersonHasToBegin, or while the schedule is paused.
func TestNothingBeginsWhatAPersonHasToBegin(t *testing.T) {
	t.Parallel()
	b := newBench(t, "", "")
	e, s := b.service("one")
	b.asked()
	if err := s.Begin(t.Context()); err != nil || len(b.ended(e)) != 0 || b.asked() != 0 {
		t.Errorf("%v %+v", err, b.ended(e))
	}
	b = newBench(t, "    run: automatically\n", "")
	e, s = b.service("one")
	if err := e.Pause(t.Context(), "freeze"); err != nil {
		t.Fatal(err)
	}
	if err := s.Begin(t.Context()); err != nil || len(b.ended(e)) != 0 {
		t.Errorf("%v %+v", err, b.ended(e))
	}
}

// TestTheScheduleAsksAndWaitsForAnAgreementTwice: before the start and before the old one
// is revoked. It asks once, and goes on by itself each time somebody has agreed.
func TestTheScheduleAsksAndWaitsForAnAgreementTwice(t *testing.T) {
	t.Parallel()
	b := newBench(t, "    run: after approval\n    approvals: {before: both, role: release, expire: 10d}\n", "")
	e, s := b.service("one")
	tick := func() {
		t.Helper()
		if err := s.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	waiting := func(gate approvals.Gate) estate.Approval {
		t.Helper()
		list, err := e.Approvals(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range list {
			if a.Request.Gate == gate && a.Request.Credential == console && a.Standing == approvals.Waiting {
				return a
			}
		}
		t.Fatalf("nothing waits before the %s: %+v", gate, list)
		return estate.Approval{}
	}
	tick()
	first := waiting(approvals.Start)
	if first.Request.By.Name != schedule.Actor || first.Request.Plan == nil {
		t.Errorf("%+v", first.Request)
	}
	b.asked()
	tick()
	if again := waiting(approvals.Start); again.Request.ID != first.Request.ID || b.asked() != 0 || len(b.ended(e)) != 0 {
		t.Errorf("asked again: %+v", again.Request)
	}
	b.as("carol", "release")
	if _, err := e.Approve(t.Context(), estate.Answering{About: console}); err != nil {
		t.Fatal(err)
	}
	tick()
	runs := b.ended(e)
	if len(runs) != 1 || !runs[0].Open() {
		t.Fatalf("%+v", runs)
	}
	waiting(approvals.Retiring)
	tick()
	if runs = b.ended(e); !runs[0].Open() {
		t.Fatal("it went on with nobody's agreement")
	}
	if _, err := e.Approve(t.Context(), estate.Answering{About: runs[0].Run}); err != nil {
		t.Fatal(err)
	}
	tick()
	if runs = b.ended(e); runs[0].Ending != rotation.Rotated {
		t.Fatalf("%+v", runs)
	}
	logged, err := e.Log(t.Context(), runs[0].Run)
	if err != nil {
		t.Fatal(err)
	}
	var confirmed *rotation.Confirmed
	for _, ev := range logged.Events {
		if ev.Confirmed != nil {
			confirmed = ev.Confirmed
		}
	}
	if confirmed == nil || confirmed.Actor != "carol" || confirmed.How != "approved by carol (proven by session)" {
		t.Errorf("confirmed as %+v", confirmed)
	}
}

// TestWhatCannotBeBegunIsToldOnce, is not tried at every tick, and is tried again later:
// after a minute at first, and after longer each time.
func TestWhatCannotBeBegunIsToldOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, "    run: after approval\n", "")
	e, s := b.service("one")
	b.down = true
	if err := s.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	because := func() (out []string) {
		d, err := e.Schedule(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range d.Credentials {
			for _, r := range c.Why {
				if r.Code == schedule.CannotBegin {
					out = append(out, c.Credential+": "+r.Why)
				}
			}
		}
		return out
	}
	if why := because(); len(why) != 2 || !strings.Contains(why[0], "it could not be begun: not seen: "+console) {
		t.Fatalf("%q", why)
	}
	b.asked()
	if err := s.Begin(t.Context()); err != nil || b.asked() != 0 {
		t.Errorf("it is tried at every tick: %v", err)
	}
	for i, pause := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
		b.later(pause - time.Second)
		if err := s.Begin(t.Context()); err != nil || b.asked() != 0 {
			t.Errorf("it is tried sooner than after %s: %v", pause, err)
		}
		b.later(time.Second)
		if err := s.Begin(t.Context()); err != nil || b.asked() == 0 {
			t.Errorf("it is not tried again after %s: %v", pause, err)
		}
		d, err := e.Schedule(t.Context())
		if err != nil || len(because()) != 2 || d.Credentials[0].Tried != i+2 {
			t.Errorf("it is not told that it was tried %d times: %+v %v", i+2, d.Credentials, err)
		}
	}
	b.down = false
	b.later(8 * time.Minute)
	if err := s.Begin(t.Context()); err != nil || b.asked() == 0 {
		t.Errorf("it is not tried again: %v", err)
	}
	if list, err := e.Approvals(t.Context()); err != nil || len(list) != 2 {
		t.Errorf("%+v %v", list, err)
	}
}

// TestItLooksAsOftenAsItIsTold, whoever looked last; what cannot be looked at is not
// asked for at every tick.
func TestItLooksAsOftenAsItIsTold(t *testing.T) {
	t.Parallel()
	b := newBench(t, "", "schedule:\n  looks: {drift: 1h, discover: 1d, check: off}\n")
	e, s := b.service("one")
	look := func() int {
		t.Helper()
		b.asked()
		if err := s.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		return b.asked()
	}
	if look() == 0 {
		t.Fatal("it did not look")
	}
	st, err := e.Status(t.Context(), estate.StatusAsked{})
	if err != nil || len(st.Rows) != 2 {
		t.Fatalf("%+v %v", st, err)
	}
	for _, r := range st.Rows {
		if r.Drift == nil || r.Others == nil {
			t.Errorf("%s: %+v %+v", r.Credential, r.Drift, r.Others)
		}
	}
	if n := look(); n != 0 {
		t.Errorf("it looked again at once, with %d calls", n)
	}
	b.later(61 * time.Minute)
	if n := look(); n == 0 || look() != 0 {
		t.Errorf("after an hour: %d calls", n)
	}
	if _, err := e.Compare(t.Context(), nil); err != nil { // a person looks
		t.Fatal(err)
	}
	b.later(59 * time.Minute)
	if n := look(); n != 0 {
		t.Errorf("what a person has just seen is looked at again, with %d calls", n)
	}
	// Something drifts, and is found without anybody asking.
	b.world.Look(func(s *sim.State) { s.Heroku.Apps[0].Current().Vars[console] = "somebody else's" })
	b.later(61 * time.Minute)
	look()
	if st, err = e.Status(t.Context(), estate.StatusAsked{}); err != nil || !st.Rows[0].HasDrifted() {
		t.Errorf("%+v %v", st.Rows[0].Drift, err)
	}
}

// TestItTellsWhatHolds, once, of what it does and does not do itself.
func TestItTellsWhatHolds(t *testing.T) {
	t.Parallel()
	b := newBench(t, "    run: after approval\n", "notify: {channels: {team: {slack: env:SLACK}}}\n")
	_, s := b.service("one")
	if err := s.Begin(t.Context()); err != nil { // it asks
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Tell(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	asked := 0
	for _, text := range b.told {
		if strings.Contains(text, "somebody has to agree to begin a rotation") {
			asked++
		}
	}
	if asked != 2 { // once for each credential
		t.Errorf("%q", b.told)
	}
}

// TestTooManyThatEndedBadlyStopTheSchedule, until a person says that it may go on: those
// count that it has begun itself, which the journal tells of runs that are over too. What was
// known of the credentials before is known still: a run that was refused changes nothing.
func TestTooManyThatEndedBadlyStopTheSchedule(t *testing.T) {
	t.Parallel()
	b := newBench(t, "    run: automatically\n", "schedule: {canary: none, error_budget: {failures: 1, within: 24h}, again_after: 1h}\n")
	e, s := b.service("one")
	b.down = true
	for range 3 {
		if err := s.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.ended(e)
		b.later(2 * time.Hour)
	}
	runs := b.ended(e)
	d, err := e.Schedule(t.Context())
	if err != nil || len(runs) != 2 || d.Stopped.IsZero() || len(d.Failed) != 2 || len(d.Begin) != 0 {
		t.Fatalf("%d runs, stopped at %v by %v, %v begins, %v: %+v", len(runs), d.Stopped, d.Failed, d.Begin, err, runs)
	}
	b.down = false
	if err := e.Continue(t.Context(), "the vendors are back"); err != nil {
		t.Fatal(err)
	}
	if d, err := e.Schedule(t.Context()); err != nil || !d.Stopped.IsZero() || len(d.Begin) != 1 {
		t.Errorf("stopped at %v, %v begins, %v: %+v", d.Stopped, d.Begin, err, d.Credentials)
	}
}
