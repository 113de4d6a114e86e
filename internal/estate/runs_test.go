package estate_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"rekey/internal/discover"
	"rekey/internal/estate"
	"rekey/internal/rotation"
	"rekey/internal/sim"
	"rekey/internal/sop"
)

// TestARunIsOpenedAndAdvancedToItsEnd: the face is told everything in order, and what
// comes out is what it was told.
func TestARunIsOpenedAndAdvancedToItsEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	before := b.stored(console)
	f := &told{}
	ended, err := b.operations().Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console, Reason: "scheduled", Ticket: "OPS-1"}, f)
	if err != nil {
		t.Fatal(err)
	}
	if ended.State.Closed == nil || ended.State.Closed.Ending != rotation.Rotated {
		t.Fatalf("it ended as %+v, %s", ended.State.Closed, ended.Waiting)
	}
	if now := b.stored(console); now == before || now == "" {
		t.Error("the store holds what it held before")
	}
	if f.order[0] != "past" || f.order[1] != "event" || f.order[len(f.order)-1] != "end" || f.past != 0 || len(f.asked) > 0 {
		t.Errorf("the face was told %v, with %d events of before, and asked %v", f.order, f.past, f.asked)
	}
	if o := f.events[0].Opened; o == nil || o.Actor != "alice@laptop" || o.Reason != "scheduled" || o.Ticket != "OPS-1" || o.Tool != "test" || o.Simulated {
		t.Errorf("it was opened as %+v", f.events[0].Opened)
	}
	if again := rotation.Fold(f.events); again.Closed == nil || again.Closed.Ending != rotation.Rotated || again.Run != ended.State.Run {
		t.Errorf("what the face was told amounts to %+v", again.Closed)
	}
	total := 0
	for _, n := range ended.Calls {
		total += n
	}
	if total == 0 || f.calls < total {
		t.Errorf("%d calls came out, and the face was told of %d", total, f.calls)
	}
	if !ended.Evidence.OK() || !ended.Evidence.Made {
		t.Errorf("no checkpoint was made: %+v", ended.Evidence)
	}
	logged, err := b.operations().Log(t.Context(), ended.State.Run)
	if err != nil || len(logged.Events) != len(f.events) || len(logged.Entries) != len(f.events) {
		t.Errorf("the journal has %d events, and the face was told %d (%v)", len(logged.Events), len(f.events), err)
	}
}

// TestARunThatWaitsIsConfirmedByAdvancingIt, by somebody else, in another process.
func TestARunThatWaitsIsConfirmedByAdvancingIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := &told{}
	ended, err := b.operations().Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: console}}, f)
	if err != nil {
		t.Fatal(err)
	}
	if ended.State.Closed != nil || ended.State.Stuck != nil || ended.Waiting == "" || ended.Detached || len(f.asked) != 1 || f.asked[0].Name != console {
		t.Fatalf("it does not wait for a person: %+v, asked %v", ended, f.asked)
	}
	open, err := b.operations().OpenRuns(t.Context())
	if err != nil || len(open) != 1 || open[0].Run != ended.State.Run || open[0].Final {
		t.Fatalf("open are %+v (%v)", open, err)
	}
	_, err = b.operations().Advance(t.Context(), estate.Advancing{Confirm: vault}, &told{})
	b.refused(err, estate.OtherName)
	f = &told{confirms: true}
	ended, err = b.operations().Advance(t.Context(), estate.Advancing{}, f)
	if err != nil {
		t.Fatal(err)
	}
	if ended.State.Closed == nil || ended.State.Closed.Ending != rotation.Rotated || f.past == 0 {
		t.Errorf("it ended as %+v; the face was told of %d events of before", ended.State.Closed, f.past)
	}
	if c := ended.State.Confirmed; c == nil || c.How != "said so" || c.Name != console {
		t.Errorf("confirmed as %+v", c)
	}
	_, err = b.operations().Advance(t.Context(), estate.Advancing{}, &told{})
	b.refused(err, estate.NoneOpen)
	_, err = b.operations().Advance(t.Context(), estate.Advancing{Run: ended.State.Run}, &told{})
	if e := b.refused(err, estate.RunOver); e.Ending != rotation.Rotated {
		t.Errorf("it is said to have ended as %q", e.Ending)
	}
}

func TestARunGoesBackAsItWasPlanned(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	before := b.stored(console)
	ended, err := b.operations().Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: console}}, &told{})
	if err != nil {
		t.Fatal(err)
	}
	if b.stored(console) == before {
		t.Fatal("nothing was stored, so there is nothing to undo")
	}
	run := ended.State.Run
	plan, err := b.operations().PlanBack(t.Context(), run)
	if err != nil || len(plan.Steps) == 0 || plan.Credential != console {
		t.Fatalf("going back would be %+v (%v)", plan, err)
	}
	ended, err = b.operations().GoBack(t.Context(), estate.Backing{Run: run, Reason: "the app broke"}, &told{})
	if err != nil {
		t.Fatal(err)
	}
	if ended.State.Closed == nil || ended.State.Closed.Ending != rotation.RolledBack || b.stored(console) != before {
		t.Errorf("it ended as %+v", ended.State.Closed)
	}
	for _, step := range plan.Steps {
		if ended.State.Step(step.ID).Status != rotation.Ended {
			t.Errorf("%s was planned, and is %s", step.ID, ended.State.Step(step.ID).Status)
		}
	}
	_, err = b.operations().PlanBack(t.Context(), run)
	b.refused(err, estate.RunOver)
}

// TestAReviewedPlanIsCarriedOutOnceAndOnlyAsItWas.
func TestAReviewedPlanIsCarriedOutOnceAndOnlyAsItWas(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	planned, err := b.operations().Plan(t.Context(), estate.Wish{Credential: console})
	if err != nil {
		t.Fatal(err)
	}
	o := estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console, Reviewed: planned.Plan}
	b.world.Look(func(s *sim.State) { // somebody makes another rule that names it
		p := maps.Clone(s.Cloudflare.Policies[0])
		p["id"], p["name"] = json.RawMessage(`"00000000-0000-4000-8000-000000000001"`), json.RawMessage(`"another"`)
		s.Cloudflare.Policies = append(s.Cloudflare.Policies, p)
	})
	ended, err := b.operations().Open(t.Context(), o, &told{})
	if err != nil {
		t.Fatal(err)
	}
	if c := ended.State.Closed; c == nil || c.Ending != rotation.RefusedRun {
		t.Fatalf("the world has changed since the plan was made, and it ended as %+v", c)
	}
	// A plan is of one run, which this was.
	_, err = b.operations().Open(t.Context(), o, &told{})
	if e := b.refused(err, estate.PlanDone); e.Run != ended.State.Run {
		t.Errorf("it was carried out by %s, and by %s it is said", ended.State.Run, e.Run)
	}
	if planned, err = b.operations().Plan(t.Context(), estate.Wish{Credential: console}); err != nil {
		t.Fatal(err)
	}
	o.Reviewed = planned.Plan
	if ended, err = b.operations().Open(t.Context(), o, &told{}); err != nil || ended.State.Closed == nil || ended.State.Closed.Ending != rotation.Rotated {
		t.Errorf("a plan of the world as it is ended as %+v (%v)", ended.State.Closed, err)
	}
	o.Despite = []string{"heroku:other"}
	_, err = b.operations().Open(t.Context(), o, &told{})
	b.refused(err, estate.PlanDecides)
}

// TestTwoAtOnce: of the same credential, of the same run, and of the same consumer.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	open := func(credential string) error {
		_, err := b.operations().Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: credential}, Confirm: credential}, &told{})
		return err
	}
	met := false
	b.once("POST", "/service_tokens", func() {
		met = true
		if e := b.refused(open(console), estate.Busy); e.Credential != console {
			t.Errorf("busy is %s", e.Credential)
		}
		_, err := b.operations().Advance(t.Context(), estate.Advancing{}, &told{})
		b.refused(err, estate.Busy)
		if e := b.refused(open(vault), estate.PlaceBusy); e.Credential != console || e.Place != "heroku:raxx-console-prod" || e.Run == "" {
			t.Errorf("the place is busy with %+v", e)
		}
		seen, err := b.operations().Status(t.Context(), estate.StatusAsked{Working: true})
		for _, r := range seen.Rows {
			if (r.Credential == console) != r.Working || (r.Open != nil) != r.Working {
				t.Errorf("%s: at work %v, open %v", r.Credential, r.Working, r.Open)
			}
		}
		if err != nil || len(seen.Rows) != 2 {
			t.Errorf("%d rows (%v)", len(seen.Rows), err)
		}
	})
	if err := open(console); err != nil {
		t.Fatal(err)
	}
	if !met {
		t.Fatal("nothing was tried meanwhile")
	}
	// What waits is open although no process is at it.
	if _, err := b.operations().Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: console}}, &told{}); err != nil {
		t.Fatal(err)
	}
	if seen, err := b.operations().Status(t.Context(), estate.StatusAsked{}); err != nil || seen.Rows[0].Credential != console || seen.Rows[0].Attention != "asks" {
		t.Errorf("what waits for a person is %+v (%v)", seen.Rows, err)
	}
	// Both of its generations are live, and neither is left over: the run's consumers may get
	// the old one back.
	found, err := b.operations().Discover(t.Context(), nil)
	for _, f := range found.Findings {
		if f.Kind == discover.Unclaimed && f.Credential != "" {
			t.Errorf("while a run is open, its own is found: %s", f.What)
		}
	}
	if err != nil {
		t.Error(err)
	}
	if e := b.refused(open(console), estate.RunOpen); e.Final || e.Run == "" {
		t.Errorf("a run is open: %+v", e)
	}
	b.refused(open(vault), estate.PlaceBusy)
	ended, err := b.operations().Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: vault}, Confirm: vault, Alongside: true}, &told{})
	if err != nil || ended.State.Closed == nil || !slices.Contains(ended.State.Opened.Overrides, "--alongside") {
		t.Errorf("beside it, as was wanted: %+v (%v)", ended.State, err)
	}
}

// TestAProcessThatIsOvertakenStops: another one takes the run up although the lock says
// no, as where the lock is another machine's.
func TestAProcessThatIsOvertakenStops(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.once("POST", "/service_tokens", func() { b.overtake() })
	_, err := b.operations().Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console}, &told{})
	if e := b.refused(err, estate.Overtaken); e.By == nil || len(e.Live) == 0 || e.Run == "" {
		t.Errorf("overtaken by %+v, live is %v", e.By, e.Live)
	}
}

// TestAnEmergencyTellsWhoIsWithoutAndIsRecorded.
func TestAnEmergencyTellsWhoIsWithoutAndIsRecorded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	wish := estate.Wish{Credential: console, Purpose: sop.ToRevoke}
	planned, err := b.operations().Plan(t.Context(), wish)
	if err != nil || len(planned.Without) == 0 {
		t.Fatalf("without one would be %v (%v)", planned.Without, err)
	}
	_, err = b.operations().Open(t.Context(), estate.Opening{Wish: wish, Confirm: console}, &told{})
	b.refused(err, estate.NoReason)
	ended, err := b.operations().Open(t.Context(), estate.Opening{Wish: wish, Confirm: console, Reason: "a laptop was stolen"}, &told{})
	if err != nil || ended.State.Closed == nil || ended.State.Opened.Reason == "" {
		t.Fatalf("it ended as %+v (%v)", ended.State, err)
	}
	// Afterwards its consumers get another one.
	ended, err = b.operations().Open(t.Context(), estate.Opening{Wish: estate.Wish{Credential: console, Purpose: sop.AfterRevoke}, Confirm: console}, &told{})
	if err != nil || ended.State.Closed == nil || ended.State.Closed.Ending != rotation.Rotated || !slices.Contains(ended.State.Opened.Overrides, "--after-revoke") {
		t.Errorf("afterwards it ended as %+v (%v)", ended.State.Closed, err)
	}
}

// TestOneRequestOpensOneRun: whoever asks again, because the answer was lost, opens none,
// even after the first one is over; and the journal tells which one it was.
func TestOneRequestOpensOneRun(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	o := estate.Opening{Wish: estate.Wish{Credential: console}, Confirm: console}
	ctx := estate.Asking(t.Context(), &estate.Request{Key: "first"})
	if _, err := b.operations().Open(ctx, o, &told{}); err != nil {
		t.Fatal(err)
	}
	runs, err := b.operations().Runs(t.Context())
	if err != nil || len(runs) != 1 || runs[0].Request != "first" {
		t.Fatalf("runs: %+v (%v)", runs, err)
	}
	_, err = b.operations().Open(ctx, o, &told{})
	if e := b.refused(err, estate.Repeated); e.Run != runs[0].Run {
		t.Errorf("the same request has opened %q, and not %q", e.Run, runs[0].Run)
	}
	if _, err := b.operations().Open(estate.Asking(t.Context(), &estate.Request{Key: "second"}), o, &told{}); err != nil {
		t.Errorf("another request is refused: %v", err)
	}
}
